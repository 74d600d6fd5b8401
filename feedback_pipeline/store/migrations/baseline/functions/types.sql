-- Rows that are handed to functions: votes to count, and what one request of the API files.

CREATE TYPE counted_vote AS (
    sign integer, tenant text, day date, model text, intent text, project text, content_type text, action_type text,
    memory real, kind text, thumb boolean, stars smallint, commented boolean
);
COMMENT ON TYPE counted_vote IS '`sign` votes alike: 1 and more are added, less than 0 are taken away';

CREATE TYPE vote_row AS (
    ordinal integer, id uuid, interaction_id uuid, key_kind text, key_value text, kind text, thumb boolean,
    stars smallint, value text, comment text, correction text, reasons text[], preference text,
    other_interaction_id uuid, user_key text, session_key text, occurred_at timestamptz, withdrawn boolean,
    supersedes uuid, idempotency_key text, fingerprint bytea, source text, raw text
);

CREATE TYPE answer_row AS (
    id uuid, project text, conversation_id text, turn integer, intent text, content_type text, action_type text,
    language text, model text, prompt_version text, framework text, variant text, tags text[], tools_called text[],
    techniques text[], memory_used real, messages text, prompt text, output text, content_snapshot text, context text,
    finish_reason text, confidence real, latency_ms real, input_tokens integer, output_tokens integer,
    cost_usd double precision, user_key text, session_key text, occurred_at timestamptz, source text, source_id text,
    provenance text, inclusion_probability real, metadata text, raw text
);

CREATE TYPE name_row AS (kind text, value text, interaction_id uuid);

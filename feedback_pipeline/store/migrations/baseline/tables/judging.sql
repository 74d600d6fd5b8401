-- Judging: what endpoints replied and cost, and what people said in an audit.

CREATE TABLE judgement (
    content_hash   text PRIMARY KEY,       -- of fingerprint and everything the judge saw
    fingerprint    text NOT NULL,
    interaction_id uuid,
    other_interaction_id uuid,
    criterion      text NOT NULL,
    result         jsonb NOT NULL,
    input_tokens   integer,
    output_tokens  integer,
    cost_usd       double precision,
    judged_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX judgement_interaction ON judgement (interaction_id);

-- One run of a judging model over a week. A run without `settled_at` is under way or was killed.
CREATE TABLE judge_run (
    id         uuid PRIMARY KEY,
    week       date NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    spent_usd  double precision CHECK (spent_usd >= 0),
    attempts   integer CHECK (attempts >= 0),
    CHECK ((settled_at IS NULL) = (spent_usd IS NULL))
);
CREATE INDEX judge_run_week ON judge_run (week);

-- A usable reply by the hash of its request. Its words are the model's about a user's text: an erasure removes the
-- replies to what was sent of a person by `content_hash`.
CREATE TABLE judge_reply (
    key          text PRIMARY KEY,              -- SHA-256 of endpoint, request body and repetition
    reply        bytea NOT NULL,
    content_hash text,                          -- of the messages sent: judgements carry it too
    cost_usd     double precision NOT NULL DEFAULT 0,
    run_id       uuid REFERENCES judge_run,
    replied_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX judge_reply_content ON judge_reply (content_hash);
CREATE INDEX judge_reply_run ON judge_reply (run_id);

-- An answer that people are asked to judge. No text: it is shown from the cleaned answers.
CREATE TABLE audit_item (
    interaction_id        uuid PRIMARY KEY REFERENCES interaction ON DELETE CASCADE,
    week                  date NOT NULL,
    day                   date NOT NULL,        -- of the answer
    stratum               text NOT NULL,        -- by a judge's verdict when it was drawn; never shown to people
    place                 integer NOT NULL,     -- random, from 0, in the week
    inclusion_probability double precision NOT NULL CHECK (inclusion_probability > 0 AND inclusion_probability <= 1),
    drawn_at              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_item_week ON audit_item (week, place);

-- What one person said of it, once.
CREATE TABLE audit_label (
    interaction_id uuid NOT NULL REFERENCES audit_item ON DELETE CASCADE,
    criterion      text NOT NULL,
    auditor        text NOT NULL,
    verdict        text NOT NULL CHECK (verdict IN ('up', 'neutral', 'down', 'cannot_say')),
    labelled_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (interaction_id, criterion, auditor)
);

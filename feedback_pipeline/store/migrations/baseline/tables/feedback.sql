-- What is delivered: answers, votes as events, who allows what, and what was refused.
-- :zone is the configured time zone, fixed here: days are cut in it for ever.
--
-- The tables that every vote touches have no foreign key to `tenant`: it would be looked up and locked once a row.
-- Whoever writes files the tenant first, and tenants are never removed.

CREATE TABLE setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO setting VALUES ('timezone', ':zone');

CREATE TABLE tenant (
    name             text PRIMARY KEY,
    use_for_analysis boolean NOT NULL DEFAULT true,
    use_for_training boolean NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL DEFAULT now()
);
INSERT INTO tenant (name) VALUES ('default');

-- A person's wishes; no row means the tenant's policy holds.
CREATE TABLE consent (
    tenant           text NOT NULL REFERENCES tenant,
    user_key         text NOT NULL,
    collect          boolean NOT NULL DEFAULT true,
    use_for_analysis boolean NOT NULL DEFAULT true,
    use_for_training boolean NOT NULL DEFAULT true,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, user_key)
);
CREATE INDEX consent_refused ON consent (tenant, user_key) WHERE NOT collect;

CREATE TABLE prompt (
    tenant     text NOT NULL REFERENCES tenant,
    version    text NOT NULL,
    name       text NOT NULL DEFAULT '',
    template   text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, name, version)
);

CREATE TABLE interaction (
    id                    uuid PRIMARY KEY,
    tenant                text NOT NULL,
    project               text,
    conversation_id       text,
    turn                  integer CHECK (turn >= 0),
    intent                text,
    content_type          text,
    action_type           text,
    language              text,
    model                 text,
    prompt_version        text,
    framework             text,
    variant               text,
    tags                  text[] NOT NULL DEFAULT '{}',
    tools_called          text[] NOT NULL DEFAULT '{}',
    techniques            text[] NOT NULL DEFAULT '{}',
    memory_used           real,
    messages              text,
    prompt                text,
    output                text,
    content_snapshot      text,
    context               text NOT NULL CHECK (context IN ('full', 'partial')),
    finish_reason         text,
    confidence            real CHECK (confidence BETWEEN 0 AND 1),
    latency_ms            real CHECK (latency_ms >= 0),
    input_tokens          integer CHECK (input_tokens >= 0),
    output_tokens         integer CHECK (output_tokens >= 0),
    cost_usd              double precision CHECK (cost_usd >= 0),
    user_key              text,
    session_key           text,
    occurred_at           timestamptz NOT NULL CHECK (occurred_at >= '2000-01-01' AND occurred_at < '2100-01-01'),
    received_at           timestamptz NOT NULL DEFAULT now(),
    day                   date NOT NULL GENERATED ALWAYS AS ((LEAST(occurred_at, received_at) AT TIME ZONE ':zone')::date) STORED,
    source                text NOT NULL,
    source_id             text NOT NULL,
    provenance            text NOT NULL CHECK (provenance IN ('logged', 'server', 'import', 'browser')),
    inclusion_probability real NOT NULL DEFAULT 1 CHECK (inclusion_probability > 0 AND inclusion_probability <= 1),
    metadata              text,
    raw                   text
);
CREATE INDEX interaction_day ON interaction (day);
CREATE INDEX interaction_person ON interaction (tenant, user_key) WHERE user_key IS NOT NULL;
CREATE INDEX interaction_anonymous_session ON interaction (tenant, session_key)
    WHERE user_key IS NULL AND session_key IS NOT NULL;
CREATE INDEX interaction_anonymous_conversation ON interaction (tenant, conversation_id)
    WHERE user_key IS NULL AND conversation_id IS NOT NULL;

-- The caller's own names for an answer.
CREATE TABLE interaction_key (
    tenant         text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('request', 'message', 'content', 'interaction')),
    value          text NOT NULL,
    interaction_id uuid NOT NULL,
    PRIMARY KEY (tenant, kind, value, interaction_id)
);
CREATE INDEX interaction_key_interaction ON interaction_key (interaction_id);

CREATE TABLE feedback (
    id                   uuid PRIMARY KEY,
    tenant               text NOT NULL,
    interaction_id       uuid,  -- no foreign key: a vote may come before its answer
    key_kind             text,
    key_value            text,
    kind                 text NOT NULL CHECK (kind IN ('explicit', 'implicit', 'outcome', 'correction', 'preference', 'comment')),
    thumb                boolean,
    stars                smallint CHECK (stars BETWEEN 1 AND 5),
    value                text,
    comment              text,
    correction           text,
    reasons              text[] NOT NULL DEFAULT '{}',
    preference           text CHECK (preference IN ('this', 'other', 'tie')),
    other_interaction_id uuid,
    user_key             text,
    session_key          text,
    voter                text NOT NULL GENERATED ALWAYS AS (COALESCE(user_key, session_key, id::text)) STORED,
    occurred_at          timestamptz NOT NULL CHECK (occurred_at >= '2000-01-01' AND occurred_at < '2100-01-01'),
    received_at          timestamptz NOT NULL DEFAULT now(),
    day                  date NOT NULL GENERATED ALWAYS AS ((LEAST(occurred_at, received_at) AT TIME ZONE ':zone')::date) STORED,
    withdrawn            boolean NOT NULL DEFAULT false,
    superseded_by        uuid,
    supersedes           uuid,
    idempotency_key      text,
    source               text NOT NULL,
    source_id            text NOT NULL,
    raw                  text,
    CHECK (interaction_id IS NOT NULL OR key_value IS NOT NULL),
    CHECK (kind <> 'preference' OR withdrawn OR (preference IS NOT NULL AND other_interaction_id IS NOT NULL)),
    CHECK (kind <> 'correction' OR withdrawn OR correction IS NOT NULL),
    CHECK (kind <> 'comment' OR withdrawn OR comment IS NOT NULL),
    CHECK (kind <> 'explicit' OR withdrawn OR thumb IS NOT NULL OR stars IS NOT NULL),
    CHECK (kind NOT IN ('outcome', 'implicit') OR withdrawn OR value IS NOT NULL)
);
CREATE INDEX feedback_day ON feedback (day);
CREATE INDEX feedback_current ON feedback (interaction_id, voter, kind) WHERE superseded_by IS NULL;
CREATE INDEX feedback_waiting ON feedback (tenant, key_kind, key_value) WHERE interaction_id IS NULL;
CREATE INDEX feedback_person ON feedback (tenant, user_key) WHERE user_key IS NOT NULL;
CREATE INDEX feedback_other_interaction ON feedback (other_interaction_id) WHERE other_interaction_id IS NOT NULL;
-- For lists. Its condition is one that no query of the write path makes: on a small table the planner would take the
-- index for their look-ups, and a session keeps its plans while the table grows. Lists find a tenant's days in the
-- rollup first.
CREATE INDEX feedback_recent ON feedback (occurred_at, id) WHERE superseded_by IS NULL AND NOT withdrawn;
CREATE INDEX feedback_received ON feedback USING brin (received_at);
CREATE INDEX feedback_superseded ON feedback (superseded_by) WHERE superseded_by IS NOT NULL;
-- Rows that name nobody and still belong to somebody: by session, by conversation.
CREATE INDEX feedback_anonymous ON feedback (tenant, session_key) WHERE user_key IS NULL AND session_key IS NOT NULL;

-- Delivered rows that were refused, and repeated deliveries: what conservation counts beside the events.
CREATE TABLE refusal (
    id          uuid PRIMARY KEY,
    tenant      text NOT NULL,
    day         date NOT NULL,
    category    text NOT NULL CHECK (category IN ('quarantined', 'duplicate', 'opted_out')),
    source      text NOT NULL,
    place       text NOT NULL,
    field       text,
    reason      text NOT NULL,
    payload     text,
    state       text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'readmitted', 'discarded')),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refusal_day ON refusal (day);

-- How far an import of one file has come, so that a killed one goes on where it stopped.
CREATE TABLE import_progress (
    source      text NOT NULL,
    fingerprint text NOT NULL,
    rows_done   bigint NOT NULL,
    finished    boolean NOT NULL DEFAULT false,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, fingerprint)
);

-- One request that must not be carried out twice; kept for 24 hours.
CREATE TABLE idempotency (
    tenant      text NOT NULL,
    key         text NOT NULL,
    fingerprint bytea NOT NULL,  -- of the request, so that one key under two different requests is noticed
    feedback_id uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, tenant)
);
CREATE INDEX idempotency_age ON idempotency USING brin (created_at);

-- What people decided about feedback that is trained on only after somebody looked at it. It goes with its vote.
CREATE TABLE review (
    feedback_id uuid PRIMARY KEY REFERENCES feedback ON DELETE CASCADE,
    decision    text NOT NULL CHECK (decision IN ('accepted', 'rejected')),
    reviewer    text NOT NULL CHECK (reviewer <> ''),
    decided_at  timestamptz NOT NULL DEFAULT now()
);

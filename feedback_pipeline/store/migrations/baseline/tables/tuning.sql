-- Training files, fine-tuning runs and the models they gave.

CREATE TABLE dataset (
    id         text PRIMARY KEY,           -- content hash of the manifest
    week       date NOT NULL,
    manifest   jsonb NOT NULL,
    tainted_share double precision,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One example or pair of a dataset and what it came from; the lines it became are in the dataset's lineage table.
CREATE TABLE dataset_row (
    dataset_id      text NOT NULL REFERENCES dataset ON DELETE CASCADE,
    row_id          text NOT NULL,
    interaction_ids uuid[] NOT NULL,
    feedback_ids    uuid[] NOT NULL,
    weight          double precision NOT NULL,
    lines           integer NOT NULL,
    PRIMARY KEY (dataset_id, row_id)
);
CREATE INDEX dataset_row_interaction ON dataset_row USING gin (interaction_ids);
CREATE INDEX dataset_row_feedback ON dataset_row USING gin (feedback_ids);
-- The heaviest rows of a dataset, which are what people look at first.
CREATE INDEX dataset_row_weight ON dataset_row (dataset_id, weight DESC, row_id);

CREATE TABLE fine_tune_job (
    id              text PRIMARY KEY,      -- hash of dataset, base model and hyperparameters
    dataset_id      text NOT NULL,
    provider        text NOT NULL,
    base_model      text NOT NULL,
    state           text NOT NULL,
    provider_file   text,
    provider_job    text,
    result_model    text,
    estimated_usd   double precision,
    charged_usd     double precision,
    attempt         integer NOT NULL DEFAULT 1,
    detail          jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    week            date NOT NULL,              -- of the dataset
    method          text NOT NULL,
    request         jsonb NOT NULL,             -- files and settings, from which the run goes on after a crash
    examples        integer NOT NULL,
    version         integer NOT NULL DEFAULT 0, -- grows with every change
    since           timestamptz NOT NULL,       -- when the state was entered
    validation_file text,
    reported        text,                       -- the provider's last word
    trained_tokens  bigint,
    misses          integer NOT NULL DEFAULT 0,
    reason          text,
    usd_per_million double precision,
    losses          jsonb NOT NULL DEFAULT '[]',
    announced       boolean NOT NULL DEFAULT false, -- the provider spoke of it since the last look
    looked_at       timestamptz,
    CONSTRAINT fine_tune_job_state CHECK (state IN (
        'planned', 'uploading', 'uploaded', 'creating', 'following',
        'succeeded', 'failed', 'cancelled', 'not_run', 'lost', 'refused'))
);
CREATE INDEX fine_tune_job_dataset ON fine_tune_job (dataset_id);
CREATE INDEX fine_tune_job_week ON fine_tune_job (week);

-- Every state a run went through, written with the change itself.
CREATE TABLE fine_tune_event (
    job_id   text NOT NULL REFERENCES fine_tune_job,
    version  integer NOT NULL,
    state    text NOT NULL,
    reported text,
    reason   text,
    at       timestamptz NOT NULL,
    PRIMARY KEY (job_id, version)
);

-- Deliveries that were taken, so that a repeated one is none.
CREATE TABLE provider_event (
    id          text PRIMARY KEY,
    received_at timestamptz NOT NULL
);
CREATE INDEX provider_event_received ON provider_event (received_at);

CREATE TABLE model (
    name           text PRIMARY KEY,
    base           text,
    provider       text,
    state          text NOT NULL CHECK (state IN ('base', 'candidate', 'approved', 'promoted', 'retired', 'tainted')),
    shutdown_date  date,
    tainted_share  double precision,
    created_at     timestamptz NOT NULL DEFAULT now(),
    job_id         text REFERENCES fine_tune_job,
    dataset_id     text,
    week           date
);
CREATE INDEX model_job ON model (job_id);

-- What a candidate scored, by the hash of everything that was measured; an approval names that hash.
CREATE TABLE model_evaluation (
    content_hash text PRIMARY KEY,
    model        text NOT NULL REFERENCES model,
    incumbent    text NOT NULL,
    passed       boolean NOT NULL,
    detail       jsonb NOT NULL,              -- measures and reasons; no text of users
    evaluated_at timestamptz NOT NULL
);
CREATE INDEX model_evaluation_model ON model_evaluation (model, evaluated_at);

CREATE TABLE approval (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    text NOT NULL,
    content_hash text NOT NULL,
    decision   text NOT NULL CHECK (decision IN ('approved', 'rejected', 'revoked')),
    approver   text NOT NULL,
    reason     text,
    signature  text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now()
);

-- The model that answers under a name.
CREATE TABLE model_alias (
    alias    text PRIMARY KEY,
    model    text NOT NULL REFERENCES model,
    previous text REFERENCES model,
    since    timestamptz NOT NULL
);

-- Every change of it.
CREATE TABLE model_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alias       text NOT NULL,
    event       text NOT NULL CHECK (event IN ('promoted', 'rolled_back', 'expired')),
    model       text NOT NULL REFERENCES model,   -- that answers from now on
    previous    text REFERENCES model,
    approval_id bigint REFERENCES approval,
    person      text,                             -- null: by the pipeline
    reason      text,
    at          timestamptz NOT NULL
);
CREATE INDEX model_event_model ON model_event (model);

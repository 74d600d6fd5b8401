-- Fine-tuning: the ledger in full, evaluations of candidates, which model answers, and every change of it.

ALTER TABLE fine_tune_job
    ADD COLUMN week            date NOT NULL,           -- of the dataset
    ADD COLUMN method          text NOT NULL,
    ADD COLUMN request         jsonb NOT NULL,          -- files and settings, from which the run goes on after a crash
    ADD COLUMN examples        integer NOT NULL,
    ADD COLUMN version         integer NOT NULL DEFAULT 0,  -- grows with every change
    ADD COLUMN since           timestamptz NOT NULL,    -- when the state was entered
    ADD COLUMN validation_file text,
    ADD COLUMN reported        text,                    -- the provider's last word
    ADD COLUMN trained_tokens  bigint,
    ADD COLUMN misses          integer NOT NULL DEFAULT 0,
    ADD COLUMN reason          text,
    ADD COLUMN usd_per_million double precision,
    ADD COLUMN losses          jsonb NOT NULL DEFAULT '[]',
    ADD CONSTRAINT fine_tune_job_state CHECK (state IN (
        'planned', 'uploading', 'uploaded', 'creating', 'following',
        'succeeded', 'failed', 'cancelled', 'not_run', 'lost', 'refused'));
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
CREATE TRIGGER fine_tune_event_append_only BEFORE UPDATE OR DELETE ON fine_tune_event
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

ALTER TABLE model
    ADD COLUMN job_id     text REFERENCES fine_tune_job,
    ADD COLUMN dataset_id text,
    ADD COLUMN week       date;
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
CREATE TRIGGER model_event_append_only BEFORE UPDATE OR DELETE ON model_event
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

-- The heaviest rows of a dataset, which are what people look at first.
CREATE INDEX dataset_row_weight ON dataset_row (dataset_id, weight DESC, row_id);

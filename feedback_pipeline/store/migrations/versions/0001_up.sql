-- The store: answers, votes as events, their bookkeeping, and the tables later stages write to.
-- :zone is the configured time zone, fixed here: days are cut in it for ever.

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
    tenant                text NOT NULL REFERENCES tenant,
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

-- The caller's own names for an answer.
CREATE TABLE interaction_key (
    tenant         text NOT NULL REFERENCES tenant,
    kind           text NOT NULL CHECK (kind IN ('request', 'message', 'content', 'interaction')),
    value          text NOT NULL,
    interaction_id uuid NOT NULL,
    PRIMARY KEY (tenant, kind, value, interaction_id)
);
CREATE INDEX interaction_key_interaction ON interaction_key (interaction_id);

CREATE TABLE feedback (
    id                   uuid PRIMARY KEY,
    tenant               text NOT NULL REFERENCES tenant,
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

-- Days whose contents changed. A row is evidence of one change and is taken away by whoever folds it into `day_state`,
-- in one transaction: a writer that commits late leaves its rows for the next fold, so none is lost.
CREATE TABLE change (
    day  date NOT NULL,
    txid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE TABLE day_state (
    day       date PRIMARY KEY,
    version   bigint NOT NULL DEFAULT 0,   -- grows with every fold that touched the day
    requested bigint NOT NULL DEFAULT 0,   -- version the newest run was asked for
    computed  bigint NOT NULL DEFAULT 0,   -- version the newest successful run was asked for
    run_key   text,                        -- of the newest request
    attempts  integer NOT NULL DEFAULT 0,  -- failures in a row
    problem   text,                        -- why the last run of this day failed: codes and numbers only
    sealed    boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE week_state (
    week      date PRIMARY KEY,            -- its Monday
    revision  integer NOT NULL DEFAULT 0,  -- of its report, counted after the week closed
    content_hash text                      -- of the report's content, revision apart
);

CREATE TABLE model (
    name           text PRIMARY KEY,
    base           text,
    provider       text,
    state          text NOT NULL CHECK (state IN ('base', 'candidate', 'approved', 'promoted', 'retired', 'tainted')),
    shutdown_date  date,
    tainted_share  double precision,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE experiment (
    name       text PRIMARY KEY,
    arms       jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
CREATE TABLE assignment (
    experiment  text NOT NULL REFERENCES experiment,
    unit        text NOT NULL,
    variant     text NOT NULL,
    propensity  double precision NOT NULL CHECK (propensity > 0 AND propensity <= 1),
    assigned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (experiment, unit)
);
CREATE TABLE shadow_run (
    id             uuid PRIMARY KEY,
    interaction_id uuid NOT NULL,
    model          text NOT NULL,
    output         text,
    latency_ms     real,
    occurred_at    timestamptz NOT NULL DEFAULT now()
);
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
    updated_at      timestamptz NOT NULL DEFAULT now()
);
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
CREATE TABLE alert (
    id           uuid PRIMARY KEY,
    kind         text NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('warn', 'error')),
    slice        jsonb NOT NULL DEFAULT '{}',
    numbers      jsonb NOT NULL DEFAULT '{}',
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'closed')),
    real         boolean,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    notified_at  timestamptz,
    closed_at    timestamptz
);
CREATE TABLE erasure (
    id           uuid PRIMARY KEY,
    subject_hash text NOT NULL,
    state        text NOT NULL,
    steps        jsonb NOT NULL DEFAULT '{}',
    receipt      jsonb,
    requested_at timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
CREATE TABLE api_key (
    id         uuid PRIMARY KEY,
    tenant     text NOT NULL REFERENCES tenant,
    name       text NOT NULL,
    hash       bytea NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);

CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME;
END $$;
CREATE TRIGGER approval_append_only BEFORE UPDATE OR DELETE ON approval
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

-- Which days a statement touched. Waiting votes and other votes of the same person on the same answer take part in each
-- other's result, so their days change too.
CREATE FUNCTION feedback_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT other.day FROM new_rows JOIN feedback other
        ON other.interaction_id = new_rows.interaction_id AND other.voter = new_rows.voter
        AND other.superseded_by IS NULL AND other.kind <> new_rows.kind AND other.day <> new_rows.day;
    RETURN NULL;
END $$;
CREATE FUNCTION feedback_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT o.day FROM old_rows o JOIN new_rows n USING (id) WHERE o IS DISTINCT FROM n
    UNION
    SELECT n.day FROM old_rows o JOIN new_rows n USING (id) WHERE o IS DISTINCT FROM n
    UNION
    SELECT other.day FROM old_rows o JOIN new_rows n USING (id) JOIN feedback other
        ON other.interaction_id = n.interaction_id AND other.voter = n.voter AND other.superseded_by IS NULL
        AND other.day <> n.day
    WHERE o IS DISTINCT FROM n;
    RETURN NULL;
END $$;
CREATE FUNCTION feedback_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day) SELECT DISTINCT day FROM old_rows;
    RETURN NULL;
END $$;
CREATE TRIGGER feedback_inserted AFTER INSERT ON feedback
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_inserted();
CREATE TRIGGER feedback_updated AFTER UPDATE ON feedback
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_updated();
CREATE TRIGGER feedback_deleted AFTER DELETE ON feedback
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_deleted();

CREATE FUNCTION interaction_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM new_rows
    UNION
    SELECT f.day FROM new_rows JOIN feedback f ON f.interaction_id = new_rows.id
    UNION
    SELECT f.day FROM new_rows JOIN feedback f ON f.other_interaction_id = new_rows.id;
    RETURN NULL;
END $$;
CREATE FUNCTION interaction_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT o.day FROM old_rows o JOIN new_rows n USING (id) WHERE o IS DISTINCT FROM n
    UNION
    SELECT n.day FROM old_rows o JOIN new_rows n USING (id) WHERE o IS DISTINCT FROM n
    UNION
    SELECT f.day FROM old_rows o JOIN new_rows n USING (id) JOIN feedback f ON f.interaction_id = n.id
    WHERE o IS DISTINCT FROM n;
    RETURN NULL;
END $$;
CREATE FUNCTION interaction_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT day FROM old_rows
    UNION
    SELECT f.day FROM old_rows JOIN feedback f ON f.interaction_id = old_rows.id;
    RETURN NULL;
END $$;
CREATE TRIGGER interaction_inserted AFTER INSERT ON interaction
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_inserted();
CREATE TRIGGER interaction_updated AFTER UPDATE ON interaction
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_updated();
CREATE TRIGGER interaction_deleted AFTER DELETE ON interaction
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_deleted();
CREATE INDEX feedback_other_interaction ON feedback (other_interaction_id) WHERE other_interaction_id IS NOT NULL;

CREATE FUNCTION refusal_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day) SELECT DISTINCT day FROM changed_rows;
    RETURN NULL;
END $$;
CREATE TRIGGER refusal_inserted AFTER INSERT ON refusal
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION refusal_changed();
CREATE TRIGGER refusal_updated AFTER UPDATE ON refusal
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION refusal_changed();
CREATE TRIGGER refusal_deleted AFTER DELETE ON refusal
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION refusal_changed();

-- A change of consent touches every day on which the person wrote or voted.
CREATE FUNCTION consent_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change (day)
    SELECT f.day FROM changed_rows c JOIN feedback f USING (tenant, user_key)
    UNION
    SELECT i.day FROM changed_rows c JOIN interaction i USING (tenant, user_key);
    RETURN NULL;
END $$;
CREATE TRIGGER consent_inserted AFTER INSERT ON consent
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION consent_changed();
CREATE TRIGGER consent_updated AFTER UPDATE ON consent
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION consent_changed();

-- One current vote per tenant, person, answer and kind (and other answer, for a preference): the latest event. Earlier
-- ones point at the event that followed them.
CREATE FUNCTION settle_votes(interactions uuid[]) RETURNS bigint LANGUAGE sql AS $$
    WITH ordered AS (
        SELECT e.id, lead(e.id) OVER (
            PARTITION BY e.tenant, e.interaction_id, e.voter, e.kind, e.other_interaction_id
            ORDER BY e.occurred_at, e.received_at, e.id
        ) AS next_id
        FROM feedback e
        WHERE e.interaction_id = ANY (interactions)
    ), settled AS (
        UPDATE feedback f SET superseded_by = ordered.next_id
        FROM ordered
        WHERE f.id = ordered.id AND f.superseded_by IS DISTINCT FROM ordered.next_id
        RETURNING 1
    )
    SELECT count(*) FROM settled
$$;

-- An answer that arrives under a name that votes are waiting for is given to them.
CREATE FUNCTION interaction_key_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE feedback f SET interaction_id = k.interaction_id
    FROM new_rows k
    WHERE f.interaction_id IS NULL AND f.tenant = k.tenant AND f.key_kind = k.kind AND f.key_value = k.value;
    IF FOUND THEN
        PERFORM settle_votes(array_agg(interaction_id)) FROM new_rows;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER interaction_key_inserted AFTER INSERT ON interaction_key
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_key_inserted();

-- For people who query SQL (names kept from the system this replaces).
CREATE VIEW current_feedback AS
SELECT f.*, i.model, i.intent, i.project, i.prompt_version
FROM feedback f JOIN interaction i ON i.id = f.interaction_id
WHERE f.superseded_by IS NULL AND NOT f.withdrawn;

CREATE VIEW model_accuracy_by_intent AS
SELECT model, intent, project,
       count(*) FILTER (WHERE thumb IS NOT NULL)                       AS total,
       count(*) FILTER (WHERE thumb)                                   AS positive,
       count(*) FILTER (WHERE NOT thumb)                               AS negative,
       round(100.0 * count(*) FILTER (WHERE thumb) / NULLIF(count(*) FILTER (WHERE thumb IS NOT NULL), 0), 2) AS accuracy
FROM current_feedback WHERE kind = 'explicit'
GROUP BY model, intent, project;

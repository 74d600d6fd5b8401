-- Experiments, who got which arm and saw it, shadow runs, prompts and their candidates, answers somebody was asked
-- about.
-- The baseline's experiments had no tenant and no version; nothing was decided with them.
ALTER TABLE assignment DROP CONSTRAINT assignment_experiment_fkey;
ALTER TABLE experiment DROP CONSTRAINT experiment_pkey;
ALTER TABLE experiment
    ADD COLUMN tenant     text NOT NULL DEFAULT 'default' REFERENCES tenant,
    ADD COLUMN state      text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'running', 'stopped', 'concluded')),
    ADD COLUMN version    integer NOT NULL DEFAULT 1,   -- the newest
    ADD COLUMN coverage   double precision NOT NULL DEFAULT 1 CHECK (coverage >= 0 AND coverage <= 1),
    ADD COLUMN plan       jsonb,                        -- people waited for, smallest difference, guardrails, ramp
    ADD COLUMN adaptive   boolean NOT NULL DEFAULT false,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN conclusion text,
    ALTER COLUMN arms DROP NOT NULL,                    -- of the versions now
    ALTER COLUMN started_at DROP NOT NULL,
    ALTER COLUMN started_at DROP DEFAULT,
    ADD PRIMARY KEY (tenant, name);
ALTER TABLE experiment ALTER COLUMN tenant DROP DEFAULT;

-- What is decided with: never changed, a change makes another one.
CREATE TABLE experiment_version (
    tenant     text NOT NULL,
    experiment text NOT NULL,
    version    integer NOT NULL,
    definition jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, experiment, version),
    FOREIGN KEY (tenant, experiment) REFERENCES experiment
);
CREATE TRIGGER experiment_version_append_only BEFORE UPDATE ON experiment_version
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

CREATE TABLE experiment_event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant     text NOT NULL,
    experiment text NOT NULL,
    version    integer NOT NULL,
    event      text NOT NULL CHECK (event IN ('created', 'changed', 'started', 'ramped', 'stopped', 'concluded')),
    coverage   double precision,
    person     text,                                  -- null: by the pipeline
    reason     text,
    at         timestamptz NOT NULL,
    FOREIGN KEY (tenant, experiment) REFERENCES experiment
);
CREATE TRIGGER experiment_event_append_only BEFORE UPDATE ON experiment_event
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

-- The arm a person, session or conversation got first; it keeps it. Experiments that nobody registered have rows, too.
ALTER TABLE assignment DROP CONSTRAINT assignment_pkey;
ALTER TABLE assignment
    ADD COLUMN tenant  text NOT NULL DEFAULT 'default',
    ADD COLUMN version integer NOT NULL DEFAULT 0,
    ADD COLUMN leaf    integer,
    ALTER COLUMN propensity DROP NOT NULL,              -- null where the application did not say
    ADD PRIMARY KEY (tenant, experiment, unit);         -- unit: pseudonym of a person or session, or a conversation's id
ALTER TABLE assignment ALTER COLUMN tenant DROP DEFAULT;
CREATE TRIGGER assignment_never_changed BEFORE UPDATE ON assignment
    FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE INDEX assignment_unit ON assignment (tenant, unit);

-- The arm was used for an answer.
CREATE TABLE exposure (
    tenant      text NOT NULL,
    experiment  text NOT NULL,
    unit        text NOT NULL,
    request_id  text NOT NULL,
    version     integer NOT NULL DEFAULT 0,
    variant     text NOT NULL,
    propensity  double precision CHECK (propensity > 0 AND propensity <= 1),
    leaf        integer,
    exposed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, experiment, unit, request_id)
);
CREATE INDEX exposure_time ON exposure (tenant, experiment, exposed_at);
CREATE INDEX exposure_unit ON exposure (tenant, unit);

-- The arm a unit has, assigned now unless it was before.
CREATE FUNCTION assign_unit(
    of_tenant text, of_experiment text, of_unit text, in_version integer, to_variant text, with_propensity double precision,
    in_leaf integer
) RETURNS TABLE (variant text, propensity double precision, leaf integer) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT a.variant, a.propensity, a.leaf FROM assignment a
        WHERE a.tenant = of_tenant AND a.experiment = of_experiment AND a.unit = of_unit;
    IF FOUND OR to_variant IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO assignment (tenant, experiment, unit, version, variant, propensity, leaf)
        VALUES (of_tenant, of_experiment, of_unit, in_version, to_variant, with_propensity, in_leaf)
        ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT a.variant, a.propensity, a.leaf FROM assignment a
        WHERE a.tenant = of_tenant AND a.experiment = of_experiment AND a.unit = of_unit;
END $$;

-- Weights of an adaptive experiment by day, as computed and as served.
CREATE TABLE routing_weight (
    tenant     text NOT NULL,
    experiment text NOT NULL,
    day        date NOT NULL,
    version    integer NOT NULL,                      -- of the experiment that these weights became
    PRIMARY KEY (tenant, experiment, day)
);

-- What a candidate would have answered: never shown, never voted on, never trained on. `model` names the candidate.
ALTER TABLE shadow_run
    ADD COLUMN tenant     text NOT NULL DEFAULT 'default',
    ADD COLUMN request_id text,                       -- of the answer that was shown
    ADD COLUMN status     text NOT NULL DEFAULT 'ok' CHECK (status IN ('ok', 'failed', 'late')),
    ADD COLUMN cost_usd   double precision,
    ALTER COLUMN interaction_id DROP NOT NULL;        -- that answer, once it is known
ALTER TABLE shadow_run ALTER COLUMN tenant DROP DEFAULT;
CREATE UNIQUE INDEX shadow_run_request ON shadow_run (tenant, model, request_id);
CREATE INDEX shadow_run_time ON shadow_run (tenant, occurred_at);
CREATE INDEX shadow_run_interaction ON shadow_run (interaction_id);

-- Which answers people were asked about, and with which probability they might have been. One person's answer is named
-- by its request; content that many see has a row a session.
CREATE TABLE ask (
    tenant      text NOT NULL,
    kind        text NOT NULL DEFAULT 'request' CHECK (kind IN ('request', 'content')),
    value       text NOT NULL,                        -- the answer's name, as in interaction_key
    unit        text NOT NULL,                        -- pseudonym of the session
    voter       text NOT NULL,                        -- pseudonym that a vote of this person carries
    asked       boolean NOT NULL,
    probability double precision NOT NULL CHECK (probability >= 0 AND probability <= 1),
    decided_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, kind, value, unit)
);
CREATE INDEX ask_unit ON ask (tenant, unit, decided_at);
CREATE INDEX ask_time ON ask (tenant, decided_at);

-- Whether somebody is asked about an answer: drawn once, and never again in a session that was asked. Two tabs of one
-- session wait for each other.
CREATE FUNCTION decide_ask(
    of_tenant text, its_kind text, its_value text, of_unit text, of_voter text, draw double precision,
    share double precision
) RETURNS TABLE (asked boolean, probability double precision) LANGUAGE plpgsql AS $$
DECLARE
    looked bigint;
    was_asked boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of_tenant || ' ask ' || of_unit, 0));
    RETURN QUERY SELECT a.asked, a.probability FROM ask a
        WHERE (a.tenant, a.kind, a.value, a.unit) = (of_tenant, its_kind, its_value, of_unit);
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT count(*), COALESCE(bool_or(a.asked), false) INTO looked, was_asked FROM ask a
        WHERE a.tenant = of_tenant AND a.unit = of_unit AND a.decided_at > now() - interval '1 day';
    -- of being the one that is asked in this session, seen from its start
    RETURN QUERY INSERT INTO ask AS a (tenant, kind, value, unit, voter, asked, probability)
        VALUES (of_tenant, its_kind, its_value, of_unit, of_voter, NOT was_asked AND draw < share,
                share * power(1 - share, looked))
        RETURNING a.asked, a.probability;
END
$$;

-- Prompts: where a version came from, and what it answers.
ALTER TABLE prompt
    ADD COLUMN IF NOT EXISTS parent      text,
    ADD COLUMN IF NOT EXISTS origin      text NOT NULL DEFAULT 'written' CHECK (origin IN ('written', 'file', 'proposed')),
    ADD COLUMN IF NOT EXISTS digest      text,
    ADD COLUMN IF NOT EXISTS proposal    jsonb,       -- findings and answers it answers, by id; optimiser, week
    ADD COLUMN IF NOT EXISTS added_by    text;

-- Candidates are models or prompts: one registry, one gate, one way to approve, promote and go back.
ALTER TABLE model ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'model' CHECK (kind IN ('model', 'prompt'));

-- A prompt by label for the API, whose role does not see the candidates: `production` is what was promoted (else the
-- version that was written first), `latest` the newest, anything else a version.
CREATE FUNCTION labelled_prompt(of_tenant text, of_name text, label text)
RETURNS TABLE (version text, template text, digest text, since timestamptz) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.version, p.template, p.digest, COALESCE(a.since, p.created_at)
    FROM prompt p
    LEFT JOIN model_alias a ON a.alias = 'prompt:' || of_tenant || '/' || of_name
    WHERE p.tenant = of_tenant AND p.name = of_name AND p.template IS NOT NULL
      AND of_tenant = current_setting('feedback.tenant', true)
      AND CASE label
          WHEN 'production' THEN a.model IS NULL OR a.model = 'prompt:' || of_tenant || '/' || of_name || '@' || p.version
          WHEN 'latest' THEN true
          ELSE p.version = label END
    ORDER BY CASE WHEN label = 'production' THEN p.created_at END ASC, p.created_at DESC, p.version DESC
    LIMIT 1
$$;

-- Who may do what. Belongs to no revision and may be run any number of times: it is run after every change of this file
-- and wherever the rights are not as it grants them.

-- ---------------------------------------------------------------- tenants kept apart
-- The second lock: whatever a query forgets, the API's role sees and writes rows of the tenant it set, and no others.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['interaction', 'interaction_key', 'feedback', 'consent', 'refusal', 'idempotency',
        'vote_total', 'vote_day', 'vote_delta', 'action_day', 'person_day', 'person_delta', 'prompt', 'export_use',
        'tag_seen', 'people_sketch', 'people_sketch_day',
        'experiment', 'experiment_version', 'experiment_event', 'assignment', 'exposure', 'shadow_run', 'ask',
        'routing_weight', 'export_file']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS tenant_only ON %I', name);
        EXECUTE format(
            'CREATE POLICY tenant_only ON %I TO feedback_api
             USING (tenant = (SELECT current_setting(''feedback.tenant'', true)))
             WITH CHECK (tenant = (SELECT current_setting(''feedback.tenant'', true)))', name);
    END LOOP;
END $$;

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_only ON tenant;
CREATE POLICY tenant_only ON tenant TO feedback_api USING (name = (SELECT current_setting('feedback.tenant', true)));

-- ---------------------------------------------------------------- capture
GRANT USAGE ON SCHEMA public TO feedback_api;
GRANT SELECT, INSERT ON interaction, interaction_key, feedback, refusal, idempotency, export_use, tag_seen TO feedback_api;
GRANT UPDATE (superseded_by, interaction_id) ON feedback TO feedback_api;
GRANT UPDATE (fingerprint, feedback_id, created_at) ON idempotency TO feedback_api;
GRANT SELECT ON consent, tenant, prompt, setting, vote_total, vote_day, vote_delta, action_day, person_day, person_delta
    TO feedback_api;
GRANT INSERT ON change TO feedback_api;
GRANT SELECT ON alert TO feedback_api;
REVOKE EXECUTE ON FUNCTION record_counts, record_people, fold_counts, claim_waiting_votes, match_votes, sweep_capture,
    use_token, take_allowance, find_api_key, announce_job, get_weekly_finetuning_dataset, open_session, close_session,
    find_session, find_token_key, bind_arrived, carry_votes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION use_token, take_allowance, find_api_key, announce_job, open_session, close_session,
    find_session, find_token_key, carry_votes TO feedback_api;

-- ---------------------------------------------------------------- console
-- The audit: the API's role sees the items and labels of answers it may see, and adds labels to them; it can neither
-- change nor remove any.
ALTER TABLE audit_item ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_only ON audit_item;
CREATE POLICY tenant_only ON audit_item TO feedback_api
    USING (EXISTS (SELECT FROM interaction i WHERE i.id = audit_item.interaction_id));

ALTER TABLE audit_label ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_only ON audit_label;
CREATE POLICY tenant_only ON audit_label TO feedback_api
    USING (EXISTS (SELECT FROM audit_item a WHERE a.interaction_id = audit_label.interaction_id))
    WITH CHECK (EXISTS (SELECT FROM audit_item a WHERE a.interaction_id = audit_label.interaction_id));
GRANT SELECT ON audit_item TO feedback_api;
GRANT SELECT, INSERT ON audit_label TO feedback_api;

-- ---------------------------------------------------------------- privacy
-- The API notes what it exports, and what was read, exported or changed; it can take none of that back.
GRANT INSERT (id, place, tenant, first_day, last_day, format, made_by) ON export_file TO feedback_api;
GRANT SELECT, UPDATE (lines, sha256) ON export_file TO feedback_api;
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_only ON audit_log;
CREATE POLICY tenant_only ON audit_log FOR INSERT TO feedback_api
    WITH CHECK (tenant = (SELECT current_setting('feedback.tenant', true)));
GRANT INSERT (actor, action, tenant, detail) ON audit_log TO feedback_api;
REVOKE EXECUTE ON FUNCTION chain_audit_log FROM PUBLIC;

-- ---------------------------------------------------------------- operations and Dagster

-- ---------------------------------------------------------------- experiments
-- Definitions are made with the command; the API's role moves experiments on, and adds what applications report.
GRANT SELECT ON experiment, experiment_version, experiment_event TO feedback_api;
GRANT UPDATE (state, coverage, started_at, ended_at, conclusion) ON experiment TO feedback_api;
GRANT INSERT ON experiment_event TO feedback_api;
GRANT SELECT, INSERT ON assignment, exposure, shadow_run, ask TO feedback_api;
REVOKE EXECUTE ON FUNCTION labelled_prompt, file_evaluations FROM PUBLIC;
GRANT EXECUTE ON FUNCTION labelled_prompt, file_evaluations TO feedback_api;

-- ---------------------------------------------------------------- numbers
-- The views read as whoever asks, so that the tables' policies hold.
GRANT SELECT ON feedback_votes, model_accuracy_by_intent, people_sketch, people_sketch_day TO feedback_api;
REVOKE EXECUTE ON FUNCTION feedback_people_out, people_sketch_due, sketch_people FROM PUBLIC;

-- ---------------------------------------------------------------- intake

-- ---------------------------------------------------------------- tuning and training

-- ---------------------------------------------------------------- compute
-- Last, as it is about every table there is: rows of all tenants, but no definition, and nothing of the audit log back.
DO $$
DECLARE
    name text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'feedback_compute') THEN
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA public TO feedback_compute;
    -- of what is ours: others may have tables and functions in the same schema. Taken first, so that the same rights
    -- always stand in the same order
    FOR name IN SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
            AND pg_has_role(current_user, c.relowner, 'USAGE')
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM feedback_compute', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO feedback_compute', name);
    END LOOP;
    FOR name IN SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' AND pg_has_role(current_user, c.relowner, 'USAGE')
    LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO feedback_compute', name);
    END LOOP;
    FOR name IN SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND pg_has_role(current_user, p.proowner, 'USAGE')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM feedback_compute', name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO feedback_compute', name);
    END LOOP;
    REVOKE UPDATE, DELETE ON audit_log, audit_seal FROM feedback_compute;
    REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM feedback_compute;
    FOR name IN SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
            AND pg_has_role(current_user, c.relowner, 'USAGE')
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS of_all_tenants ON %I', name);
        EXECUTE format('CREATE POLICY of_all_tenants ON %I TO feedback_compute USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

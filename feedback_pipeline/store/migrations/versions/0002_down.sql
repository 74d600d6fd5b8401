DROP FUNCTION get_weekly_finetuning_dataset, sweep_capture, take_allowance, use_token, find_api_key, claim_waiting_votes,
    file_votes, file_answers;
DROP TYPE vote_row, answer_row, name_row;
DROP TRIGGER feedback_counted_in ON feedback;
DROP TRIGGER feedback_recounted ON feedback;
DROP TRIGGER feedback_counted_out ON feedback;
DROP TRIGGER interaction_counted_in ON interaction;
DROP TRIGGER interaction_recounted ON interaction;
DROP TRIGGER interaction_counted_out ON interaction;
DROP FUNCTION feedback_counted_in, feedback_recounted, feedback_counted_out, interaction_counted_in,
    interaction_recounted, interaction_counted_out, match_votes, fold_counts, record_people, record_counts;
DROP TYPE counted_vote;
DROP TABLE rate_window, token_use, vote_unmatched, person_day, person_delta, person_seen, action_day, vote_day, vote_total,
    vote_delta, idempotency;
DROP INDEX consent_refused, feedback_recent, feedback_received, feedback_superseded;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['interaction', 'interaction_key', 'feedback', 'consent', 'refusal', 'prompt', 'tenant'] LOOP
        EXECUTE format('DROP POLICY tenant_only ON %I', name);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;
-- The role belongs to the whole server and may serve other databases: only its rights here go.
DROP OWNED BY feedback_api;

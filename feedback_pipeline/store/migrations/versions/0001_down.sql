DROP VIEW model_accuracy_by_intent, current_feedback;
DROP TABLE api_key, erasure, alert, approval, fine_tune_job, dataset_row, dataset, judgement, shadow_run, assignment,
    experiment, model, week_state, day_state, change, import_progress, refusal, feedback, interaction_key, interaction,
    prompt, consent, tenant, setting;
DROP FUNCTION forbid_change, feedback_inserted, feedback_updated, feedback_deleted, interaction_inserted,
    interaction_updated, interaction_deleted, refusal_changed, consent_changed, interaction_key_inserted, settle_votes;

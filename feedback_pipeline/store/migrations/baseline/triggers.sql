-- What runs at which write. Triggers of one table fire in the order of their names.

CREATE TRIGGER feedback_inserted AFTER INSERT ON feedback
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_inserted();
CREATE TRIGGER feedback_updated AFTER UPDATE ON feedback
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_updated();
CREATE TRIGGER feedback_deleted AFTER DELETE ON feedback
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_deleted();
CREATE TRIGGER feedback_counted_in AFTER INSERT ON feedback
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_counted_in();
CREATE TRIGGER feedback_recounted AFTER UPDATE ON feedback
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_recounted();
CREATE TRIGGER feedback_counted_out AFTER DELETE ON feedback
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION feedback_counted_out();

CREATE TRIGGER interaction_inserted AFTER INSERT ON interaction
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_inserted();
CREATE TRIGGER interaction_updated AFTER UPDATE ON interaction
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_updated();
CREATE TRIGGER interaction_deleted AFTER DELETE ON interaction
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_deleted();
CREATE TRIGGER interaction_counted_in AFTER INSERT ON interaction
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_counted_in();
CREATE TRIGGER interaction_recounted AFTER UPDATE ON interaction
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_recounted();
CREATE TRIGGER interaction_counted_out AFTER DELETE ON interaction
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_counted_out();

CREATE TRIGGER interaction_key_inserted AFTER INSERT ON interaction_key
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION interaction_key_inserted();

CREATE TRIGGER refusal_inserted AFTER INSERT ON refusal
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION refusal_changed();
CREATE TRIGGER refusal_updated AFTER UPDATE ON refusal
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION refusal_changed();
CREATE TRIGGER refusal_deleted AFTER DELETE ON refusal
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION refusal_changed();

CREATE TRIGGER consent_inserted AFTER INSERT ON consent
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION consent_changed();
CREATE TRIGGER consent_updated AFTER UPDATE ON consent
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION consent_changed();

CREATE TRIGGER day_state_expired BEFORE INSERT OR UPDATE ON day_state
    FOR EACH ROW WHEN (NEW.expired) EXECUTE FUNCTION keep_expired_days();

CREATE TRIGGER approval_append_only BEFORE UPDATE OR DELETE ON approval
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

CREATE TRIGGER action_event_append_only BEFORE UPDATE OR DELETE ON action_event
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

CREATE TRIGGER fine_tune_event_append_only BEFORE UPDATE OR DELETE ON fine_tune_event
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

CREATE TRIGGER model_event_append_only BEFORE UPDATE OR DELETE ON model_event
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

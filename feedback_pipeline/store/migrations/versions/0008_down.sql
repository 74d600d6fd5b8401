DROP FUNCTION announce_job;
DROP TABLE provider_event;
ALTER TABLE fine_tune_job DROP COLUMN announced, DROP COLUMN looked_at;

DROP TABLE model_event, model_alias, model_evaluation, fine_tune_event;
ALTER TABLE model DROP COLUMN job_id, DROP COLUMN dataset_id, DROP COLUMN week;
ALTER TABLE fine_tune_job
    DROP CONSTRAINT fine_tune_job_state,
    DROP COLUMN week, DROP COLUMN method, DROP COLUMN request, DROP COLUMN examples, DROP COLUMN version,
    DROP COLUMN since, DROP COLUMN validation_file, DROP COLUMN reported, DROP COLUMN trained_tokens,
    DROP COLUMN misses, DROP COLUMN reason, DROP COLUMN usd_per_million, DROP COLUMN losses;
DROP INDEX fine_tune_job_dataset;
DROP INDEX IF EXISTS dataset_row_weight;

-- What a month's runs have cost, a run whose bill is not known counted at its highest estimate.
SELECT COALESCE(sum(COALESCE(charged_usd, estimated_usd)), 0)
FROM fine_tune_job
WHERE created_at >= :month AND state NOT IN ('refused', 'not_run')

-- Files of these datasets at providers: the id that was noted, where an answer came back, and the hash that names them.
SELECT DISTINCT j.provider, file.id AS file, file.sha256 FROM fine_tune_job j
CROSS JOIN LATERAL (VALUES (j.provider_file, j.request #>> '{training,sha256}'),
    (j.validation_file, j.request #>> '{validation,sha256}')) file (id, sha256)
WHERE j.dataset_id = ANY (CAST(:datasets AS text[])) AND (file.id IS NOT NULL OR file.sha256 IS NOT NULL)
ORDER BY 1, 2, 3

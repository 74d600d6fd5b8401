-- By which source votes came in.
SELECT f.id::text AS feedback_id, f.source AS vote_source FROM feedback f WHERE f.id = ANY (CAST(:ids AS uuid[]))

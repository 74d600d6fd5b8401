-- Verdicts by judges outside this pipeline on pairs of answers of which people voted on a day of the week.
SELECT DISTINCT
    j.fingerprint, j.interaction_id::text AS interaction_id, j.other_interaction_id::text AS other_interaction_id,
    j.criterion, j.result ->> 'preference' AS verdict
FROM judgement j
JOIN feedback f
    ON (f.interaction_id = j.interaction_id AND f.other_interaction_id = j.other_interaction_id)
    OR (f.interaction_id = j.other_interaction_id AND f.other_interaction_id = j.interaction_id)
WHERE j.fingerprint LIKE 'recorded:%' AND f.kind = 'preference' AND f.day >= $1 AND f.day < $1 + 7
ORDER BY 1, 2, 3

-- Judges elsewhere whose verdicts were taken in, as the judgements name them.
SELECT DISTINCT substr(fingerprint, length('recorded:') + 1) || '/' || criterion AS judge FROM judgement
WHERE fingerprint LIKE 'recorded:%' AND other_interaction_id IS NULL

-- Moves an experiment on, unless somebody else did since it was looked at.
UPDATE experiment SET
    state = :state, coverage = :coverage, conclusion = COALESCE(:conclusion, conclusion),
    started_at = CASE WHEN :state = 'running' THEN COALESCE(started_at, :now) ELSE started_at END,
    ended_at = CASE WHEN :state IN ('stopped', 'concluded') THEN COALESCE(ended_at, :now) END
WHERE tenant = :tenant AND name = :name AND state = :expected
RETURNING name

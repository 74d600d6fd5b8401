-- Votes that were erased meanwhile stay away; the newest decision counts.
INSERT INTO review (feedback_id, decision, reviewer)
SELECT f.id, :decision, :reviewer FROM feedback f WHERE f.id = ANY (CAST(:feedback AS uuid[]))
ON CONFLICT (feedback_id) DO UPDATE
    SET decision = excluded.decision, reviewer = excluded.reviewer, decided_at = excluded.decided_at

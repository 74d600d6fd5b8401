-- Votes of other people on these answers: they stay, about an answer that is unknown.
SELECT count(*) FROM feedback f
WHERE (f.interaction_id = ANY (CAST(:interactions AS uuid[])) OR f.other_interaction_id = ANY (CAST(:interactions AS uuid[])))
    AND f.id <> ALL (CAST(:feedback AS uuid[]))

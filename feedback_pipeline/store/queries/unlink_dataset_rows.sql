UPDATE dataset_row r
SET interaction_ids = ARRAY(
        SELECT id FROM unnest(r.interaction_ids) id WHERE id <> ALL (CAST(:interactions AS uuid[])) ORDER BY id),
    feedback_ids = ARRAY(SELECT id FROM unnest(r.feedback_ids) id WHERE id <> ALL (CAST(:feedback AS uuid[])) ORDER BY id)
WHERE r.interaction_ids && CAST(:interactions AS uuid[]) OR r.feedback_ids && CAST(:feedback AS uuid[])

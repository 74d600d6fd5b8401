SELECT
    (SELECT count(*) FROM interaction WHERE id = ANY (CAST(:interactions AS uuid[]))) AS interactions,
    (SELECT count(*) FROM feedback WHERE id = ANY (CAST(:feedback AS uuid[]))) AS feedback

-- What a person allows under any of their pseudonyms (the strictest holds), and how many rows of theirs there are.
SELECT
    COALESCE(bool_and(c.collect), true) AS collect,
    COALESCE(bool_and(c.use_for_analysis), true) AS use_for_analysis,
    COALESCE(bool_and(c.use_for_training), true) AS use_for_training,
    (SELECT count(*) FROM interaction WHERE tenant = :tenant AND user_key = ANY (CAST(:pseudonyms AS text[]))) AS answers,
    (SELECT count(*) FROM feedback WHERE tenant = :tenant AND user_key = ANY (CAST(:pseudonyms AS text[]))) AS votes
FROM consent c WHERE c.tenant = :tenant AND c.user_key = ANY (CAST(:pseudonyms AS text[]))

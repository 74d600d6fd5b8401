-- Empty, not null: that there was a comment or correction is a fact that counts keep.
UPDATE feedback
SET comment = CASE WHEN comment IS NOT NULL THEN '' END,
    correction = CASE WHEN correction IS NOT NULL THEN '' END,
    raw = NULL
WHERE day = :day AND (comment <> '' OR correction <> '' OR raw IS NOT NULL)

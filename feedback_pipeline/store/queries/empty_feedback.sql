-- Empty, not null: that there was a comment or correction is a fact that counts keep.
UPDATE feedback
SET comment = CASE WHEN comment IS NOT NULL THEN '' END,
    correction = CASE WHEN correction IS NOT NULL THEN '' END,
    shown = NULL, metadata = NULL, raw = NULL
WHERE day = :day AND (comment <> '' OR correction <> '' OR num_nonnulls(shown, metadata, raw) > 0)

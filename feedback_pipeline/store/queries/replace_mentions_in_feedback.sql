-- A person's own id in what other people wrote.
UPDATE feedback SET
    comment = regexp_replace(comment, :word, :placeholder, 'gi'),
    correction = regexp_replace(correction, :word, :placeholder, 'gi'),
    value = regexp_replace(value, :word, :placeholder, 'gi'),
    shown = regexp_replace(shown, :word, :placeholder, 'gi'),
    metadata = regexp_replace(metadata, :word, :placeholder, 'gi'),
    raw = regexp_replace(raw, :word, :placeholder, 'gi')
WHERE concat_ws(E'\x1f', comment, correction, value, shown, metadata, raw) ~* :word

-- A person's own id in what other people wrote.
UPDATE feedback SET
    comment = regexp_replace(comment, :word, :placeholder, 'gi'),
    correction = regexp_replace(correction, :word, :placeholder, 'gi'),
    value = regexp_replace(value, :word, :placeholder, 'gi'),
    raw = regexp_replace(raw, :word, :placeholder, 'gi')
WHERE comment ~* :word OR correction ~* :word OR value ~* :word OR raw ~* :word

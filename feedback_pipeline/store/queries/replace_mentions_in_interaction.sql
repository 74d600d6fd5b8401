-- A person's own id in what other people wrote.
UPDATE interaction SET
    prompt = regexp_replace(prompt, :word, :placeholder, 'gi'),
    output = regexp_replace(output, :word, :placeholder, 'gi'),
    messages = regexp_replace(messages, :word, :placeholder, 'gi'),
    content_snapshot = regexp_replace(content_snapshot, :word, :placeholder, 'gi'),
    metadata = regexp_replace(metadata, :word, :placeholder, 'gi'),
    raw = regexp_replace(raw, :word, :placeholder, 'gi')
WHERE concat_ws(E'\x1f', prompt, output, messages, content_snapshot, metadata, raw) ~* :word

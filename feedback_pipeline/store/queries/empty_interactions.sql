UPDATE interaction
SET prompt = NULL, output = NULL, messages = NULL, content_snapshot = NULL, metadata = NULL, raw = NULL
WHERE day = :day AND num_nonnulls(prompt, output, messages, content_snapshot, metadata, raw) > 0

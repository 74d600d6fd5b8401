SELECT id, subject, content_hash, decision, approver, reason, signature, decided_at FROM approval ORDER BY id

INSERT INTO approval (subject, content_hash, decision, approver, reason, signature, decided_at)
VALUES (:subject, :content_hash, :decision, :approver, :reason, :signature, :decided_at)
RETURNING id

-- A webhook whose turn it is, locked for the transaction, so that one process at a time tells it.
SELECT id, tenant, url, secret, with_texts, told_at, told_id, attempts FROM webhook
WHERE ended_at IS NULL AND next_at <= now() AND EXISTS (
    SELECT FROM feedback f WHERE f.tenant = webhook.tenant AND f.source = 'api' AND f.received_at >= webhook.told_at
        AND (f.received_at, f.id) > (webhook.told_at, webhook.told_id))
ORDER BY next_at
LIMIT 1
FOR UPDATE SKIP LOCKED

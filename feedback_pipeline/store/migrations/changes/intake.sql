-- Imports, OTLP, quarantine.

-- Verdicts of judges elsewhere on single answers. An answer is known by a name; where it has not arrived, `interaction_id`
-- is what it will be. The same verdict again (`content_hash`) changes nothing.
CREATE OR REPLACE FUNCTION file_evaluations(tenant_name text, rows jsonb) RETURNS bigint LANGUAGE sql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH filed AS (
        INSERT INTO judgement (content_hash, fingerprint, interaction_id, criterion, result)
        SELECT r.content_hash, r.fingerprint, COALESCE((
                SELECT k.interaction_id FROM interaction_key k
                WHERE k.tenant = tenant_name AND k.kind = r.key_kind AND k.value = r.key_value LIMIT 1
            ), r.interaction_id), r.criterion, r.result
        FROM jsonb_to_recordset(rows) AS r (content_hash text, fingerprint text, interaction_id uuid, criterion text,
            result jsonb, key_kind text, key_value text)
        ON CONFLICT (content_hash) DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM filed
$$;

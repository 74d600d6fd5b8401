-- Where answers are known elsewhere: ids of a trace and a span, the names that applications gave, the source they came by.
SELECT
    i.id::text AS interaction_id, i.source,
    json_or_null(i.metadata) ->> 'trace_id' AS trace_id, json_or_null(i.metadata) ->> 'span_id' AS span_id,
    NULLIF(i.source_id, i.id::text) AS source_id,
    min(k.value) FILTER (WHERE k.kind = 'request') AS request_id,
    min(k.value) FILTER (WHERE k.kind = 'message') AS message_id
FROM interaction i LEFT JOIN interaction_key k ON k.interaction_id = i.id AND k.tenant = i.tenant
WHERE i.id = ANY (CAST(:ids AS uuid[]))
GROUP BY i.id

-- What became of the events delivered for each day from $1 to $2, counted in the store.
WITH events AS (
    SELECT
        f.day,
        CASE
            WHEN f.superseded_by IS NOT NULL THEN 'superseded'
            WHEN f.withdrawn THEN 'withdrawn'
            WHEN NOT (t.use_for_analysis AND COALESCE(c.use_for_analysis, true)) THEN 'opted_out'
            WHEN about_subject(f.key_kind) THEN 'subject'
            WHEN i.id IS NULL OR (f.other_interaction_id IS NOT NULL AND o.id IS NULL) THEN 'pending'
            ELSE 'current'
        END AS part,
        NULL::text AS reason
    FROM feedback f
    JOIN tenant t ON t.name = f.tenant
    LEFT JOIN interaction i ON i.id = f.interaction_id AND i.tenant = f.tenant
    LEFT JOIN interaction o ON o.id = f.other_interaction_id AND o.tenant = f.tenant
    LEFT JOIN consent c ON c.tenant = f.tenant AND c.user_key = f.user_key
    WHERE f.day BETWEEN $1 AND $2
    UNION ALL
    SELECT day, category, CASE WHEN category = 'quarantined' THEN reason END
    FROM refusal WHERE day BETWEEN $1 AND $2 AND state = 'held'
)
SELECT
    day,
    count(*) AS delivered,
    count(*) FILTER (WHERE part = 'current') AS current,
    count(*) FILTER (WHERE part = 'superseded') AS superseded,
    count(*) FILTER (WHERE part = 'withdrawn') AS withdrawn,
    count(*) FILTER (WHERE part = 'duplicate') AS duplicate,
    count(*) FILTER (WHERE part = 'opted_out') AS opted_out,
    count(*) FILTER (WHERE part = 'pending') AS pending,
    count(*) FILTER (WHERE part = 'subject') AS subject,
    count(*) FILTER (WHERE part = 'quarantined') AS quarantined,
    array_remove(array_agg(reason ORDER BY reason), NULL) AS reasons
FROM events GROUP BY day ORDER BY day

-- Events of people who refused collection: counted under an id derived from the event's, kept without content.
INSERT INTO refusal (id, tenant, day, category, source, place, reason)
SELECT
    s.id::uuid, s.tenant, (LEAST(s.occurred_at, s.received_at) AT TIME ZONE z.value)::date, 'opted_out', s.source,
    'withheld', 'person_opted_out'
FROM stage_refused s
JOIN consent c ON c.tenant = s.tenant AND c.user_key = s.user_key AND NOT c.collect
CROSS JOIN (SELECT value FROM setting WHERE name = 'timezone') z
ON CONFLICT (id) DO NOTHING

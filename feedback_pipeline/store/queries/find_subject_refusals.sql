-- Refused deliveries to erase: the person stands in the payload under a pseudonym.
SELECT r.id::text AS id, r.day, r.source, r.place FROM refusal r
WHERE (:kind = 'tenant' AND r.tenant = :tenant)
    OR (:kind = 'user' AND r.tenant = :tenant AND r.payload IS NOT NULL AND EXISTS (
        SELECT FROM unnest(CAST(:pseudonyms AS text[])) p WHERE strpos(r.payload, p) > 0))

-- Events to erase: of a person under any of their pseudonyms, of the sessions they used without a name, of a tenant, or
-- about one answer.
SELECT f.id::text AS id, f.day FROM feedback f
WHERE :kind = 'user' AND f.tenant = :tenant AND f.user_key = ANY (CAST(:pseudonyms AS text[]))
UNION
SELECT f.id::text, f.day FROM feedback f
WHERE :kind = 'user' AND f.tenant = :tenant AND f.user_key IS NULL AND f.session_key = ANY (
    SELECT o.session_key FROM feedback o
    WHERE o.tenant = :tenant AND o.user_key = ANY (CAST(:pseudonyms AS text[])) AND o.session_key IS NOT NULL
    UNION
    SELECT i.session_key FROM interaction i
    WHERE i.tenant = :tenant AND i.user_key = ANY (CAST(:pseudonyms AS text[])) AND i.session_key IS NOT NULL)
UNION
SELECT f.id::text, f.day FROM feedback f WHERE :kind = 'tenant' AND f.tenant = :tenant
UNION
SELECT f.id::text, f.day FROM feedback f
WHERE :kind = 'interaction'
    AND (f.interaction_id = CAST(:interaction AS uuid) OR f.other_interaction_id = CAST(:interaction AS uuid))

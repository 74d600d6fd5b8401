-- Answers to erase: asked for by the person; nameless ones of their sessions and of their conversations (later turns
-- repeat the earlier ones); of a tenant; or one.
SELECT i.id::text AS id, i.day FROM interaction i
WHERE :kind = 'user' AND i.tenant = :tenant AND i.user_key = ANY (CAST(:pseudonyms AS text[]))
UNION
SELECT i.id::text, i.day FROM interaction i
WHERE :kind = 'user' AND i.tenant = :tenant AND i.user_key IS NULL AND i.session_key = ANY (
    SELECT o.session_key FROM feedback o
    WHERE o.tenant = :tenant AND o.user_key = ANY (CAST(:pseudonyms AS text[])) AND o.session_key IS NOT NULL
    UNION
    SELECT o.session_key FROM interaction o
    WHERE o.tenant = :tenant AND o.user_key = ANY (CAST(:pseudonyms AS text[])) AND o.session_key IS NOT NULL)
UNION
SELECT i.id::text, i.day FROM interaction i
WHERE :kind = 'user' AND i.tenant = :tenant AND i.user_key IS NULL AND i.conversation_id = ANY (
    SELECT o.conversation_id FROM interaction o
    WHERE o.tenant = :tenant AND o.user_key = ANY (CAST(:pseudonyms AS text[])) AND o.conversation_id IS NOT NULL)
UNION
SELECT i.id::text, i.day FROM interaction i WHERE :kind = 'tenant' AND i.tenant = :tenant
UNION
SELECT i.id::text, i.day FROM interaction i WHERE :kind = 'interaction' AND i.id = CAST(:interaction AS uuid)

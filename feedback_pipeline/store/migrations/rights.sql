-- What is granted to our roles and to everybody, and which rows are fenced in: one row each, in a fixed order.
WITH granted AS (
    SELECT 'role' AS what, rolname::text AS object, '' AS detail FROM pg_roles WHERE rolname IN ('feedback_api', 'feedback_compute')
    UNION ALL
    SELECT 'fenced', c.relname, c.relrowsecurity::text FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
    UNION ALL
    SELECT 'policy', p.tablename || '.' || p.policyname, concat_ws(' | ', p.cmd, p.roles::text, p.qual, p.with_check)
    FROM pg_policies p WHERE p.schemaname = 'public'
    UNION ALL
    SELECT 'relation', c.relname, '' FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
    UNION ALL
    SELECT 'table', c.relname, concat_ws(' ', r.rolname, a.privilege_type)
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND r.rolname IN ('feedback_api', 'feedback_compute')
    UNION ALL
    SELECT 'column', c.relname || '.' || t.attname, concat_ws(' ', r.rolname, a.privilege_type)
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
    CROSS JOIN LATERAL aclexplode(t.attacl) a JOIN pg_roles r ON r.oid = a.grantee
    WHERE c.relnamespace = 'public'::regnamespace AND r.rolname IN ('feedback_api', 'feedback_compute')
    UNION ALL
    SELECT 'function', p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', COALESCE(r.rolname, 'PUBLIC')
    FROM pg_proc p
    CROSS JOIN LATERAL aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) a
    LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE p.pronamespace = 'public'::regnamespace AND (a.grantee = 0 OR r.rolname IN ('feedback_api', 'feedback_compute'))
)
SELECT what, object, detail FROM granted ORDER BY what, object, detail

-- The role the API works as: not the owner of the tables, so row-level security holds for it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'feedback_api') THEN
        CREATE ROLE feedback_api NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'feedback_api', 'MEMBER') THEN
        GRANT feedback_api TO CURRENT_USER;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- roles belong to the whole server: the migration of another database was faster
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'this user may not create roles; as an administrator: CREATE ROLE feedback_api NOLOGIN; GRANT feedback_api TO %;', current_user;
END $$;

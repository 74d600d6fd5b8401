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

-- The role that computing may work as, where the owner's rights are kept for migrations: it reads and writes rows of
-- every tenant and can change no table, guard or policy. Nothing depends on it, so where roles may not be created there
-- is none until an administrator makes it: CREATE ROLE feedback_compute NOLOGIN.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'feedback_compute') THEN
        CREATE ROLE feedback_compute NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
        NULL;
END $$;

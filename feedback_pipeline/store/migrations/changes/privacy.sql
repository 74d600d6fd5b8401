-- Erasure, retention, consent.

-- The exports that were made, so that erasure and retention know of them.
CREATE TABLE export_file (
    id        uuid PRIMARY KEY,
    place     text,                        -- absolute path or URL; null: sent over the wire or to a terminal
    tenant    text,                        -- null: all
    first_day date NOT NULL,
    last_day  date NOT NULL,
    format    text NOT NULL,
    lines     bigint,                      -- null: it was not finished
    sha256    text,
    made_by   text NOT NULL,
    made_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (first_day <= last_day)
);
CREATE INDEX export_file_days ON export_file (first_day, last_day);

-- Who read, exported, forgot, made and revoked keys, changed consent. Rows are numbered without gaps and each holds the
-- hash of the one before, so that a changed or missing one shows; seals are signatures over the newest hash, by a key
-- that the database does not have.
CREATE TABLE audit_log (
    id       bigint PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor    text NOT NULL CHECK (actor <> '' AND length(actor) <= 200),
    action   text NOT NULL CHECK (action ~ '^[a-z][a-z_.]{0,60}$'),
    tenant   text,
    detail   jsonb NOT NULL DEFAULT '{}',  -- codes, numbers, ids and keyed hashes; no words and nobody's name
    previous bytea NOT NULL,
    digest   bytea NOT NULL
);
CREATE TABLE audit_seal (
    log_id      bigint PRIMARY KEY REFERENCES audit_log,  -- the newest row when it was made
    digest      bytea NOT NULL,
    key_version text NOT NULL,
    signature   text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION audit_digest(one audit_log) RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT sha256(one.previous || convert_to(concat_ws(E'\x1f', one.id, extract(epoch FROM one.at), one.actor, one.action,
        COALESCE(one.tenant, ''), one.detail::text), 'UTF8'))
$$;
CREATE FUNCTION chain_audit_log() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    newest audit_log;
BEGIN
    PERFORM pg_advisory_xact_lock(7203115944);
    SELECT * INTO newest FROM audit_log ORDER BY id DESC LIMIT 1;
    NEW.id := COALESCE(newest.id, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.previous := COALESCE(newest.digest, '\x');
    NEW.digest := audit_digest(NEW);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION chain_audit_log();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE TRIGGER audit_log_kept BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION forbid_change();

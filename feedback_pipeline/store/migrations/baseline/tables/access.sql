-- Who may use the API, and how much.

CREATE TABLE api_key (
    id         uuid PRIMARY KEY,
    tenant     text NOT NULL REFERENCES tenant,
    name       text NOT NULL,
    hash       bytea NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);

-- A browser's token belongs to the first browser that shows it; one copied from there is refused, and so is one that
-- was used too often.
CREATE TABLE token_use (
    id         uuid PRIMARY KEY,
    browser    bytea NOT NULL,
    uses       integer NOT NULL DEFAULT 1,
    expires_at timestamptz NOT NULL
);

CREATE UNLOGGED TABLE rate_window (
    bucket   bytea NOT NULL,
    starts   timestamptz NOT NULL,
    used     integer NOT NULL,
    previous integer NOT NULL DEFAULT 0,
    PRIMARY KEY (bucket, starts)
) WITH (fillfactor = 50);

-- How often each tenant's votes are exported through the API: one of the figures that say whether the loop is used.
CREATE TABLE export_use (
    tenant  text NOT NULL REFERENCES tenant,
    made_at timestamptz NOT NULL DEFAULT now(),
    lines   bigint NOT NULL
);
CREATE INDEX export_use_made ON export_use (tenant, made_at);

-- Which days and weeks changed, and how far the pipeline has come with them.

-- Days whose contents changed. A row is evidence of one change and is taken away by whoever folds it into `day_state`,
-- in one transaction: a writer that commits late leaves its rows for the next fold, so none is lost.
CREATE TABLE change (
    day  date NOT NULL,
    txid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE TABLE day_state (
    day       date PRIMARY KEY,
    version   bigint NOT NULL DEFAULT 0,   -- grows with every fold that touched the day
    requested bigint NOT NULL DEFAULT 0,   -- version the newest run was asked for
    computed  bigint NOT NULL DEFAULT 0,   -- version the newest successful run was asked for
    run_key   text,                        -- of the newest request
    attempts  integer NOT NULL DEFAULT 0,  -- failures in a row
    problem   text,                        -- why the last run of this day failed: codes and numbers only
    sealed    boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT now(),
    emptied    bigint NOT NULL DEFAULT 0,  -- version at which raw text was last removed from the store
    expired    boolean NOT NULL DEFAULT false  -- the day's rows are gone, its counts are kept for ever
);

CREATE TABLE week_state (
    week      date PRIMARY KEY,            -- its Monday
    revision  integer NOT NULL DEFAULT 0,  -- of its report, counted after the week closed
    content_hash text                      -- of the report's content, revision apart
);

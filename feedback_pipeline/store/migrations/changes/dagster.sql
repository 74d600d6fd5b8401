-- What assets, jobs and sensors keep.

ALTER TABLE day_state
    ADD COLUMN waiting_since timestamptz,  -- when it began to wait: a trickle of late votes is one run, not one each
    ADD COLUMN requested_at  timestamptz;  -- of the newest request: one whose run never came is taken back

-- Weeks and months, which wait like days: for a change of one of their days, a run that died, or their closing.
CREATE TABLE period_state (
    period    text NOT NULL CHECK (period IN ('week', 'month')),
    first     date NOT NULL,               -- its Monday, or the first of the month
    version   bigint NOT NULL DEFAULT 1,   -- grows whenever what one of its days holds became another
    requested bigint NOT NULL DEFAULT 0,   -- version the newest run was asked for
    computed  bigint NOT NULL DEFAULT 0,   -- version every asset of it was computed at
    computed_on date,                      -- in the configured zone
    run_key   text,
    attempts  integer NOT NULL DEFAULT 0,  -- failures in a row
    problem   text,                        -- why the last run failed: codes and numbers only
    changed_at    timestamptz NOT NULL DEFAULT now(),
    waiting_since timestamptz DEFAULT now(),
    requested_at  timestamptz,
    PRIMARY KEY (period, first)
);

-- Every partition that was computed: what it is made of, and what has to be there.
CREATE TABLE computed_partition (
    asset     text NOT NULL,
    partition date NOT NULL,
    version   bigint NOT NULL DEFAULT 0,   -- of its day or period: nothing is newer than what it was made from
    sha256    text,                        -- of its content; the same rows have the same
    bytes     bigint,                      -- of its Parquet file; null where there is none
    problem   text,                        -- why it could not be computed; what it held before stays
    run_id    text NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (asset, partition)
);

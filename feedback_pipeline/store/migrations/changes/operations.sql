-- Running the pipeline: days, weeks, locks.

-- What the retention emptied, as it was, until its days of grace are over: a day can be taken back from here.
CREATE TABLE retention_grace (
    source     text NOT NULL CHECK (source IN ('interaction', 'feedback', 'refusal')),
    id         uuid NOT NULL,
    day        date NOT NULL,
    content    jsonb NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, id)
);
CREATE INDEX retention_grace_day ON retention_grace (day);
CREATE INDEX retention_grace_removed ON retention_grace (removed_at);

-- People who asked to be forgotten.

CREATE TABLE erasure (
    id           uuid PRIMARY KEY,
    subject_hash text NOT NULL,
    state        text NOT NULL,
    steps        jsonb NOT NULL DEFAULT '{}',
    receipt      jsonb,
    requested_at timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
-- One erasure of the same person at a time; one that was interrupted is taken up again.
CREATE UNIQUE INDEX erasure_open ON erasure (subject_hash) WHERE finished_at IS NULL;

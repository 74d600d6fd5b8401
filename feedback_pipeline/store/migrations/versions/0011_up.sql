-- What people decided about feedback that is trained on only after somebody looked at it. It goes with its vote.
CREATE TABLE review (
    feedback_id uuid PRIMARY KEY REFERENCES feedback ON DELETE CASCADE,
    decision    text NOT NULL CHECK (decision IN ('accepted', 'rejected')),
    reviewer    text NOT NULL CHECK (reviewer <> ''),
    decided_at  timestamptz NOT NULL DEFAULT now()
);

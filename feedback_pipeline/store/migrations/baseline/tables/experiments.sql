-- Experiments and the answers of models that were only watched.

CREATE TABLE experiment (
    name       text PRIMARY KEY,
    arms       jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);

CREATE TABLE assignment (
    experiment  text NOT NULL REFERENCES experiment,
    unit        text NOT NULL,
    variant     text NOT NULL,
    propensity  double precision NOT NULL CHECK (propensity > 0 AND propensity <= 1),
    assigned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (experiment, unit)
);

CREATE TABLE shadow_run (
    id             uuid PRIMARY KEY,
    interaction_id uuid NOT NULL,
    model          text NOT NULL,
    output         text,
    latency_ms     real,
    occurred_at    timestamptz NOT NULL DEFAULT now()
);

-- Incidents, what was sent about them, and recommendations that became actions.

CREATE TABLE alert (
    id           uuid PRIMARY KEY,
    kind         text NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('warn', 'error')),
    slice        jsonb NOT NULL DEFAULT '{}',
    numbers      jsonb NOT NULL DEFAULT '{}',
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'closed')),
    real         boolean,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    notified_at  timestamptz,
    closed_at    timestamptz,
    incident        text NOT NULL,              -- the same for the same trouble: hash of kind and dimensions
    explanation     text NOT NULL,              -- of the latest day; numbers and dimension values only
    first_day       date NOT NULL,              -- first and last day on which it fired
    last_day        date NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    closed_by       text,                       -- null: closed by itself after quiet days
    closed_on       date,                       -- the day up to which the trouble counts as this incident's
    CHECK (first_day <= last_day),
    CONSTRAINT alert_closed_at CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((closed_at IS NULL) = (closed_on IS NULL))
);
CREATE UNIQUE INDEX alert_running ON alert (incident) WHERE state <> 'closed';
CREATE INDEX alert_incident ON alert (incident, first_day);

-- What was sent, once for each channel.
CREATE TABLE notification (
    subject text NOT NULL,                      -- 'alert:<id>', 'weekly_report:<week>'
    channel text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, channel)
);

-- A recommendation that was made, and what people decided about it.
CREATE TABLE action (
    recommendation_id text PRIMARY KEY,
    kind              text NOT NULL,
    statement         text NOT NULL,            -- numbers and dimension values only
    expected_gain     double precision,
    first_week        date NOT NULL,
    last_week         date NOT NULL,            -- newest week that recommended it
    status            text NOT NULL DEFAULT 'proposed' CHECK (status IN ('proposed', 'accepted', 'done', 'dropped')),
    owner             text,
    due               date,
    done_on           date,
    outcome           text CHECK (outcome IN ('helped', 'no measurable change', 'hurt', 'cannot say')),
    outcome_week      date,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CHECK (first_week <= last_week),
    CHECK ((status = 'done') = (done_on IS NOT NULL))
);

-- Every decision about an action, as it was made.
CREATE TABLE action_event (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recommendation_id text NOT NULL REFERENCES action,
    status            text NOT NULL,
    owner             text,
    due               date,
    decided_by        text,                     -- null: by the pipeline
    note              text,
    decided_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX action_event_action ON action_event (recommendation_id, id);

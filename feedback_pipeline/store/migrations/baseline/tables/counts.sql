-- Every write appends what it changed to a delta table: no row is shared between writers, so none waits for another.
-- `fold_counts` adds the deltas to the rollups; a reader sums both, so it never sees a vote late or twice.
-- An unknown dimension is ''.

CREATE TABLE vote_delta (
    tenant text NOT NULL, day date NOT NULL,
    model text NOT NULL, intent text NOT NULL, project text NOT NULL, content_type text NOT NULL, action_type text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL, stars bigint NOT NULL, stars_sum bigint NOT NULL,
    comments bigint NOT NULL, corrections bigint NOT NULL, memories bigint NOT NULL, memory_sum double precision NOT NULL
);

CREATE TABLE vote_total (
    tenant text NOT NULL, model text NOT NULL, intent text NOT NULL, project text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL, stars bigint NOT NULL, stars_sum bigint NOT NULL,
    PRIMARY KEY (tenant, model, intent, project)
) WITH (fillfactor = 70);

CREATE TABLE vote_day (
    tenant text NOT NULL, day date NOT NULL, model text NOT NULL, intent text NOT NULL, project text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL, stars bigint NOT NULL, stars_sum bigint NOT NULL,
    comments bigint NOT NULL, corrections bigint NOT NULL, memories bigint NOT NULL, memory_sum double precision NOT NULL,
    PRIMARY KEY (tenant, day, model, intent, project)
) WITH (fillfactor = 70);

CREATE TABLE action_day (
    tenant text NOT NULL, day date NOT NULL, content_type text NOT NULL, action_type text NOT NULL,
    votes bigint NOT NULL, up bigint NOT NULL, down bigint NOT NULL,
    PRIMARY KEY (tenant, day, content_type, action_type)
) WITH (fillfactor = 70);

-- Distinct people in a window that ends today: the day each was last seen, and how many were last seen on each day.
CREATE TABLE person_seen (
    tenant   text NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('user', 'session')),
    person   text NOT NULL,
    day      date NOT NULL,
    previous date,
    PRIMARY KEY (person, kind, tenant)
) WITH (fillfactor = 80);

CREATE TABLE person_delta (tenant text NOT NULL, kind text NOT NULL, day date NOT NULL, people bigint NOT NULL);

CREATE TABLE person_day (
    tenant text NOT NULL, kind text NOT NULL, day date NOT NULL, people bigint NOT NULL,
    PRIMARY KEY (tenant, kind, day)
);

-- Votes counted under unknown dimensions because their answer was not there. Taking a row away is the licence to move
-- its count, so a vote and its answer that arrive at the same moment are counted once, under the right dimensions.
CREATE TABLE vote_unmatched (
    feedback_id    uuid PRIMARY KEY,
    interaction_id uuid NOT NULL,
    noted_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX vote_unmatched_recent ON vote_unmatched (noted_at);
CREATE INDEX vote_unmatched_interaction ON vote_unmatched (interaction_id);

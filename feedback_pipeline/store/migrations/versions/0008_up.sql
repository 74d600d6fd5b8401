-- Providers that tell of their jobs: a job they spoke of is looked at at once, the others every few minutes.
ALTER TABLE fine_tune_job
    ADD COLUMN announced boolean NOT NULL DEFAULT false,  -- the provider spoke of it since the last look
    ADD COLUMN looked_at timestamptz;

-- Deliveries that were taken, so that a repeated one is none.
CREATE TABLE provider_event (
    id          text PRIMARY KEY,
    received_at timestamptz NOT NULL
);
CREATE INDEX provider_event_received ON provider_event (received_at);

-- Files a delivery that was verified: `noted`, `repeated`, or `unknown` where no open run has this job.
CREATE FUNCTION announce_job(event_id text, job text) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- older ones are refused by their time
    DELETE FROM provider_event WHERE received_at < now() - interval '1 day';
    INSERT INTO provider_event (id, received_at) VALUES (event_id, now()) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'repeated';
    END IF;
    UPDATE fine_tune_job SET announced = true WHERE provider_job = job AND state = 'following';
    RETURN CASE WHEN FOUND THEN 'noted' ELSE 'unknown' END;
END $$;
REVOKE EXECUTE ON FUNCTION announce_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION announce_job TO feedback_api;

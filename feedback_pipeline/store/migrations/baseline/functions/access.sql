-- Keys, tokens and allowances, and the news of providers: what the API does past row-level security.

-- Found by hash before the tenant is known, hence past row-level security.
CREATE FUNCTION find_api_key(wanted bytea) RETURNS TABLE (id uuid, tenant text, scopes text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.id, k.tenant, k.scopes FROM api_key k
    WHERE k.hash = wanted AND (k.expires_at IS NULL OR k.expires_at > now())
        AND (k.revoked_at IS NULL OR k.revoked_at > now());
END $$;

CREATE FUNCTION use_token(token uuid, browser_mark bytea, expiry timestamptz, allowed integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    held token_use;
BEGIN
    INSERT INTO token_use AS t (id, browser, expires_at) VALUES (token, browser_mark, expiry)
    ON CONFLICT (id) DO UPDATE SET uses = t.uses + 1 RETURNING * INTO held;
    RETURN CASE WHEN held.browser <> browser_mark THEN 'elsewhere' WHEN held.uses > allowed THEN 'used_up' ELSE 'good' END;
END $$;

-- Takes up to `wanted` requests out of a bucket's allowance for the window that `starts`; says how many there were.
CREATE FUNCTION take_allowance(wanted_bucket bytea, window_start timestamptz, allowance integer, wanted integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    granted integer;
BEGIN
    INSERT INTO rate_window AS w (bucket, starts, used) VALUES (wanted_bucket, window_start, LEAST(wanted, allowance))
    ON CONFLICT (bucket, starts) DO UPDATE SET previous = w.used, used = LEAST(w.used + wanted, allowance)
    RETURNING used - previous INTO granted;
    RETURN granted;
END $$;

-- Throws away what has had its time.
CREATE FUNCTION sweep_capture() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM idempotency WHERE created_at < now() - interval '24 hours';
    DELETE FROM token_use WHERE expires_at < now() - interval '1 hour';
    DELETE FROM rate_window WHERE starts < now() - interval '1 hour';
END $$;

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

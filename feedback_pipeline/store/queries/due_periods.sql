-- Weeks and months that ended and wait. Those with days that wait themselves wait for them, but not for ever: a trickle
-- of late votes leaves no day settled. A day that failed holds its week up until it is mended.
SELECT p.period, p.first, p.version, p.attempts, p.problem,
       ARRAY(SELECT d.day FROM day_state d WHERE d.day >= p.first AND d.day < e.ends AND d.attempts > 0
             AND d.version > d.computed AND NOT d.expired ORDER BY d.day) AS failed_days
FROM period_state AS p
CROSS JOIN LATERAL (
    SELECT (p.first + CASE p.period WHEN 'week' THEN interval '7 days' ELSE interval '1 month' END)::date AS ends
) AS e
WHERE e.ends <= :today
  AND p.version > CASE WHEN :requested_too THEN p.computed ELSE GREATEST(p.requested, p.computed) END
  AND p.attempts < :attempts
  AND (p.waiting_since <= now() - make_interval(secs => :longest_wait)
       OR (p.changed_at <= now() - make_interval(secs => :quiet)
           AND NOT EXISTS (SELECT 1 FROM day_state d WHERE d.day >= GREATEST(p.first, CAST(:start AS date))
                           AND d.day < e.ends AND d.version > d.computed AND d.attempts = 0 AND NOT d.expired)))
ORDER BY e.ends, p.period DESC, p.first

-- What an application of the policies would remove from the store, and of how much.
WITH going AS (
    SELECT day FROM day_state
    WHERE (sealed AND emptied < version) OR (NOT sealed AND day < :raw_before AND computed >= version)
), expiring AS (
    SELECT day FROM day_state WHERE day < :cleaned_before AND computed >= version AND NOT expired
), texts AS (
    SELECT day FROM interaction WHERE num_nonnulls(prompt, output, messages) > 0
    UNION ALL SELECT day FROM feedback WHERE comment <> '' OR correction <> ''
), named AS (
    SELECT day FROM interaction WHERE user_key IS NOT NULL
    UNION ALL SELECT day FROM feedback WHERE user_key IS NOT NULL
)
SELECT (SELECT count(*) FROM going) AS days, (SELECT count(*) FROM texts JOIN going USING (day)) AS texts,
    (SELECT count(*) FROM texts) AS all_texts, (SELECT count(*) FROM expiring) AS expiring_days,
    (SELECT count(*) FROM named JOIN expiring USING (day)) AS names, (SELECT count(*) FROM named) AS all_names

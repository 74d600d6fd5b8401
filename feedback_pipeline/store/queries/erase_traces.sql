-- Refused deliveries, and the places in which a pseudonym stands by itself.
WITH retention_grace_gone AS (
    DELETE FROM retention_grace
    WHERE id = ANY (CAST(:refusals AS uuid[])) OR id = ANY (CAST(:interactions AS uuid[]))
        OR id = ANY (CAST(:feedback AS uuid[])) OR content ->> 'user_key' = ANY (CAST(:pseudonyms AS text[]))
        OR (:kind = 'tenant' AND content ->> 'tenant' = :tenant)
    RETURNING 1
), refusal_gone AS (
    DELETE FROM refusal WHERE id = ANY (CAST(:refusals AS uuid[])) RETURNING 1
), idempotency_gone AS (
    DELETE FROM idempotency
    WHERE feedback_id = ANY (CAST(:feedback AS uuid[])) OR (:kind = 'tenant' AND tenant = :tenant) RETURNING 1
), vote_unmatched_gone AS (
    DELETE FROM vote_unmatched WHERE feedback_id = ANY (CAST(:feedback AS uuid[])) RETURNING 1
), person_seen_gone AS (
    DELETE FROM person_seen
    WHERE tenant = :tenant AND (:kind = 'tenant' OR (kind = 'user' AND person = ANY (CAST(:pseudonyms AS text[]))))
    RETURNING 1
), assignment_gone AS (
    DELETE FROM assignment
    WHERE tenant = :tenant AND (:kind = 'tenant' OR unit = ANY (CAST(:pseudonyms AS text[]) || CAST(:units AS text[])))
    RETURNING 1
), exposure_gone AS (
    DELETE FROM exposure
    WHERE tenant = :tenant AND (:kind = 'tenant' OR unit = ANY (CAST(:pseudonyms AS text[]) || CAST(:units AS text[])))
    RETURNING 1
), ask_gone AS (
    DELETE FROM ask
    WHERE tenant = :tenant AND (:kind = 'tenant' OR voter = ANY (CAST(:pseudonyms AS text[]))
                                OR unit = ANY (CAST(:pseudonyms AS text[]) || CAST(:units AS text[])))
    RETURNING 1
)
SELECT
    (SELECT count(*) FROM retention_grace_gone) AS retention_grace,
    (SELECT count(*) FROM refusal_gone) AS refusal,
    (SELECT count(*) FROM idempotency_gone) AS idempotency,
    (SELECT count(*) FROM vote_unmatched_gone) AS vote_unmatched,
    (SELECT count(*) FROM person_seen_gone) AS person_seen,
    (SELECT count(*) FROM assignment_gone) AS assignment,
    (SELECT count(*) FROM exposure_gone) AS exposure,
    (SELECT count(*) FROM ask_gone) AS ask

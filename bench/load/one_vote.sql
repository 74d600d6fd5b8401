\set answer random(1, 10000)
\set person random(1, 100000)
SELECT outcome FROM file_votes('default', ARRAY[jsonb_populate_record(NULL::vote_row, jsonb_build_object(
    'ordinal', 0, 'id', uuidv7(), 'interaction_id', '00000000-0000-7000-8000-' || lpad(to_hex(:answer::bigint), 12, '0'),
    'kind', 'explicit', 'thumb', true, 'reasons', '[]'::jsonb, 'user_key', 'k1:' || :person::bigint, 'withdrawn', false,
    'idempotency_key', gen_random_uuid(), 'fingerprint', '\x00112233445566778899aabbccddeeff', 'source', 'bench'))],
    '{}', '{}');

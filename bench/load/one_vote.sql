\set answer random(1, 10000)
\set person random(1, 100000)
SELECT outcome FROM file_votes('default', ARRAY[ROW(
    0, uuidv7(), ('00000000-0000-7000-8000-' || lpad(to_hex(:answer::bigint), 12, '0'))::uuid, NULL, NULL, 'explicit', true,
    NULL, NULL, NULL, NULL, '{}'::text[], NULL, NULL, 'k1:' || :person::bigint, NULL, NULL, false, NULL, gen_random_uuid()::text,
    '\x00112233445566778899aabbccddeeff'::bytea, 'bench', NULL)::vote_row], '{}', '{}');

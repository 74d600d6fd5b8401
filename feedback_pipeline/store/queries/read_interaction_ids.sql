SELECT id::text AS interaction_id FROM interaction WHERE day = $1 ORDER BY id

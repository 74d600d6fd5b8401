SELECT (now() AT TIME ZONE value)::date AS today FROM setting WHERE name = 'timezone'

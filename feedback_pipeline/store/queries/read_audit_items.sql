SELECT interaction_id::text AS interaction_id, week, day, stratum, place, inclusion_probability
FROM audit_item
ORDER BY week, place, interaction_id

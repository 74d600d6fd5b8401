-- The answers drawn for people to judge whose text is still kept.
SELECT a.interaction_id::text AS interaction_id, a.week, a.stratum, a.place, a.inclusion_probability
FROM audit_item a
JOIN interaction i ON i.id = a.interaction_id AND i.output IS NOT NULL
ORDER BY a.week DESC, a.place

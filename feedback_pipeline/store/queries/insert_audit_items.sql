-- Answers that were erased since they were drawn stay away.
INSERT INTO audit_item (interaction_id, week, day, stratum, place, inclusion_probability)
SELECT i.id, $1, s.day, s.stratum, s.place, s.inclusion_probability
FROM stage_audit_item s JOIN interaction i ON i.id = s.interaction_id::uuid
ON CONFLICT DO NOTHING

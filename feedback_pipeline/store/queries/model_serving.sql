SELECT a.alias, a.model, a.previous, a.since, m.base, m.provider, m.state, m.shutdown_date, m.tainted_share
FROM model_alias a JOIN model m ON m.name = a.model
WHERE a.alias = :alias

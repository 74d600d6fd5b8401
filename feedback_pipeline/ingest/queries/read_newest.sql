SELECT max(occurred_at) FROM feedback WHERE source = :source

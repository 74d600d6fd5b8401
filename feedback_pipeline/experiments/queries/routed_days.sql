SELECT max(day) AS day FROM routing_weight WHERE tenant = :tenant AND experiment = :name

SELECT kind, severity, opened_at FROM alert WHERE state = 'open' ORDER BY opened_at DESC, id LIMIT 5

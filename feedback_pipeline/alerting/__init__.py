"""Alerting: what every rule saw on a day, incidents with a state, and one notification for each incident.

In: the days' `vote_facts`. Out: `daily_approval` and `alert_readings` (Parquet), rows of `alert` and `notification`
(PostgreSQL), messages to a chat webhook, by e-mail, or to the log. The rules themselves are `patterns.alerts`.

Everything said here outlives an erasure where it is sent: numbers, days and dimension values, never words of people.
"""

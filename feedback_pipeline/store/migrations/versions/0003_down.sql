DROP TABLE action_event, action, notification;
DROP INDEX alert_running, alert_incident;
ALTER TABLE alert
    DROP CONSTRAINT alert_closed_at,
    DROP COLUMN incident, DROP COLUMN explanation, DROP COLUMN first_day, DROP COLUMN last_day,
    DROP COLUMN acknowledged_at, DROP COLUMN acknowledged_by, DROP COLUMN closed_by, DROP COLUMN closed_on;

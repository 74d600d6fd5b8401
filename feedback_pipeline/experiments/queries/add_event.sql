INSERT INTO experiment_event (tenant, experiment, version, event, coverage, person, reason, at)
VALUES (:tenant, :name, :version, :event, :coverage, :person, :reason, :now)

WITH added AS (
    INSERT INTO experiment_version (tenant, experiment, version, definition, created_at)
    VALUES (:tenant, :name, :version, CAST(:definition AS jsonb), :now)
    RETURNING version
)
UPDATE experiment SET version = added.version FROM added WHERE tenant = :tenant AND name = :name

-- How often each tenant's votes are exported through the API: one of the figures that say whether the loop is used.
CREATE TABLE export_use (
    tenant  text NOT NULL REFERENCES tenant,
    made_at timestamptz NOT NULL DEFAULT now(),
    lines   bigint NOT NULL
);
CREATE INDEX export_use_made ON export_use (tenant, made_at);
ALTER TABLE export_use ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON export_use TO feedback_api
    USING (tenant = (SELECT current_setting('feedback.tenant', true)))
    WITH CHECK (tenant = (SELECT current_setting('feedback.tenant', true)));
GRANT SELECT, INSERT ON export_use TO feedback_api;

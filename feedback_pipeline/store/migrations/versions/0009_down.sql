REVOKE ALL ON audit_item, audit_label FROM feedback_api;
DROP POLICY tenant_only ON audit_label;
ALTER TABLE audit_label DISABLE ROW LEVEL SECURITY;
DROP POLICY tenant_only ON audit_item;
ALTER TABLE audit_item DISABLE ROW LEVEL SECURITY;

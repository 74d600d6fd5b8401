-- The audit on the console. The API's role sees the items and labels of answers it may see, and adds labels to them;
-- it can neither change nor remove any.
ALTER TABLE audit_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON audit_item TO feedback_api
    USING (EXISTS (SELECT FROM interaction i WHERE i.id = audit_item.interaction_id));

ALTER TABLE audit_label ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON audit_label TO feedback_api
    USING (EXISTS (SELECT FROM audit_item a WHERE a.interaction_id = audit_label.interaction_id))
    WITH CHECK (EXISTS (SELECT FROM audit_item a WHERE a.interaction_id = audit_label.interaction_id));

GRANT SELECT ON audit_item TO feedback_api;
GRANT SELECT, INSERT ON audit_label TO feedback_api;

DROP TRIGGER audit_truncate ON entries;
DROP TRIGGER audit_migration ON schema_migrations;
DROP FUNCTION audit_truncate();
DROP FUNCTION audit_migration();
DROP FUNCTION record_audit(text, text, jsonb);
DROP TABLE audit_log;

-- What was done to the schema itself, past the API: migrations, partitions made and dropped, a table emptied. Kept by
-- month. What clients do is in the service's own audit log.
CREATE TABLE audit_log (
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor   text        NOT NULL DEFAULT session_user,
  source  inet                 DEFAULT inet_client_addr(),  -- null = the Unix socket
  program text                 DEFAULT current_setting('application_name'),
  action  text        NOT NULL,
  subject text        NOT NULL,
  details jsonb       NOT NULL DEFAULT '{}',
  CONSTRAINT audit_log_details CHECK (jsonb_typeof(details) = 'object')
) PARTITION BY RANGE (at);

CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;

CREATE INDEX audit_log_action ON audit_log (action, at);
CREATE INDEX audit_log_actor ON audit_log (actor, at);

CREATE FUNCTION record_audit(p_action text, p_subject text, p_details jsonb DEFAULT '{}') RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  INSERT INTO audit_log (action, subject, details) VALUES (p_action, p_subject, p_details)
$$;

CREATE FUNCTION audit_migration() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  step schema_migrations%ROWTYPE;
BEGIN
  IF TG_OP = 'DELETE' THEN
    step := OLD;
    step.state := 'reverted';
  ELSE
    step := NEW;
  END IF;
  PERFORM record_audit('migration ' || step.state, format('%s %s', step.number, step.name),
                       jsonb_build_object('release', step.applied_by, 'checksum', step.up_checksum));
  RETURN NULL;
END $$;

CREATE TRIGGER audit_migration AFTER INSERT OR UPDATE OR DELETE ON schema_migrations
  FOR EACH ROW EXECUTE FUNCTION audit_migration();

CREATE FUNCTION audit_truncate() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM record_audit('truncate', TG_TABLE_NAME);
  RETURN NULL;
END $$;

CREATE TRIGGER audit_truncate AFTER TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION audit_truncate();

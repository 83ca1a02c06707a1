-- Which transaction changed which key, kept by day. Nothing is written until it is switched on: SELECT
-- enable_transaction_log(). Values appear as their SHA-256 only. Every change then costs a row more.
CREATE TABLE transaction_log (
  at             timestamptz NOT NULL DEFAULT clock_timestamp(),
  transaction_id xid8        NOT NULL DEFAULT pg_current_xact_id(),
  action         text        NOT NULL,
  key            bytea       NOT NULL,
  old_version    bigint,
  new_version    bigint,
  old_value      bytea,
  new_value      bytea,
  CONSTRAINT transaction_log_action CHECK (action IN ('insert', 'update', 'delete'))
) PARTITION BY RANGE (at);

-- Takes what no other partition takes, so that a write never fails for want of one.
CREATE TABLE transaction_log_default PARTITION OF transaction_log DEFAULT;

CREATE INDEX transaction_log_key ON transaction_log (key, at);
CREATE INDEX transaction_log_transaction ON transaction_log (transaction_id);

-- Once for a statement, however many rows it writes.
CREATE FUNCTION log_transaction() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO transaction_log (action, key, new_version, new_value)
    SELECT 'insert', n.key, n.version, sha256(n.value) FROM new_rows n;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO transaction_log (action, key, old_version, new_version, old_value, new_value)
    SELECT 'update', n.key, o.version, n.version, sha256(o.value), sha256(n.value)
    FROM new_rows n JOIN old_rows o USING (key);
  ELSE
    INSERT INTO transaction_log (action, key, old_version, old_value)
    SELECT 'delete', o.key, o.version, sha256(o.value) FROM old_rows o;
  END IF;
  RETURN NULL;
END $$;

-- The triggers are made and dropped rather than disabled: PostgreSQL collects the rows for a trigger's transition
-- tables also when the trigger is disabled.
CREATE FUNCTION enable_transaction_log() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  CREATE OR REPLACE TRIGGER log_insert AFTER INSERT ON entries REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION log_transaction();
  CREATE OR REPLACE TRIGGER log_update AFTER UPDATE ON entries REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION log_transaction();
  CREATE OR REPLACE TRIGGER log_delete AFTER DELETE ON entries REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION log_transaction();
END $$;

CREATE FUNCTION disable_transaction_log() RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  DROP TRIGGER IF EXISTS log_insert ON entries;
  DROP TRIGGER IF EXISTS log_update ON entries;
  DROP TRIGGER IF EXISTS log_delete ON entries;
END $$;

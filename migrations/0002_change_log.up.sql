-- How every instance of the service hears of the changes that others make. The log is written only while there are
-- others: an instance that is alone tells its listeners itself.

-- Who writes. An instance that has gone without leaving is taken out when its seen_at is too old, and may not write
-- before it has joined again.
CREATE TABLE instances (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name     text        NOT NULL,
  seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  position bigint      NOT NULL  -- it has read the log up to here
) WITH (fillfactor = 50);

-- One row. Its epoch rises whenever an instance joins. Every write reads it, and so holds ACCESS SHARE on it to its
-- end; joining and removing take ACCESS EXCLUSIVE, and so stand behind every write that did not know of them.
CREATE TABLE change_state (
  one   boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
  epoch bigint  NOT NULL
);
INSERT INTO change_state (epoch) VALUES (0);

-- Positions of one key rise with its changes, because they are drawn under the key's lock. A gap is a write that was
-- undone, or one that has not ended: it still holds ROW EXCLUSIVE on this table.
CREATE TABLE changes (
  position            bigint   GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
  key                 bytea    NOT NULL,
  cause               smallint NOT NULL,  -- 0 operation, 1 expired
  before_version      bigint,             -- null = nothing stood there
  before_created_at   bigint,
  before_updated_at   bigint,
  before_expires_at   bigint,
  before_content_type bytea,
  before_metadata     bytea,
  before_tags         bytea[],
  before_value        bytea,
  after_version       bigint,             -- null = nothing stands there
  after_created_at    bigint,
  after_updated_at    bigint,
  after_expires_at    bigint,
  after_content_type  bytea,
  after_metadata      bytea,
  after_tags          bytea[],
  after_value         bytea
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- The new instance's number, the epoch, and the position its reading begins behind: whatever is older has ended.
CREATE FUNCTION join_instances(p_name text, OUT id bigint, OUT epoch bigint, OUT start bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
  UPDATE change_state SET epoch = epoch + 1 RETURNING change_state.epoch INTO epoch;
  SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO start FROM changes_position_seq;
  INSERT INTO instances (name, position) VALUES (p_name, start) RETURNING instances.id INTO id;
END $$;

CREATE FUNCTION leave_instances(p_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
  DELETE FROM instances WHERE id = p_id;
END $$;

-- Takes out who has not been seen for so long; the log up to what all others have read goes with them, at most p_rows
-- of it. Returns how many instances were taken out.
CREATE FUNCTION tidy_instances(p_silence interval, p_rows integer) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  removed bigint := 0;
BEGIN
  IF EXISTS (SELECT FROM instances WHERE seen_at < clock_timestamp() - p_silence) THEN
    LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
    DELETE FROM instances WHERE seen_at < clock_timestamp() - p_silence;
    GET DIAGNOSTICS removed = ROW_COUNT;
  END IF;
  DELETE FROM changes WHERE position IN (
    SELECT c.position FROM changes c
    WHERE c.position <= (SELECT min(i.position) FROM instances i)
    ORDER BY c.position LIMIT p_rows);
  RETURN removed;
END $$;

-- A standby that was promoted, or a copy that was restored, may lack writes that were acknowledged: its sequence stands
-- where the copy was taken, and would give versions once more that clients know with other values. So whoever comes
-- first on another history of the cluster (another timeline, or another cluster) lifts the sequence above all that the
-- lost one can have given.

-- The history that the sequence was drawn from last. Empty: the next instance that joins fills it in.
ALTER TABLE change_state
  ADD COLUMN system   bigint,  -- identifier of the cluster
  ADD COLUMN timeline text;    -- eight digits, as in the names of WAL files
UPDATE change_state SET system = (SELECT system_identifier FROM pg_control_system()),
                        timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8);

-- The new first number is the greater of two, so that it is enough when one of them holds:
--   2^26 calls of write_entries above the last one known: fewer were lost (an hour of 18,000 a second);
--   2^15 calls for each second since 2026: the lost history did not go on faster than that since it was lifted itself
--   (or began), and the server's clock is right. So it may be older than an hour, or a backup of last week.
-- A version has room for 2^46 calls: 2^15 a second are used up in 2094.
-- Who was there on the lost history is taken out, and joins again before it writes: neither its number nor its epoch
-- means anything here. Nobody draws a version meanwhile: every writer holds ACCESS SHARE on change_state.
CREATE FUNCTION follow_history() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  v_system   bigint := (SELECT c.system_identifier FROM pg_control_system() c);
  v_timeline text := left(pg_walfile_name(pg_current_wal_lsn()), 8);
BEGIN
  IF EXISTS (SELECT FROM change_state s WHERE s.system = v_system AND s.timeline = v_timeline) THEN RETURN; END IF;
  LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
  UPDATE change_state s SET system = v_system, timeline = v_timeline
  WHERE s.system IS DISTINCT FROM v_system OR s.timeline IS DISTINCT FROM v_timeline;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM setval('versions', 65536 * greatest(
            v.last_value / 65536 + (1 << 26),
            (1 << 15) * extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00:00+00')::bigint))
  FROM versions v;
  PERFORM setval('instances_id_seq', i.last_value + 1000000) FROM instances_id_seq i;
  DELETE FROM instances;
END $$;

CREATE OR REPLACE FUNCTION join_instances(p_name text, OUT id bigint, OUT epoch bigint, OUT start bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
  PERFORM follow_history();
  UPDATE change_state SET epoch = epoch + 1 RETURNING change_state.epoch INTO epoch;
  SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO start FROM changes_position_seq;
  INSERT INTO instances (name, position) VALUES (p_name, start) RETURNING instances.id INTO id;
END $$;

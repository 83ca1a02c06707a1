CREATE OR REPLACE FUNCTION follow_history() RETURNS void
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

CREATE OR REPLACE FUNCTION tidy_instances(p_silence interval, p_rows integer) RETURNS bigint
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

DROP FUNCTION drop_large_archives();
DROP FUNCTION yield_archive(bytea, bigint);
DROP FUNCTION claim_archive(bytea, bigint, bigint);
DROP FUNCTION release_marks(uuid);
DROP FUNCTION read_archive(bytea, uuid, bigint, bigint);
DROP FUNCTION begin_archive(bytea, bigint);
DROP TABLE change_marks;
DROP TABLE change_archives;
DELETE FROM instances WHERE seen_at = 'infinity';
ALTER TABLE changes DROP COLUMN transaction, DROP COLUMN at;

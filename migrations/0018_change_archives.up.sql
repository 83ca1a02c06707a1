-- What a change log of a store is shipped from: the changes of its keys since the last that is safe on a target. While a
-- store has an archive, every change of every instance is logged, also of one that is alone.
--
-- Where a reader stands is a snapshot: all that is visible to it has been read. So every transaction is read whole and
-- once, whatever the order in which positions were drawn and transactions ended; and what was acknowledged before a
-- snapshot is taken is visible to it.

-- Filled in by their defaults, write_entries does not name them. The time is that at which the statement came, which is
-- behind the request and before its acknowledgement; of older rows nobody asks.
ALTER TABLE changes ADD COLUMN at bigint, ADD COLUMN transaction xid8;
ALTER TABLE changes
  ALTER COLUMN at SET DEFAULT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint,
  ALTER COLUMN transaction SET DEFAULT pg_current_xact_id();

CREATE TABLE change_archives (
  archive   bytea  NOT NULL PRIMARY KEY,  -- what its keys begin with
  instance  bigint NOT NULL,              -- stands for it in instances and is seen for ever: so nobody else is alone
  shipper   bigint,                       -- the instance that ships; another one may once that is not there any more
  max_bytes bigint NOT NULL               -- of changes that wait: above it the archive is given up
) WITH (fillfactor = 50);

-- Places to read on from. The one that the last shipped segment names and all later ones are kept.
CREATE TABLE change_marks (
  number  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token   uuid        NOT NULL UNIQUE DEFAULT gen_random_uuid(),  -- no other history of this database has it
  archive bytea       NOT NULL,
  seen    pg_snapshot NOT NULL,            -- what is visible to it has been read
  upto    pg_snapshot,                     -- and of what is visible to this one
  behind  bigint      NOT NULL DEFAULT 0   -- the transactions whose last position is not greater
) WITH (fillfactor = 50);

ALTER TABLE change_archives SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
ALTER TABLE change_marks SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- A mark of now: everything acknowledged up to `until` lies before it, and everything behind it is logged from now on.
CREATE FUNCTION begin_archive(p_archive bytea, p_max_bytes bigint, OUT token uuid, OUT until bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  v_instance bigint;
BEGIN
  -- Behind every write that did not know of the archive.
  LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM change_archives a JOIN instances i ON i.id = a.instance WHERE a.archive = p_archive) THEN
    UPDATE change_state SET epoch = epoch + 1;
    INSERT INTO instances (name, seen_at, position) VALUES ('change archive', 'infinity', 9223372036854775807)
    RETURNING id INTO v_instance;
    DELETE FROM change_marks m WHERE m.archive = p_archive;
    INSERT INTO change_archives AS a (archive, instance, max_bytes) VALUES (p_archive, v_instance, p_max_bytes)
    ON CONFLICT (archive) DO UPDATE SET instance = excluded.instance, shipper = NULL, max_bytes = excluded.max_bytes;
  END IF;
  -- A mark must not outlive, on a disk elsewhere, what stands before it.
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  until := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  INSERT INTO change_marks AS m (archive, seen) SELECT p_archive, pg_current_snapshot() RETURNING m.token INTO token;
END $$;

-- What came behind the mark, whole transactions until there are p_bytes: in the order in which those ended their last
-- position. No rows: there is no such mark (any more). One with a null key: nothing came, and the mark stays. Otherwise
-- `token` is that of a new mark behind the last row; `complete`: that was all of what was acknowledged up to `until`.
CREATE FUNCTION read_archive(p_archive bytea, p_token uuid, p_bytes bigint, p_instance bigint)
RETURNS TABLE (token uuid, until bigint, complete boolean, at bigint, key bytea, version bigint, created_at bigint,
               updated_at bigint, expires_at bigint, content_type bytea, metadata bytea, tags bytea[], value bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_mark     change_marks%ROWTYPE;
  v_until    bigint;
  v_upto     pg_snapshot;
  v_cut      bigint;
  v_last     bigint;
  v_token    uuid;
  v_complete boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM instances i WHERE i.id = p_instance) THEN
    RAISE EXCEPTION 'this instance is not among the instances' USING ERRCODE = 'HF001';
  END IF;
  SELECT m.* INTO v_mark FROM change_marks m JOIN change_archives a ON a.archive = m.archive
  JOIN instances i ON i.id = a.instance WHERE m.token = p_token AND m.archive = p_archive;
  IF NOT FOUND THEN RETURN; END IF;
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  -- In this order: what was acknowledged by then is visible.
  v_until := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  SELECT coalesce(v_mark.upto, pg_current_snapshot()) INTO v_upto;
  SELECT max(t.last) FILTER (WHERE t.bytes_before < p_bytes), max(t.last) INTO v_cut, v_last
  FROM (SELECT g.last, sum(g.bytes) OVER (ORDER BY g.last) - g.bytes AS bytes_before
        FROM (SELECT max(c.position) AS last,
                     sum(octet_length(c.key) + coalesce(octet_length(c.after_value), 0)) AS bytes
              FROM changes c
              WHERE substring(c.key FROM 1 FOR octet_length(p_archive)) = p_archive
                AND pg_visible_in_snapshot(c.transaction, v_upto)
                AND NOT pg_visible_in_snapshot(c.transaction, v_mark.seen)
              GROUP BY c.transaction) g
        WHERE g.last > v_mark.behind) t;
  v_complete := v_mark.upto IS NULL AND v_cut IS NOT DISTINCT FROM v_last;
  IF v_cut IS NULL AND v_complete THEN
    RETURN QUERY SELECT p_token, v_until, true, NULL::bigint, NULL::bytea, NULL::bigint, NULL::bigint, NULL::bigint,
                        NULL::bigint, NULL::bytea, NULL::bytea, NULL::bytea[], NULL::bytea;
    RETURN;
  END IF;
  INSERT INTO change_marks AS m (archive, seen, upto, behind)
  SELECT p_archive, CASE WHEN v_cut < v_last THEN v_mark.seen ELSE v_upto END,
         CASE WHEN v_cut < v_last THEN v_upto END, CASE WHEN v_cut < v_last THEN v_cut ELSE 0 END
  RETURNING m.token INTO v_token;
  RETURN QUERY
  SELECT v_token, v_until, v_complete, x.moment, x.key, x.after_version, x.after_created_at, x.after_updated_at,
         x.after_expires_at, x.after_content_type, x.after_metadata, x.after_tags, x.after_value
  FROM (SELECT c.*, max(c.position) OVER w AS last, max(c.at) OVER w AS moment FROM changes c
        WHERE substring(c.key FROM 1 FOR octet_length(p_archive)) = p_archive
          AND pg_visible_in_snapshot(c.transaction, v_upto)
          AND NOT pg_visible_in_snapshot(c.transaction, v_mark.seen)
        WINDOW w AS (PARTITION BY c.transaction)) x
  WHERE x.last > v_mark.behind AND x.last <= v_cut ORDER BY x.last, x.position;
END $$;

-- What lies before the mark is safe elsewhere: nobody reads on from an older one.
CREATE FUNCTION release_marks(p_token uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  DELETE FROM change_marks m USING change_marks t
  WHERE t.token = p_token AND m.archive = t.archive AND m.number < t.number
$$;

-- Whether it is this instance that ships: one at a time, until it is not among the instances any more or gives it back.
CREATE FUNCTION claim_archive(p_archive bytea, p_instance bigint, p_max_bytes bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE change_archives a SET shipper = p_instance, max_bytes = p_max_bytes
  WHERE a.archive = p_archive AND (a.shipper IS DISTINCT FROM p_instance OR a.max_bytes <> p_max_bytes)
    AND (a.shipper IS NULL OR a.shipper = p_instance OR NOT EXISTS (SELECT FROM instances i WHERE i.id = a.shipper));
  RETURN NOT EXISTS (SELECT FROM change_archives a WHERE a.archive = p_archive AND a.shipper <> p_instance);
END $$;

CREATE FUNCTION yield_archive(p_archive bytea, p_instance bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  UPDATE change_archives a SET shipper = NULL WHERE a.archive = p_archive AND a.shipper = p_instance
$$;

-- Gives up the archives whose changes that wait have more than max_bytes: their logs get a gap and begin anew.
CREATE FUNCTION drop_large_archives() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  v_archive change_archives%ROWTYPE;
  v_bytes   bigint;
BEGIN
  FOR v_archive IN SELECT * FROM change_archives a WHERE a.max_bytes < pg_total_relation_size('changes') LOOP
    -- As they are stored, nothing is fetched or unpacked.
    SELECT sum(octet_length(c.key) + coalesce(pg_column_size(c.before_value), 0)
               + coalesce(pg_column_size(c.after_value), 0)) INTO v_bytes
    FROM changes c
    WHERE substring(c.key FROM 1 FOR octet_length(v_archive.archive)) = v_archive.archive
      AND NOT pg_visible_in_snapshot(c.transaction, (SELECT m.seen FROM change_marks m
                                                     WHERE m.archive = v_archive.archive ORDER BY m.number LIMIT 1));
    CONTINUE WHEN v_bytes IS NULL OR v_bytes <= v_archive.max_bytes;
    LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
    DELETE FROM instances i WHERE i.id = v_archive.instance;
    DELETE FROM change_marks m WHERE m.archive = v_archive.archive;
    DELETE FROM change_archives a WHERE a.archive = v_archive.archive;
  END LOOP;
END $$;

-- As before, and without what an archive waits for.
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
  PERFORM drop_large_archives();
  DELETE FROM changes WHERE position IN (
    SELECT c.position FROM changes c
    WHERE c.position <= (SELECT min(i.position) FROM instances i)
      AND NOT EXISTS (SELECT FROM change_marks m
                      WHERE substring(c.key FROM 1 FOR octet_length(m.archive)) = m.archive
                        AND NOT pg_visible_in_snapshot(c.transaction, m.seen))
    ORDER BY c.position LIMIT p_rows);
  RETURN removed;
END $$;

-- As before, and archives outlive a failover: what their marks stand for is there where the mark is. Another cluster has
-- transaction numbers of its own, and their snapshots mean nothing there.
CREATE OR REPLACE FUNCTION follow_history() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  v_system   bigint := (SELECT c.system_identifier FROM pg_control_system() c);
  v_timeline text := left(pg_walfile_name(pg_current_wal_lsn()), 8);
  v_other    boolean;
BEGIN
  IF EXISTS (SELECT FROM change_state s WHERE s.system = v_system AND s.timeline = v_timeline) THEN RETURN; END IF;
  LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
  SELECT s.system IS DISTINCT FROM v_system INTO v_other FROM change_state s;
  UPDATE change_state s SET system = v_system, timeline = v_timeline
  WHERE s.system IS DISTINCT FROM v_system OR s.timeline IS DISTINCT FROM v_timeline;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM setval('versions', 65536 * greatest(
            v.last_value / 65536 + (1 << 26),
            (1 << 15) * extract(epoch FROM clock_timestamp() - timestamptz '2026-01-01 00:00:00+00')::bigint))
  FROM versions v;
  PERFORM setval('instances_id_seq', i.last_value + 1000000) FROM instances_id_seq i;
  DELETE FROM change_marks WHERE v_other;
  DELETE FROM change_archives WHERE v_other;
  DELETE FROM instances WHERE v_other OR seen_at < 'infinity';
END $$;

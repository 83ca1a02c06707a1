-- The only way in which entries change. One call locks the keys, compares what stands there with what the caller saw,
-- and writes: many keys, one round trip, one commit.
--
-- p_locks     numbers of the keys' locks, ascending and without duplicates, so that calls cannot wait in a circle
-- p_instance  who writes (instances.id)
-- p_epoch     the epoch in which it was alone, or -1: then, and in any other epoch, the log is written
-- p_all       all rows or none
-- p_cause     changes.cause
-- p_clock     the time; null = the server's
-- p_read_at   the time at which the caller saw what it saw
-- the others  one element for each row; arrays that end early are filled up with nulls:
--   p_blind          true: whatever stands there; else it must be the version (null = nothing) and expiry seen
--   p_actions        0 erase, 1 write, 2 change only expires_at, 3 nothing: the row has only to be as it was seen;
--                    empty: all rows are written, blind
--   p_offsets        the version of a written row, counted from the block that the call is given
--   p_created_at     null = that of the live row there, or now
--   p_updated_at     null = now
--   p_expires_at, p_ttls   one of them, or none: never
--
-- Every row is answered, whether it held or not, with what stood there before.
CREATE FUNCTION write_entries(
  p_locks integer[], p_instance bigint, p_epoch bigint, p_all boolean, p_cause smallint, p_clock bigint,
  p_read_at bigint,
  p_keys bytea[], p_blind boolean[], p_seen_versions bigint[], p_seen_expiries bigint[], p_actions smallint[],
  p_offsets integer[], p_created_at bigint[], p_updated_at bigint[], p_expires_at bigint[], p_ttls bigint[],
  p_content_types bytea[], p_metadata bytea[], p_tags text[], p_values bytea[])
RETURNS TABLE (n integer, held boolean, first_version bigint, at bigint, log_position bigint,
               version bigint, created_at bigint, updated_at bigint, expires_at bigint, content_type bytea,
               metadata bytea, tags bytea[], value bytea)
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET jit = off
  SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  v_class integer := 'entries'::regclass::oid::integer;
  v_first bigint;
  v_now   bigint;
  v_log   boolean;
BEGIN
  -- Any other level would show what stood there before the locks were had.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'write_entries needs the isolation level read committed' USING ERRCODE = 'HF002';
  END IF;
  -- Statements below see what was committed before these locks were had. Nothing that costs a transaction number comes
  -- before them, nor a version: both would be older than what another caller writes meanwhile.
  PERFORM pg_advisory_xact_lock(v_class, l) FROM unnest(p_locks) AS l;
  SELECT s.epoch <> p_epoch INTO v_log FROM change_state s
  WHERE s.one AND EXISTS (SELECT FROM instances i WHERE i.id = p_instance);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this instance is not among the instances' USING ERRCODE = 'HF001';
  END IF;
  v_first := nextval('versions');
  v_now := coalesce(p_clock, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
  IF cardinality(p_actions) = 0 AND NOT v_log THEN
    -- The common case, puts that nothing is asked of and nobody else has to hear of, without what only others need.
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
      SELECT w.*, e.*
      FROM unnest(p_keys, p_offsets, p_expires_at, p_ttls, p_content_types, p_metadata, p_tags, p_values)
           WITH ORDINALITY AS w(new_key, version_offset, new_expires_at, ttl, new_content_type, new_metadata, new_tags,
                                new_value, row_number)
      LEFT JOIN LATERAL (SELECT * FROM entries x WHERE x.key = w.new_key LIMIT 1) e ON true
    ), written AS (
      INSERT INTO entries AS e
      SELECT w.new_key, v_first + w.version_offset,
             CASE WHEN w.expires_at <= v_now THEN v_now ELSE coalesce(w.created_at, v_now) END, v_now,
             coalesce(w.new_expires_at, v_now + w.ttl), w.new_content_type, w.new_metadata, w.new_tags::bytea[],
             w.new_value
      FROM wanted w
      ON CONFLICT (key) DO UPDATE
        SET version = excluded.version, created_at = excluded.created_at, updated_at = excluded.updated_at,
            expires_at = excluded.expires_at, content_type = excluded.content_type, metadata = excluded.metadata,
            tags = excluded.tags, value = excluded.value
    )
    SELECT w.row_number::integer, true, v_first, v_now, NULL::bigint,
           w.version, w.created_at, w.updated_at, w.expires_at, w.content_type, w.metadata, w.tags, w.value
    FROM wanted w;
    RETURN;
  END IF;
  IF cardinality(p_actions) = 0 THEN
    p_actions := array_fill(1::smallint, ARRAY[cardinality(p_keys)]);
    p_blind := array_fill(true, ARRAY[cardinality(p_keys)]);
  END IF;
  RETURN QUERY
  WITH wanted AS MATERIALIZED (
    SELECT w.*, e.*,
           CASE WHEN w.blind
                -- Of a blind erasure an expired row is none of its business: the sweeper tells that it expired.
                THEN w.action <> 0 OR (e.version IS NOT NULL AND (e.expires_at IS NULL OR e.expires_at > v_now))
                ELSE e.version IS NOT DISTINCT FROM w.seen_version
                     AND e.expires_at IS NOT DISTINCT FROM w.seen_expiry
                     -- It may have expired since the caller looked.
                     AND (e.expires_at IS NULL OR p_read_at IS NULL OR (e.expires_at <= p_read_at) = (e.expires_at <= v_now))
           END AS holds
    FROM unnest(p_keys, p_blind, p_seen_versions, p_seen_expiries, p_actions, p_offsets, p_created_at, p_updated_at,
                p_expires_at, p_ttls, p_content_types, p_metadata, p_tags, p_values) WITH ORDINALITY
         AS w(new_key, blind, seen_version, seen_expiry, action, version_offset, new_created_at, new_updated_at,
              new_expires_at, ttl, new_content_type, new_metadata, new_tags, new_value, row_number)
    LEFT JOIN LATERAL (SELECT * FROM entries x WHERE x.key = w.new_key LIMIT 1) e ON true
  ), chosen AS MATERIALIZED (
    SELECT w.row_number, w.new_key, w.action,
           CASE w.action WHEN 1 THEN v_first + w.version_offset WHEN 2 THEN w.version END AS version,
           CASE w.action
             WHEN 1 THEN coalesce(w.new_created_at,
                                  CASE WHEN w.expires_at IS NULL OR w.expires_at > v_now THEN w.created_at END, v_now)
             WHEN 2 THEN w.created_at END AS created_at,
           CASE w.action WHEN 1 THEN coalesce(w.new_updated_at, v_now) WHEN 2 THEN w.updated_at END AS updated_at,
           coalesce(w.new_expires_at, v_now + w.ttl) AS expires_at,
           CASE w.action WHEN 1 THEN w.new_content_type WHEN 2 THEN w.content_type END AS content_type,
           CASE w.action WHEN 1 THEN w.new_metadata WHEN 2 THEN w.metadata END AS metadata,
           CASE w.action WHEN 1 THEN w.new_tags::bytea[] WHEN 2 THEN w.tags END AS tags,
           CASE w.action WHEN 1 THEN w.new_value WHEN 2 THEN w.value END AS value
    FROM wanted w
    WHERE w.holds AND (NOT p_all OR NOT EXISTS (SELECT FROM wanted o WHERE NOT o.holds))
  ), erased AS (
    DELETE FROM entries e USING chosen c WHERE c.action = 0 AND e.key = c.new_key
  ), moved AS (
    UPDATE entries e SET expires_at = c.expires_at FROM chosen c WHERE c.action = 2 AND e.key = c.new_key
  ), written AS (
    INSERT INTO entries AS e
    SELECT c.new_key, c.version, c.created_at, c.updated_at, c.expires_at, c.content_type, c.metadata, c.tags, c.value
    FROM chosen c WHERE c.action = 1
    ON CONFLICT (key) DO UPDATE
      SET version = excluded.version, created_at = excluded.created_at, updated_at = excluded.updated_at,
          expires_at = excluded.expires_at, content_type = excluded.content_type, metadata = excluded.metadata,
          tags = excluded.tags, value = excluded.value
  ), logged AS (
    INSERT INTO changes (key, cause, before_version, before_created_at, before_updated_at, before_expires_at,
                         before_content_type, before_metadata, before_tags, before_value, after_version,
                         after_created_at, after_updated_at, after_expires_at, after_content_type, after_metadata,
                         after_tags, after_value)
    SELECT c.new_key, p_cause, w.version, w.created_at, w.updated_at, w.expires_at, w.content_type, w.metadata, w.tags,
           w.value, c.version, c.created_at, c.updated_at, CASE WHEN c.action <> 0 THEN c.expires_at END,
           c.content_type, c.metadata, c.tags, c.value
    FROM chosen c JOIN wanted w USING (row_number)
    WHERE v_log AND c.action <> 3 AND (c.action <> 0 OR w.version IS NOT NULL)
    RETURNING position
  )
  SELECT w.row_number::integer, w.holds, v_first, v_now, (SELECT max(position) FROM logged),
         w.version, w.created_at, w.updated_at, w.expires_at, w.content_type, w.metadata, w.tags, w.value
  FROM wanted w;
END $$;

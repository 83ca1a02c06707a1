-- For people and scripts beside the service: what it does with the same entries, in SQL. The ones that write go through
-- write_entries, so versions rise, and services that run hear of the changes. They hold up all other writers while they
-- work, because they join the writers for that long; the service itself never calls them.

-- The entries of a prefix in the order of their keys, strictly behind p_after; without what has expired.
CREATE FUNCTION prefix_page(p_prefix bytea, p_after bytea DEFAULT NULL, p_limit integer DEFAULT 100)
RETURNS TABLE (key bytea, version bigint, created_at timestamptz, updated_at timestamptz, expires_at timestamptz,
               value bytea)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  v_end bytea := p_prefix;
BEGIN
  IF p_limit < 1 OR p_limit > 10000 THEN
    RAISE EXCEPTION 'p_limit is %; it has to be 1 to 10000', p_limit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- The first key behind the prefix: its last byte that can be raised is, and what follows goes; none: no end.
  WHILE octet_length(v_end) > 0 AND get_byte(v_end, octet_length(v_end) - 1) = 255 LOOP
    v_end := substring(v_end FROM 1 FOR octet_length(v_end) - 1);
  END LOOP;
  IF octet_length(v_end) > 0 THEN
    v_end := set_byte(v_end, octet_length(v_end) - 1, get_byte(v_end, octet_length(v_end) - 1) + 1);
  ELSE
    v_end := NULL;
  END IF;
  RETURN QUERY
  SELECT e.key, e.version, to_timestamp(e.created_at / 1000000.0), to_timestamp(e.updated_at / 1000000.0),
         to_timestamp(e.expires_at / 1000000.0), e.value
  FROM entries e
  WHERE e.key >= p_prefix AND (v_end IS NULL OR e.key < v_end) AND (p_after IS NULL OR e.key > p_after)
    AND (e.expires_at IS NULL OR e.expires_at > extract(epoch FROM clock_timestamp()) * 1000000)
  ORDER BY e.key LIMIT p_limit;
END $$;

-- Puts many keys; of a key that is named twice the last value. All of them, or none. Returns how many keys there were.
CREATE FUNCTION bulk_upsert(p_keys bytea[], p_values bytea[], p_ttl interval DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_instance bigint;
  v_keys     bytea[];
  v_values   bytea[];
  v_begin    integer;
  v_chunk    CONSTANT integer := 10000;  -- what a block of versions serves, with room
BEGIN
  IF cardinality(p_keys) <> cardinality(p_values) THEN
    RAISE EXCEPTION '% keys and % values; each key needs one', cardinality(p_keys), cardinality(p_values)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_ttl <= interval '0' THEN
    RAISE EXCEPTION 'p_ttl is %; it has to be above zero, or null for no expiry', p_ttl
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT array_agg(u.key ORDER BY u.key), array_agg(u.value ORDER BY u.key) INTO v_keys, v_values
  FROM (SELECT DISTINCT ON (p.key) p.key, p.value
        FROM unnest(p_keys, p_values) WITH ORDINALITY AS p(key, value, n) ORDER BY p.key, p.n DESC) u;
  IF v_keys IS NULL THEN RETURN 0; END IF;
  SELECT j.id INTO v_instance FROM join_instances('bulk_upsert') j;
  FOR v_begin IN SELECT generate_series(1, cardinality(v_keys), v_chunk) LOOP
    PERFORM FROM (
      SELECT array_agg(true) AS blind, array_agg(1::smallint) AS actions, array_agg(s.i - 1) AS offsets,
             array_agg((extract(epoch FROM p_ttl) * 1000000)::bigint) AS ttls
      FROM generate_series(1, least(v_chunk, cardinality(v_keys) - v_begin + 1)) AS s(i)) a,
      write_entries('{}', v_instance, -1, true, 0::smallint, NULL, NULL, v_keys[v_begin:v_begin + v_chunk - 1], a.blind,
                    '{}', '{}', a.actions, a.offsets, '{}', '{}', '{}', a.ttls, '{}', '{}', '{}',
                    v_values[v_begin:v_begin + v_chunk - 1]);
  END LOOP;
  PERFORM leave_instances(v_instance);
  RETURN cardinality(v_keys);
END $$;

-- Puts the value when the key has this version; null = when there is none. Returns the new version, or null when the key
-- had another one. The expiry is taken away.
CREATE FUNCTION compare_and_swap(p_key bytea, p_version bigint, p_value bytea) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_instance bigint;
  v_at       bigint;
  v_seen     record;
  v_version  bigint;
BEGIN
  SELECT j.id INTO v_instance FROM join_instances('compare_and_swap') j;
  v_at := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  SELECT e.version, e.expires_at INTO v_seen FROM entries e WHERE e.key = p_key;
  -- What has expired is not there, though its row may be.
  IF p_version IS NOT DISTINCT FROM (CASE WHEN v_seen.expires_at <= v_at THEN NULL ELSE v_seen.version END) THEN
    SELECT w.first_version INTO v_version
    FROM write_entries('{}', v_instance, -1, true, 0::smallint, v_at, v_at, ARRAY[p_key], ARRAY[false],
                       ARRAY[v_seen.version], ARRAY[v_seen.expires_at], ARRAY[1::smallint], ARRAY[0], '{}', '{}', '{}',
                       '{}', '{}', '{}', '{}', ARRAY[p_value]) w
    WHERE w.held;
  END IF;
  PERFORM leave_instances(v_instance);
  RETURN v_version;
END $$;

-- Removes what has expired, oldest first; returns how many rows. The service does the same by itself.
CREATE FUNCTION clean_expired(p_limit integer DEFAULT 1000) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  v_instance bigint;
  v_at       bigint;
  v_removed  bigint;
BEGIN
  IF p_limit < 1 OR p_limit > 10000 THEN
    RAISE EXCEPTION 'p_limit is %; it has to be 1 to 10000', p_limit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT j.id INTO v_instance FROM join_instances('clean_expired') j;
  v_at := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  SELECT count(*) FILTER (WHERE w.held) INTO v_removed
  FROM (SELECT array_agg(e.key) AS keys, array_agg(false) AS blind, array_agg(e.version) AS versions,
               array_agg(e.expires_at) AS expiries, array_agg(0::smallint) AS actions
        FROM (SELECT x.key, x.version, x.expires_at FROM entries x WHERE x.expires_at <= v_at
              ORDER BY x.expires_at LIMIT p_limit) e) a,
       write_entries('{}', v_instance, -1, false, 1::smallint, v_at, v_at, a.keys, a.blind, a.versions, a.expiries,
                     a.actions, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}') w;
  PERFORM leave_instances(v_instance);
  RETURN v_removed;
END $$;

-- Everything at once, counted exactly: reads the whole table, without the large values.
CREATE FUNCTION entry_statistics(OUT entries bigint, OUT value_bytes bigint, OUT expiring bigint, OUT expired bigint,
                                 OUT table_bytes bigint, OUT index_bytes bigint, OUT dead_rows bigint)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT count(*), coalesce(sum(octet_length(e.value)), 0)::bigint, count(e.expires_at),
         count(*) FILTER (WHERE e.expires_at <= extract(epoch FROM clock_timestamp()) * 1000000),
         pg_table_size('entries'), pg_indexes_size('entries'), pg_stat_get_dead_tuples('entries'::regclass)
  FROM entries e
$$;

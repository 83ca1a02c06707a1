-- What each tenant keeps. A refresh reads the whole table once, while others read and write; see maintenance_tasks for
-- how often. Empty until the first one.
CREATE MATERIALIZED VIEW key_space_statistics AS
SELECT encode(p.store, 'escape') AS store, encode(p.name_space, 'escape') AS name_space, encode(p.room, 'escape') AS room,
       count(*) AS entries, sum(octet_length(p.key))::bigint AS key_bytes, sum(p.value_bytes)::bigint AS value_bytes,
       max(p.value_bytes) AS largest_value, count(p.expires_at) AS expiring,
       to_timestamp(min(p.created_at) / 1000000.0) AS oldest, to_timestamp(max(p.updated_at) / 1000000.0) AS newest
FROM (
  -- store \0 namespace \0 room key; a key that is not so has no store.
  SELECT e.key, e.created_at, e.updated_at, e.expires_at, octet_length(e.value) AS value_bytes,
         CASE WHEN s.zero > 0 AND t.zero > 0 THEN substring(e.key FROM 1 FOR s.zero - 1) ELSE '' END AS store,
         CASE WHEN s.zero > 0 AND t.zero > 0 THEN substring(s.rest FROM 1 FOR t.zero - 1) ELSE '' END AS name_space,
         CASE WHEN s.zero > 0 AND t.zero > 0 THEN substring(s.rest FROM t.zero + 1 FOR 1) ELSE '' END AS room
  FROM entries e,
       LATERAL (SELECT position('\x00'::bytea IN e.key) AS zero,
                       substring(e.key FROM position('\x00'::bytea IN e.key) + 1) AS rest) s,
       LATERAL (SELECT position('\x00'::bytea IN s.rest) AS zero) t
) p
GROUP BY p.store, p.name_space, p.room
WITH NO DATA;

-- What a refresh beside readers needs.
CREATE UNIQUE INDEX key_space_statistics_place ON key_space_statistics (store, name_space, room);

CREATE FUNCTION refresh_statistics() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF (SELECT c.relispopulated FROM pg_class c WHERE c.oid = 'key_space_statistics'::regclass) THEN
    REFRESH MATERIALIZED VIEW CONCURRENTLY key_space_statistics;
  ELSE
    REFRESH MATERIALIZED VIEW key_space_statistics;
  END IF;
END $$;

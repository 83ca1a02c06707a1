-- The server's own figures over the last days, for the question what was different yesterday. One row for each figure;
-- label says of what (a table, a connection state, a replica).
CREATE TABLE monitoring_samples (
  at     timestamptz      NOT NULL,
  metric text             NOT NULL,
  label  text             NOT NULL DEFAULT '',
  value  double precision NOT NULL
) PARTITION BY RANGE (at);

CREATE TABLE monitoring_samples_default PARTITION OF monitoring_samples DEFAULT;
CREATE INDEX monitoring_samples_metric ON monitoring_samples (metric, label, at);

INSERT INTO partition_policies (parent, period, ahead, keep) VALUES ('monitoring_samples', 'day', 3, interval '7 days');

-- Now, without writing anything. As a role without pg_monitor some figures are missing.
CREATE VIEW monitoring_now AS
SELECT 'connections' AS metric, coalesce(state, 'background') AS label, count(*)::double precision AS value
FROM pg_stat_activity WHERE datname = current_database() GROUP BY coalesce(state, 'background')
UNION ALL
SELECT 'oldest_transaction_seconds', '', coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
UNION ALL
SELECT 'waiting_locks', '', count(*) FROM pg_locks WHERE NOT granted
UNION ALL
SELECT 'database_bytes', '', pg_database_size(current_database())
UNION ALL
SELECT f.metric, t.relname, f.value
FROM pg_stat_user_tables t,
     LATERAL (VALUES ('live_rows', t.n_live_tup::double precision), ('dead_rows', t.n_dead_tup),
                     ('table_bytes', pg_table_size(t.relid)), ('index_bytes', pg_indexes_size(t.relid))) AS f(metric, value)
WHERE t.relid IN ('entries'::regclass, 'changes'::regclass)
UNION ALL
SELECT 'replication_lag_bytes', application_name, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)
FROM pg_stat_replication WHERE NOT pg_is_in_recovery() AND replay_lsn IS NOT NULL;

CREATE FUNCTION take_samples() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  v_at    timestamptz := clock_timestamp();
  v_taken bigint;
BEGIN
  INSERT INTO monitoring_samples (at, metric, label, value)
  SELECT v_at, n.metric, n.label, sum(n.value) FROM monitoring_now n GROUP BY n.metric, n.label;
  GET DIAGNOSTICS v_taken = ROW_COUNT;
  RETURN v_taken;
END $$;

SELECT maintain_partitions();

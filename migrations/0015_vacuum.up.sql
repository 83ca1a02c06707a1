-- Vacuum for where autovacuum does not keep up or was switched off. VACUUM can stand in no function and no transaction:
-- whoever asks here is told what it is to do, and nobody else is told so until the task is due again.
INSERT INTO maintenance_tasks (task, every) VALUES ('vacuum', interval '1 minute');

-- Tables of the schema with more dead rows than p_dead_rows and p_dead_share of their rows beside, the worst first;
-- those that the session's user may vacuum.
CREATE FUNCTION claim_vacuum(p_dead_rows bigint, p_dead_share double precision) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  v_begin timestamptz := clock_timestamp();
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('holdfast maintenance ' || current_schema(), 0)) THEN RETURN; END IF;
  UPDATE maintenance_tasks t SET last_run = v_begin, took = NULL, problem = NULL
  WHERE t.task = 'vacuum' AND t.every IS NOT NULL AND (t.last_run IS NULL OR t.last_run <= v_begin - t.every);
  IF NOT FOUND THEN RETURN; END IF;
  RETURN QUERY
  SELECT format('%I.%I', s.schemaname, s.relname)
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
  WHERE s.schemaname = current_schema() AND c.relkind = 'r'
    AND s.n_dead_tup > p_dead_rows + p_dead_share * s.n_live_tup AND pg_has_role(session_user, c.relowner, 'USAGE')
  ORDER BY s.n_dead_tup DESC;
END $$;

-- How it ended; null = well.
CREATE FUNCTION record_vacuum(p_problem text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  UPDATE maintenance_tasks t SET took = clock_timestamp() - t.last_run, problem = p_problem WHERE t.task = 'vacuum'
$$;

-- As before, without the task that it cannot do.
CREATE OR REPLACE FUNCTION maintain(OUT task text, OUT problem text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  v_begin timestamptz := clock_timestamp();
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('holdfast maintenance ' || current_schema(), 0)) THEN RETURN; END IF;
  SELECT t.task INTO task FROM maintenance_tasks t
  -- What could not be done is tried again soon, and the less often the longer it took.
  WHERE t.task <> 'vacuum' AND t.every IS NOT NULL AND (t.last_run IS NULL OR t.last_run <= v_begin -
          CASE WHEN t.problem IS NULL THEN t.every ELSE least(t.every, greatest(interval '1 minute', t.took * 10)) END)
  ORDER BY t.last_run NULLS FIRST, t.task LIMIT 1;
  IF task IS NULL THEN RETURN; END IF;
  BEGIN
    CASE task
      WHEN 'partitions' THEN
        SELECT 'postponed: ' || string_agg(p.partition_name, ', ') INTO problem
        FROM maintain_partitions() p WHERE p.action = 'postponed';
      WHEN 'samples' THEN PERFORM take_samples();
      WHEN 'statistics' THEN PERFORM refresh_statistics();
      ELSE RAISE EXCEPTION 'there is no task of this name';
    END CASE;
  EXCEPTION WHEN OTHERS OR query_canceled THEN
    -- One that fails does not keep the others from their turn; nor does one that a statement_timeout ends.
    problem := SQLERRM;
  END;
  UPDATE maintenance_tasks t SET last_run = v_begin, took = clock_timestamp() - v_begin, problem = maintain.problem
  WHERE t.task = maintain.task;
END $$;

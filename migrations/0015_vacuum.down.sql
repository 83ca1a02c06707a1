CREATE OR REPLACE FUNCTION maintain(OUT task text, OUT problem text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  v_begin timestamptz := clock_timestamp();
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('holdfast maintenance ' || current_schema(), 0)) THEN RETURN; END IF;
  SELECT t.task INTO task FROM maintenance_tasks t
  -- What could not be done is tried again soon, and the less often the longer it took.
  WHERE t.every IS NOT NULL AND (t.last_run IS NULL OR t.last_run <= v_begin -
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
DROP FUNCTION record_vacuum(text);
DROP FUNCTION claim_vacuum(bigint, double precision);
DELETE FROM maintenance_tasks WHERE task = 'vacuum';

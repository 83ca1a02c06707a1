-- What has to be done from time to time, and when it was done last. `every` null: never. SELECT * FROM maintain() does
-- the one thing that has been due for longest; call it every minute until its task is null, from wherever there is one:
-- one caller works, the others return at once.
CREATE TABLE maintenance_tasks (
  task     text NOT NULL PRIMARY KEY,
  every    interval CHECK (every >= interval '1 second'),
  last_run timestamptz,
  took     interval,
  problem  text  -- of the last run; null = none
) WITH (fillfactor = 50);
INSERT INTO maintenance_tasks (task, every) VALUES
  ('partitions', interval '1 hour'),
  ('samples', interval '1 minute'),
  ('statistics', interval '1 day');

-- One task, and so one transaction for each: no task keeps the locks of another while it works.
CREATE FUNCTION maintain(OUT task text, OUT problem text)
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

-- What has to be done from time to time, and when it was done last. `every` null: never. SELECT maintain() does what is
-- due; call it every minute from wherever there is one: one caller works, the others return at once.
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

CREATE FUNCTION maintain() RETURNS TABLE (task text, problem text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  v_task  record;
  v_begin timestamptz;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('holdfast maintenance ' || current_schema(), 0)) THEN RETURN; END IF;
  FOR v_task IN
    SELECT t.task FROM maintenance_tasks t
    WHERE t.every IS NOT NULL AND (t.last_run IS NULL OR t.last_run <= clock_timestamp() - t.every)
    ORDER BY t.task
  LOOP
    v_begin := clock_timestamp();
    problem := NULL;
    BEGIN
      CASE v_task.task
        WHEN 'partitions' THEN PERFORM maintain_partitions();
        WHEN 'samples' THEN PERFORM take_samples();
        WHEN 'statistics' THEN PERFORM refresh_statistics();
        ELSE RAISE EXCEPTION 'there is no task of this name';
      END CASE;
    EXCEPTION WHEN OTHERS THEN
      -- One that fails does not keep the others from running.
      problem := SQLERRM;
    END;
    UPDATE maintenance_tasks t SET last_run = v_begin, took = clock_timestamp() - v_begin, problem = maintain.problem
    WHERE t.task = v_task.task;
    task := v_task.task;
    RETURN NEXT;
  END LOOP;
END $$;

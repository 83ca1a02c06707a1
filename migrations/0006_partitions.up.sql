-- Which tables are cut into periods of time, how many of these are made in advance, and how long they are kept. Change
-- the rows as needed; a new row asks for a partitioned table with a column `at` and a partition NAME_default.
CREATE TABLE partition_policies (
  parent text     NOT NULL PRIMARY KEY,
  period text     NOT NULL CHECK (period IN ('day', 'month')),
  ahead  integer  NOT NULL CHECK (ahead BETWEEN 1 AND 60),
  keep   interval NOT NULL CHECK (keep >= interval '1 day')
);
INSERT INTO partition_policies (parent, period, ahead, keep) VALUES
  ('transaction_log', 'day', 3, interval '7 days'),
  ('audit_log', 'month', 2, interval '90 days');

-- Makes one partition, with what stands in the default partition for its time. False when somebody else was in the way;
-- the next run tries again.
CREATE FUNCTION make_partition(p_parent text, p_name text, p_from timestamptz, p_to timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
BEGIN
  -- Attaching lets others read and write the table meanwhile; CREATE TABLE ... PARTITION OF does not.
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', p_name, p_parent);
  EXECUTE format('WITH moved AS (DELETE FROM %I WHERE at >= %L AND at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                 p_parent || '_default', p_from, p_to, p_name);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_parent, p_name, p_from, p_to);
  PERFORM record_audit('partition made', p_name);
  RETURN true;
EXCEPTION
  -- A row came into the default partition behind the DELETE, or a lock was not to be had.
  WHEN check_violation OR lock_not_available THEN RETURN false;
END $$;

CREATE FUNCTION drop_partition(p_name text) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
BEGIN
  EXECUTE format('DROP TABLE %I', p_name);
  PERFORM record_audit('partition dropped', p_name);
  RETURN true;
EXCEPTION
  WHEN lock_not_available THEN RETURN false;
END $$;

-- Makes what is missing and drops what is too old; returns what it did. May run as often as one likes, from several
-- places at once: one of them works. Periods begin in UTC.
CREATE FUNCTION maintain_partitions(p_now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (partition_name text, action text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
DECLARE
  v_policy  partition_policies%ROWTYPE;
  v_step    interval;
  v_from    timestamptz;
  v_last    timestamptz;
  v_oldest  timestamptz;
  v_child   record;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('holdfast partitions ' || current_schema(), 0)) THEN RETURN; END IF;
  FOR v_policy IN SELECT * FROM partition_policies ORDER BY parent LOOP
    v_step := ('1 ' || v_policy.period)::interval;
    EXECUTE format('DELETE FROM %I WHERE at < $1', v_policy.parent || '_default') USING p_now - v_policy.keep;
    -- From the oldest row that found no partition, when maintenance has not run for a while.
    EXECUTE format('SELECT min(at) FROM %I', v_policy.parent || '_default') INTO v_oldest;
    v_from := date_trunc(v_policy.period, least(v_oldest, p_now));
    v_last := date_trunc(v_policy.period, p_now) + v_policy.ahead * v_step;
    WHILE v_from <= v_last LOOP
      partition_name := v_policy.parent || '_' || to_char(v_from, CASE v_policy.period WHEN 'day' THEN 'YYYYMMDD' ELSE 'YYYYMM' END);
      IF to_regclass(quote_ident(partition_name)) IS NULL THEN
        action := CASE WHEN make_partition(v_policy.parent, partition_name, v_from, v_from + v_step)
                  THEN 'made' ELSE 'postponed' END;
        RETURN NEXT;
        -- Who is in the way now is so for the next one too, and everybody else waits behind each attempt.
        EXIT WHEN action = 'postponed';
      END IF;
      v_from := v_from + v_step;
    END LOOP;
    FOR v_child IN
      SELECT c.relname,
             substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS upper
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = to_regclass(quote_ident(v_policy.parent)) AND NOT i.inhdetachpending
      ORDER BY c.relname
    LOOP
      CONTINUE WHEN v_child.upper IS NULL OR v_child.upper > p_now - v_policy.keep;
      partition_name := v_child.relname;
      action := CASE WHEN drop_partition(partition_name) THEN 'dropped' ELSE 'postponed' END;
      RETURN NEXT;
      EXIT WHEN action = 'postponed';
    END LOOP;
  END LOOP;
END $$;

SELECT maintain_partitions();

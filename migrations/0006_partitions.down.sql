-- What stands in the partitions goes back to where it was before there were any.
DO $$
DECLARE
  v_child record;
BEGIN
  FOR v_child IN
    SELECT c.relname, p.parent
    FROM partition_policies p JOIN pg_inherits i ON i.inhparent = to_regclass(quote_ident(p.parent))
         JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relname <> p.parent || '_default'
  LOOP
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', v_child.parent, v_child.relname);
    EXECUTE format('INSERT INTO %I SELECT * FROM %I', v_child.parent, v_child.relname);
    EXECUTE format('DROP TABLE %I', v_child.relname);
  END LOOP;
END $$;
DROP FUNCTION maintain_partitions(timestamptz);
DROP FUNCTION drop_partition(text);
DROP FUNCTION make_partition(text, text, timestamptz, timestamptz);
DROP TABLE partition_policies;

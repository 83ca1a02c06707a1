CREATE OR REPLACE FUNCTION join_instances(p_name text, OUT id bigint, OUT epoch bigint, OUT start bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  LOCK TABLE change_state IN ACCESS EXCLUSIVE MODE;
  UPDATE change_state SET epoch = epoch + 1 RETURNING change_state.epoch INTO epoch;
  SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO start FROM changes_position_seq;
  INSERT INTO instances (name, position) VALUES (p_name, start) RETURNING instances.id INTO id;
END $$;
DROP FUNCTION follow_history();
ALTER TABLE change_state DROP COLUMN timeline, DROP COLUMN system;

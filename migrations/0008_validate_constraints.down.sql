-- A constraint cannot be made invalid again: it is put back as the step before left it.
ALTER TABLE entries
  DROP CONSTRAINT entries_key_size,
  DROP CONSTRAINT entries_version_positive,
  ADD CONSTRAINT entries_key_size CHECK (octet_length(key) BETWEEN 1 AND 2600) NOT VALID,
  ADD CONSTRAINT entries_version_positive CHECK (version > 0) NOT VALID;
ALTER TABLE instances
  DROP CONSTRAINT instances_position_positive,
  ADD CONSTRAINT instances_position_positive CHECK (position >= 0) NOT VALID;
ALTER TABLE changes
  DROP CONSTRAINT changes_cause_known,
  ADD CONSTRAINT changes_cause_known CHECK (cause IN (0, 1)) NOT VALID;

-- NOT VALID: holds for what is written from now on and takes its lock for a moment only. The next step looks at what is
-- there already, with a lock that lets others write.
ALTER TABLE entries
  ADD CONSTRAINT entries_key_size CHECK (octet_length(key) BETWEEN 1 AND 2600) NOT VALID,
  ADD CONSTRAINT entries_version_positive CHECK (version > 0) NOT VALID;
ALTER TABLE instances ADD CONSTRAINT instances_position_positive CHECK (position >= 0) NOT VALID;
ALTER TABLE changes ADD CONSTRAINT changes_cause_known CHECK (cause IN (0, 1)) NOT VALID;

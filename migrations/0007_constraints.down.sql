ALTER TABLE changes DROP CONSTRAINT changes_cause_known;
ALTER TABLE instances DROP CONSTRAINT instances_position_positive;
ALTER TABLE entries DROP CONSTRAINT entries_version_positive, DROP CONSTRAINT entries_key_size;

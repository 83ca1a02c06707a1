ALTER TABLE entries VALIDATE CONSTRAINT entries_key_size;
ALTER TABLE entries VALIDATE CONSTRAINT entries_version_positive;
ALTER TABLE instances VALIDATE CONSTRAINT instances_position_positive;
ALTER TABLE changes VALIDATE CONSTRAINT changes_cause_known;

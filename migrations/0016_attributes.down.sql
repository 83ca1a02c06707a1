ALTER TABLE entries DROP COLUMN attributes;
DROP FUNCTION attributes_of(bytea, bytea[]);

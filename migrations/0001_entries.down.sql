DROP SEQUENCE versions;
DROP TABLE entries;

-- holdfast: destroys-data
DROP SEQUENCE versions;
DROP TABLE entries;

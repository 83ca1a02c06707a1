DROP FUNCTION write_entries;

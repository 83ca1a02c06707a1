DROP FUNCTION refresh_statistics();
DROP MATERIALIZED VIEW key_space_statistics;

-- Vacuum little and often: a share of the rows that is right for a small table is far too many for a large one.
ALTER TABLE entries SET (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.02,
  autovacuum_vacuum_cost_delay = 1,
  toast.autovacuum_vacuum_scale_factor = 0.02,
  toast.autovacuum_vacuum_cost_delay = 1
);
-- Rows of these come and go all the time.
ALTER TABLE instances SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
ALTER TABLE change_state SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);
ALTER TABLE maintenance_tasks SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- Nobody asks for rows by these; a sample of large values would cost more than the rest of ANALYZE.
ALTER TABLE entries ALTER COLUMN value SET STATISTICS 0;
ALTER TABLE entries ALTER COLUMN metadata SET STATISTICS 0;
ALTER TABLE entries ALTER COLUMN content_type SET STATISTICS 0;
ALTER TABLE entries ALTER COLUMN key SET STATISTICS 1000;

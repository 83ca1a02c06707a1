ALTER TABLE entries ALTER COLUMN key SET STATISTICS -1;
ALTER TABLE entries ALTER COLUMN content_type SET STATISTICS -1;
ALTER TABLE entries ALTER COLUMN metadata SET STATISTICS -1;
ALTER TABLE entries ALTER COLUMN value SET STATISTICS -1;
ALTER TABLE maintenance_tasks RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE change_state RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE instances RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE entries RESET (
  autovacuum_vacuum_scale_factor,
  autovacuum_vacuum_threshold,
  autovacuum_vacuum_insert_scale_factor,
  autovacuum_analyze_scale_factor,
  autovacuum_vacuum_cost_delay,
  toast.autovacuum_vacuum_scale_factor,
  toast.autovacuum_vacuum_cost_delay
);

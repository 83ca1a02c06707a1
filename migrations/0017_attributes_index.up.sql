-- holdfast: no-transaction
-- Serves =, in and has on metadata and tags. Entries that have neither are not in it and cost it nothing. Writers go on
-- while it is made. Every look into it reads through what it has not sorted in yet: that is kept short.
CREATE INDEX CONCURRENTLY IF NOT EXISTS entries_attributes ON entries USING gin (attributes jsonb_path_ops)
  WITH (gin_pending_list_limit = 256) WHERE attributes IS NOT NULL;

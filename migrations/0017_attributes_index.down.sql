-- holdfast: no-transaction
DROP INDEX CONCURRENTLY IF EXISTS entries_attributes;

DROP FUNCTION entry_statistics();
DROP FUNCTION clean_expired(integer);
DROP FUNCTION compare_and_swap(bytea, bigint, bytea);
DROP FUNCTION bulk_upsert(bytea[], bytea[], interval);
DROP FUNCTION prefix_page(bytea, bytea, integer);

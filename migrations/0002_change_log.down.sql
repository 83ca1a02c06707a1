DROP FUNCTION tidy_instances(interval, integer);
DROP FUNCTION leave_instances(bigint);
DROP FUNCTION join_instances(text);
DROP TABLE changes;
DROP TABLE change_state;
DROP TABLE instances;

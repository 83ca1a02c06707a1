SELECT disable_transaction_log();
DROP FUNCTION disable_transaction_log();
DROP FUNCTION enable_transaction_log();
DROP FUNCTION log_transaction();
DROP TABLE transaction_log;

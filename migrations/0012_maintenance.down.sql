DROP FUNCTION maintain();
DROP TABLE maintenance_tasks;

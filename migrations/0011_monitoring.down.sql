DROP FUNCTION take_samples();
DROP VIEW monitoring_now;
DELETE FROM partition_policies WHERE parent = 'monitoring_samples';
DROP TABLE monitoring_samples;

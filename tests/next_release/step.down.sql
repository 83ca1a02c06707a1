DROP TABLE next_release;

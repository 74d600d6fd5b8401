DROP TABLE export_use;

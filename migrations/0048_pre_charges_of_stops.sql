-- A stop that a deed deletes is looked for among the charges: without an index each deletion read all of them.
CREATE INDEX charge_stop ON charge (stop_id) WHERE stop_id IS NOT NULL;

-- Whose each node name is. Under the release before nobody reads it.
CREATE TABLE node_holder (
    node         text PRIMARY KEY CHECK (node ~ '^[A-Za-z0-9._-]{1,64}$'),
    installation text NOT NULL CHECK (installation ~ '^[0-9a-f]{32}$'),
    host         text NOT NULL CHECK (host <> ''),
    since        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE node_holder IS 'Which installation each node name belongs to: two edges of one name would each speak for both. The first to ship has it, until `corrente node release`.';
COMMENT ON COLUMN node_holder.installation IS 'The number in the spool directory''s file `installation`.';
COMMENT ON COLUMN node_holder.host IS 'What the machine called itself, for a person.';
GRANT SELECT, INSERT ON node_holder TO corrente_edge;

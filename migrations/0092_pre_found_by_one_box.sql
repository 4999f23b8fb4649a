-- One search box finds live sessions by MAC and documents by the beginning of their printed numbers.
CREATE INDEX session_mac ON session (mac) WHERE mac <> '';
CREATE INDEX document_label_begins ON document (label text_pattern_ops) WHERE label IS NOT NULL;
DROP INDEX document_label;
ALTER INDEX document_label_begins RENAME TO document_label;

-- The list of documents by day, a register at a time, from any place on.
CREATE INDEX document_of_register ON document (register_id, document_date, id);

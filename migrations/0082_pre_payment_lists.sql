-- Lists of payments by value day and by method, and who owes exactly what was paid, are found by an index each.
CREATE INDEX payment_value_day ON payment (value_on, id);
CREATE INDEX payment_of_method ON payment (method_id, id);
CREATE INDEX open_document_amount ON open_document (open);

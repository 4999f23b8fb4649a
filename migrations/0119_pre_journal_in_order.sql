-- The journal is read a part at a time, in order of day and entry, whatever a day holds.
CREATE INDEX entry_in_order ON entry (issuer_id, dated, id);
DROP INDEX entry_dated;
-- Staff give an authority's range of numbers, have a provider asked and compare its files.
GRANT SELECT, INSERT, UPDATE (range_from, range_to, valid_to) ON einvoice_series TO corrente_console;
GRANT SELECT, INSERT ON gateway_file TO corrente_console;
GRANT UPDATE (asked_to) ON gateway_account TO corrente_console;

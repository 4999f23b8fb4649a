-- A change of prices takes the numbers of items before it writes them.
GRANT USAGE ON SEQUENCE contract_item_id_seq TO corrente_console;

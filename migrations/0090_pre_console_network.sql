-- The console adds access devices: their secrets are sealed for the row's number, so that is drawn first.
GRANT USAGE ON SEQUENCE nas_id_seq TO corrente_console;

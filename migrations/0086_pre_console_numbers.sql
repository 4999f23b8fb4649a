-- A secret is sealed for its row's number, so the console takes that number before it writes the row.
GRANT USAGE ON SEQUENCE webhook_endpoint_id_seq, gateway_account_id_seq, einvoice_account_id_seq TO corrente_console;

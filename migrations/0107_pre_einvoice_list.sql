-- The console's list of e-invoices is asked for by state.
CREATE INDEX einvoice_by_state ON einvoice (state, id);

-- What is issued is collected by itself where an account says so: debits once a due day, and pages to pay on.
ALTER TABLE gateway_account ADD COLUMN debits_since date, ADD COLUMN debit_days smallint NOT NULL DEFAULT 0 CHECK (debit_days BETWEEN 0 AND 30), ADD COLUMN pages_since date;
COMMENT ON COLUMN gateway_account.debits_since IS 'Invoices of this day and later are debited by themselves where the customer has a mandate; NULL: none.';
COMMENT ON COLUMN gateway_account.debit_days IS 'So many days before an invoice is due its debit is asked for, as the provider needs them; it is collected on the due day.';
COMMENT ON COLUMN gateway_account.pages_since IS 'Invoices of this day and later get a page to pay on by themselves where no debit is to pay them; NULL: none.';
CREATE UNIQUE INDEX gateway_account_pages_once ON gateway_account (issuer_id) WHERE pages_since IS NOT NULL;
ALTER TABLE gateway_charge ADD COLUMN due_on date, ADD COLUMN withdrawn_by text CHECK (withdrawn_by <> ''),
    ADD CONSTRAINT gateway_charge_due_is_of_an_invoice CHECK (due_on IS NULL OR document_id IS NOT NULL),
    ADD CONSTRAINT gateway_charge_withdrawal_has_its_time CHECK (withdrawn_by IS NULL OR withdrawn_at IS NOT NULL);
COMMENT ON COLUMN gateway_charge.due_on IS 'Debited by itself for what fell due on this day: once, whether it succeeds or not.';
COMMENT ON COLUMN gateway_charge.withdrawn_by IS 'A person: then it is not asked for by itself again. NULL: it was withdrawn since less is owed, and the rest is asked for.';
CREATE UNIQUE INDEX gateway_charge_due_once ON gateway_charge (document_id, due_on) WHERE due_on IS NOT NULL AND (withdrawn_at IS NULL OR withdrawn_by IS NOT NULL);

-- Files of banks: accounts, files as they came, and each line of them once; what a method charges for a payment that comes back.
ALTER TABLE payment_method ADD COLUMN return_fee numeric(16, 3), ADD COLUMN return_fee_product_id bigint REFERENCES product,
    ADD CONSTRAINT payment_method_fee_is_a_product CHECK (return_fee > 0 AND (return_fee IS NULL) = (return_fee_product_id IS NULL));
COMMENT ON COLUMN payment_method.return_fee IS 'What a customer is charged on the next invoice when a payment by it comes back, in the issuer''s currency; return_fee_product_id is its line: words, account and tax code.';
ALTER TABLE payment_reversal ADD COLUMN fee_item_id bigint REFERENCES contract_item;
COMMENT ON COLUMN payment_reversal.fee_item_id IS 'The fee that was charged for it, which the next invoice bears; NULL: none.';

CREATE TABLE bank_account (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id      bigint NOT NULL REFERENCES issuer,
    name           text NOT NULL CHECK (name <> ''),
    account        text NOT NULL CHECK (account ~ '^[A-Z0-9]{4,34}$'),
    currency       currency_code NOT NULL,
    method_id      bigint NOT NULL,
    automatic_from smallint NOT NULL DEFAULT 90 CHECK (automatic_from BETWEEN 1 AND 101),
    layout         jsonb CHECK (jsonb_typeof(layout) = 'object'),
    CONSTRAINT bank_account_name_once UNIQUE (name),
    CONSTRAINT bank_account_account_once UNIQUE (account),
    CONSTRAINT bank_account_method_of_its_issuer FOREIGN KEY (method_id, issuer_id) REFERENCES payment_method (id, issuer_id)
);
COMMENT ON TABLE bank_account IS 'An account of an issuer at a bank, whose files are imported.';
COMMENT ON COLUMN bank_account.account IS 'Its IBAN, or its number where there is none: files of ISO 20022 find it by this.';
COMMENT ON COLUMN bank_account.method_id IS 'By which method what comes in was paid; direct debits by the issuer''s method of that kind.';
COMMENT ON COLUMN bank_account.automatic_from IS 'From which score on, of 100, a line is matched without a person; 101: never.';
COMMENT ON COLUMN bank_account.layout IS 'How this bank writes its CSV files; billing/banking/layout.py reads it.';

CREATE TABLE bank_file (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL CHECK (name <> ''),
    form    text NOT NULL CHECK (form IN ('csv', 'camt.053', 'camt.054', 'pain.002')),
    digest  bytea NOT NULL,
    octets  integer NOT NULL,
    content bytea NOT NULL,
    made_by text NOT NULL CHECK (made_by <> ''),
    made_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bank_file_once UNIQUE (digest)
);
COMMENT ON TABLE bank_file IS 'A file of a bank as it came. Append-only.';
COMMENT ON COLUMN bank_file.digest IS 'SHA-256 of the file: the same one again adds nothing.';
COMMENT ON COLUMN bank_file.content IS 'Its octets, packed by zlib.';
CREATE TRIGGER bank_file_append_only BEFORE UPDATE OR DELETE ON bank_file FOR EACH ROW EXECUTE FUNCTION refuse_change('What a bank told stays as it came.');

CREATE TYPE bank_line_state AS ENUM ('new', 'waiting', 'recorded', 'returned', 'ignored');
COMMENT ON TYPE bank_line_state IS 'New: not looked at yet; waiting: for a person; recorded: somebody''s payment; returned: it took a payment back; ignored: no customer''s.';

CREATE TABLE bank_line (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id         bigint NOT NULL REFERENCES bank_file,
    bank_account_id bigint NOT NULL REFERENCES bank_account,
    key             text NOT NULL,
    entry_key       text NOT NULL,
    number          integer NOT NULL,
    booked_on       date NOT NULL,
    value_on        date NOT NULL,
    currency        currency_code NOT NULL,
    amount          numeric(16, 3) NOT NULL,
    told            jsonb NOT NULL,
    state           bank_line_state NOT NULL DEFAULT 'new',
    payment_id      bigint REFERENCES payment,
    score           smallint,
    reason          text,
    decided_by      text,
    decided_at      timestamptz,
    CONSTRAINT bank_line_once UNIQUE (bank_account_id, key),
    CONSTRAINT bank_line_is_an_amount CHECK (amount <> 0 AND amount = round(amount, currency_places(currency))),
    CONSTRAINT bank_line_is_decided CHECK ((state = 'new') = (decided_by IS NULL)),
    CONSTRAINT bank_line_has_its_payment CHECK (state NOT IN ('recorded', 'returned') OR payment_id IS NOT NULL)
);
COMMENT ON TABLE bank_line IS 'One line of an account, whatever files told it. What the bank said never changes; what became of it does.';
COMMENT ON COLUMN bank_line.key IS 'By this it is the same line in every file that tells it: billing/banking/bank_line.py.';
COMMENT ON COLUMN bank_line.entry_key IS 'Of the bank''s entry that it is, or is a part of.';
COMMENT ON COLUMN bank_line.amount IS 'Above zero came in, below zero went out.';
COMMENT ON COLUMN bank_line.told IS 'What the bank said of it: party, iban, text, references, code of a return.';
COMMENT ON COLUMN bank_line.payment_id IS 'The payment that it is, also where nobody knows whose, or that it took back.';
COMMENT ON COLUMN bank_line.reason IS 'Why it is where it is, in a person''s words.';
CREATE INDEX bank_line_open ON bank_line (state, id) WHERE state IN ('new', 'waiting');
CREATE INDEX bank_line_entry ON bank_line (bank_account_id, entry_key);
CREATE INDEX bank_line_day ON bank_line (bank_account_id, booked_on, amount);
CREATE INDEX bank_line_payment ON bank_line (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX bank_line_iban ON bank_line ((told ->> 'party_iban')) WHERE state = 'recorded' AND told ->> 'party_iban' <> '';
CREATE INDEX bank_line_end_to_end ON bank_line ((told ->> 'end_to_end')) WHERE state = 'recorded' AND told ->> 'end_to_end' <> '';
CREATE TRIGGER bank_line_tells_the_same BEFORE UPDATE ON bank_line FOR EACH ROW
    WHEN ((OLD.id, OLD.file_id, OLD.bank_account_id, OLD.key, OLD.entry_key, OLD.number, OLD.booked_on, OLD.value_on, OLD.currency, OLD.amount, OLD.told)
        IS DISTINCT FROM (NEW.id, NEW.file_id, NEW.bank_account_id, NEW.key, NEW.entry_key, NEW.number, NEW.booked_on, NEW.value_on, NEW.currency, NEW.amount, NEW.told) OR (OLD.state <> 'new' AND NEW.state = 'new'))
    EXECUTE FUNCTION refuse_change('What a bank told stays as it came.');
CREATE TRIGGER bank_line_stays BEFORE DELETE ON bank_line FOR EACH ROW EXECUTE FUNCTION refuse_change('Ignore it, with a reason.');


CREATE TRIGGER bank_account_money_insert AFTER INSERT ON bank_account REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id', '');
CREATE TRIGGER bank_account_money_update AFTER UPDATE ON bank_account REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id', '');
CREATE TRIGGER bank_account_money_delete AFTER DELETE ON bank_account REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id', '');
GRANT SELECT ON bank_account, bank_file, bank_line TO corrente_worker, corrente_web;
GRANT INSERT ON bank_file, bank_line TO corrente_worker, corrente_web;
GRANT UPDATE (state, payment_id, score, reason, decided_by, decided_at) ON bank_line TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON bank_account TO corrente_web;

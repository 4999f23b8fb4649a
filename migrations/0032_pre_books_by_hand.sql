-- The books by hand: entries say what they are, a chart may have accounts that stand for nothing, and open documents are found at once.
-- Nothing has issued documents before this.

ALTER TYPE account_role ADD VALUE 'other';
ALTER TABLE ledger_account ADD COLUMN stands_for boolean NOT NULL DEFAULT true,
    DROP CONSTRAINT ledger_account_role_once,
    ADD CONSTRAINT ledger_account_other_stands_for_nothing CHECK (role::text <> 'other' OR NOT stands_for);
COMMENT ON COLUMN ledger_account.stands_for IS 'What names no account goes to it by role and family; otherwise only products and entries by hand that name it.';
CREATE UNIQUE INDEX ledger_account_role_once ON ledger_account (issuer_id, role, family) NULLS NOT DISTINCT WHERE stands_for;

ALTER TABLE entry ADD COLUMN note text CHECK (note <> ''), ADD COLUMN evidence text CHECK (evidence <> ''),
    ADD CONSTRAINT entry_by_hand_says_what CHECK (source NOT IN ('manual', 'correction') OR note IS NOT NULL),
    ADD CONSTRAINT entry_correction_names_what CHECK (source <> 'correction' OR (corrects_id IS NOT NULL AND corrects_id = source_id));
COMMENT ON COLUMN entry.note IS 'What a person says that it is.';
COMMENT ON COLUMN entry.evidence IS 'What proves it, such as a statement of the bank and its page.';
CREATE INDEX entry_apart ON entry (issuer_id, dated) WHERE source <> 'document';
CREATE INDEX entry_corrects ON entry (corrects_id) WHERE corrects_id IS NOT NULL;
CREATE INDEX posting_account ON posting (account_id);
CREATE INDEX document_dated ON document (issuer_id, document_date);

CREATE FUNCTION refuse_account_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM posting WHERE account_id = OLD.id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'account % has postings, made to it as %', OLD.code, OLD.role
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Add another account.';
END
$$;
COMMENT ON FUNCTION refuse_account_change() IS 'What an account is for stays once something was posted to it.';
CREATE TRIGGER ledger_account_role_stays BEFORE UPDATE ON ledger_account FOR EACH ROW WHEN (OLD.role <> NEW.role OR OLD.issuer_id <> NEW.issuer_id)
    EXECUTE FUNCTION refuse_account_change();

CREATE TABLE open_document (
    document_id bigint PRIMARY KEY REFERENCES document,
    issuer_id   bigint NOT NULL,
    customer_id bigint NOT NULL,
    currency    currency_code NOT NULL,
    due_on      date NOT NULL,
    open        numeric(16, 3) NOT NULL CHECK (open <> 0)
);
COMMENT ON TABLE open_document IS 'Invoices that are not settled, and below zero credit notes that have something left to give: so few rows that the open ones are found at once. The database keeps it.';
COMMENT ON COLUMN open_document.due_on IS 'Its first due day; of a credit note its date.';
CREATE INDEX open_document_due ON open_document (issuer_id, due_on);
CREATE INDEX open_document_customer ON open_document (customer_id);
CREATE TRIGGER open_document_is_counted AFTER INSERT OR UPDATE OR DELETE ON open_document FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('It follows from documents and settlements.');

CREATE FUNCTION open_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO open_document (document_id, issuer_id, customer_id, currency, due_on, open)
        SELECT n.id, n.issuer_id, n.customer_id, n.currency, coalesce((SELECT min(due_on) FROM document_due WHERE document_id = n.id), n.document_date),
            CASE n.kind WHEN 'invoice' THEN n.payable ELSE -n.payable END
        FROM new_rows AS n WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note') AND n.payable > 0 ORDER BY n.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION open_documents() IS 'What was just issued is open; an issued invoice or credit note is never updated again.';
CREATE TRIGGER document_opens AFTER UPDATE ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION open_documents();

CREATE FUNCTION settle_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- In one order everywhere, so that two writers wait for each other and never both.
    PERFORM FROM open_document WHERE document_id IN (SELECT invoice_id FROM new_rows UNION SELECT credit_note_id FROM new_rows) ORDER BY document_id FOR UPDATE;
    WITH settled AS (
        SELECT id, sum(amount) AS amount FROM (SELECT invoice_id AS id, amount FROM new_rows UNION ALL SELECT credit_note_id, -amount FROM new_rows) AS own GROUP BY 1
    ), closed AS (
        DELETE FROM open_document AS o USING settled AS s WHERE o.document_id = s.id AND o.open = s.amount
    )
    UPDATE open_document AS o SET open = o.open - s.amount FROM settled AS s WHERE o.document_id = s.id AND o.open <> s.amount;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION settle_documents() IS 'What is settled of a document is no longer open.';
CREATE TRIGGER settlement_closes AFTER INSERT ON settlement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION settle_documents();

GRANT SELECT, INSERT, UPDATE, DELETE ON open_document TO corrente_worker, corrente_web;

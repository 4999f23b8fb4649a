-- What issuing through billing/ needs: a line's product and ledger account, registers by purpose, settlements, and an
-- issue trigger that looks at the books by account. Nothing has written documents before this.

ALTER TABLE issuer ADD COLUMN minimum_document numeric(16, 3),
    ADD CONSTRAINT issuer_minimum_document_check CHECK (minimum_document > 0 AND minimum_document = round(minimum_document, currency_places(currency)));
COMMENT ON COLUMN issuer.minimum_document IS 'What comes to less waits for the next run, once; NULL: everything is invoiced at once.';

ALTER TABLE stamp_duty ADD COLUMN product_id bigint REFERENCES product;
COMMENT ON COLUMN stamp_duty.product_id IS 'The line of it where the issuer recharges it: its words and its tax code.';

ALTER TABLE ledger_account ADD CONSTRAINT ledger_account_of_issuer UNIQUE (id, issuer_id);
CREATE TABLE product_account (
    product_id bigint NOT NULL REFERENCES product,
    issuer_id  bigint NOT NULL,
    account_id bigint NOT NULL,
    PRIMARY KEY (product_id, issuer_id),
    CONSTRAINT product_account_of_issuer FOREIGN KEY (account_id, issuer_id) REFERENCES ledger_account (id, issuer_id)
);
COMMENT ON TABLE product_account IS 'A product''s own revenue account with an issuer; without a row that of its family, else the one for all revenue.';

CREATE TYPE register_purpose AS ENUM ('recurring', 'manual');
COMMENT ON TYPE register_purpose IS 'Numbers of what runs invoice, or of what people do.';

ALTER TABLE document_register ADD COLUMN purpose register_purpose, ADD COLUMN fiscal_position_id bigint REFERENCES fiscal_position,
    ADD CONSTRAINT document_register_one_a_purpose UNIQUE NULLS NOT DISTINCT (issuer_id, kind, purpose, fiscal_position_id);
COMMENT ON TABLE document_register IS 'A series of legal numbers for one kind of document (IT: sezionale). Of those that fit, the most specific is taken.';
COMMENT ON COLUMN document_register.purpose IS 'NULL: any.';
COMMENT ON COLUMN document_register.fiscal_position_id IS 'Of which customers; NULL: of any. It comes before purpose.';

ALTER TABLE document_line ADD COLUMN product_id bigint REFERENCES product, ADD COLUMN account_id bigint NOT NULL REFERENCES ledger_account;
COMMENT ON COLUMN document_line.corrects_id IS 'Which line it gives back: a credit note''s, or an invoice''s that is below zero.';
COMMENT ON COLUMN document_line.account_id IS 'Where its net is posted, as it was then.';
COMMENT ON TABLE credited_line IS 'How much of an issued line credit notes, and lines below zero of later invoices, gave back. The database counts it as they are issued.';

CREATE TABLE settlement (
    credit_note_id bigint NOT NULL REFERENCES document,
    invoice_id     bigint NOT NULL REFERENCES document,
    amount         numeric(16, 3) NOT NULL CHECK (amount > 0),
    settled_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (credit_note_id, invoice_id)
);
COMMENT ON TABLE settlement IS 'How much of an invoice a credit note settled. It moves no money; what an invoice has left open follows from it.';
CREATE INDEX settlement_invoice ON settlement (invoice_id);
CREATE TRIGGER settlement_append_only BEFORE UPDATE OR DELETE ON settlement FOR EACH ROW EXECUTE FUNCTION refuse_change('What was settled stays.');
CREATE TRIGGER settlement_no_truncate BEFORE TRUNCATE ON settlement FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was settled stays.');

CREATE FUNCTION refuse_settlement_beyond() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    PERFORM FROM document WHERE id IN (SELECT credit_note_id FROM new_rows UNION SELECT invoice_id FROM new_rows) ORDER BY id FOR NO KEY UPDATE;
    SELECT note.label AS note, invoice.label AS invoice INTO wrong FROM new_rows AS n JOIN document AS note ON note.id = n.credit_note_id JOIN document AS invoice ON invoice.id = n.invoice_id
        WHERE note.kind <> 'credit_note' OR invoice.kind <> 'invoice' OR note.state <> 'issued' OR invoice.state <> 'issued' OR note.customer_id <> invoice.customer_id OR note.issuer_id <> invoice.issuer_id OR note.currency <> invoice.currency
            OR n.amount <> round(n.amount, currency_places(invoice.currency))
            OR note.payable < (SELECT sum(s.amount) FROM settlement AS s WHERE s.credit_note_id = note.id)
            OR invoice.payable < (SELECT sum(s.amount) FROM settlement AS s WHERE s.invoice_id = invoice.id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'credit note % can''t settle so much of invoice %', wrong.note, wrong.invoice
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Both issued, of one customer, issuer and currency; no more than the one gives and the other has open.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_settlement_beyond() IS 'An invoice is settled up to what is payable, a credit note up to what it gives.';
CREATE TRIGGER settlement_within AFTER INSERT ON settlement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_settlement_beyond();

CREATE TRIGGER document_draft_is_issued_first BEFORE UPDATE ON document FOR EACH ROW WHEN (OLD.state = 'draft' AND NEW.state NOT IN ('draft', 'issued'))
    EXECUTE FUNCTION refuse_change('Issue it, then answer it.');

DROP TRIGGER document_issue ON document;
CREATE OR REPLACE FUNCTION issue_documents() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
-- Only drafts become issued, so every issued row of the update was issued by it. Parts are found by their keys, however many
-- documents there are and whatever was known about the tables when this was planned first.
DECLARE
    block   record;
    counter register_year;
    wrong   record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows AS n WHERE n.state = 'issued') THEN
        RETURN NULL;
    END IF;
    -- Numbers without a hole, dates that never go back.
    FOR block IN SELECT n.register_id, n.year, count(*) AS documents, min(n.number) AS first, max(n.number) AS last, min(n.document_date) AS from_date, max(n.document_date) AS to_date
            FROM new_rows AS n WHERE n.state = 'issued' GROUP BY 1, 2 ORDER BY 1, 2 LOOP
        INSERT INTO register_year (register_id, year) VALUES (block.register_id, block.year) ON CONFLICT DO NOTHING;
        SELECT * INTO counter FROM register_year WHERE register_id = block.register_id AND year = block.year FOR UPDATE;
        IF block.first <> counter.last_number + 1 OR block.last <> counter.last_number + block.documents THEN
            RAISE EXCEPTION 'register % of %: numbers % to % for % documents after %', block.register_id, block.year, block.first, block.last, block.documents, counter.last_number
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Lock the register''s year first and count on from its last number.';
        END IF;
        IF block.from_date < counter.last_date OR (block.from_date < block.to_date AND EXISTS (SELECT FROM (SELECT n.document_date AS own, lag(n.document_date) OVER (ORDER BY n.number) AS before
                FROM new_rows AS n WHERE n.state = 'issued' AND n.register_id = block.register_id AND n.year = block.year) AS dates WHERE own < before)) THEN
            RAISE EXCEPTION 'register % of %: a document of % after one of %', block.register_id, block.year, block.from_date, coalesce(counter.last_date, block.to_date)
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Dates of a register never go back.';
        END IF;
        IF EXISTS (SELECT FROM register_year WHERE register_id = block.register_id AND year > block.year AND last_number > 0) THEN
            RAISE EXCEPTION 'register %: % is over, a later year has begun', block.register_id, block.year
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Date the document in the year that has begun.';
        END IF;
        UPDATE register_year SET last_number = block.last, last_date = block.to_date WHERE register_id = block.register_id AND year = block.year;
    END LOOP;
    -- What stands on a document adds up, and stands in the books.
    SELECT d.id, CASE
            WHEN lines.off THEN 'a line is not the rounded product of its price, discount and quantity'
            WHEN lines.net IS DISTINCT FROM d.net THEN format('its lines are %s and its net is %s', lines.net, d.net)
            WHEN groups.off THEN 'a tax group is not the sum of its lines'
            WHEN groups.base IS DISTINCT FROM d.net OR groups.tax IS DISTINCT FROM d.tax THEN format('its tax groups are %s and %s, it says %s and %s', groups.base, groups.tax, d.net, d.tax)
            WHEN groups.far THEN 'the tax of a group is more than the last place from its rate'
            WHEN d.payable <> d.gross - groups.split THEN format('payable %s is not %s less %s that is paid to the state', d.payable, d.gross, groups.split)
            WHEN d.kind = 'invoice' AND dues.amount IS DISTINCT FROM nullif(d.payable, 0) THEN format('its due days are %s and payable is %s', dues.amount, d.payable)
            WHEN d.kind IN ('invoice', 'credit_note') AND booked.customer <> d.payable * sign THEN format('its entry says %s of the customer and payable is %s', booked.customer, d.payable)
            WHEN d.kind IN ('invoice', 'credit_note') AND (booked.vat <> d.tax * -sign OR booked.split <> groups.split * sign) THEN format('its entry says %s and %s of its tax, which is %s with %s paid to the state', booked.vat, booked.split, d.tax, groups.split)
            WHEN d.kind IN ('invoice', 'credit_note') AND booked.off THEN 'its entry is not what its lines come to by account'
        END AS reason INTO wrong
        FROM (SELECT n.*, CASE n.kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign, currency_places(n.currency) AS places FROM new_rows AS n WHERE n.state = 'issued') AS d
            CROSS JOIN LATERAL (SELECT sum(l.net) AS net, bool_or(l.net <> round((l.unit_price - l.discount) * l.quantity, d.places)) AS off FROM document_line AS l WHERE l.document_id = d.id) AS lines
            CROSS JOIN LATERAL (SELECT sum(own.base) AS base, sum(own.tax) AS tax, coalesce(sum(own.tax) FILTER (WHERE own.liability = 'split'), 0) AS split,
                    bool_or(own.base IS DISTINCT FROM own.lines OR own.groups <> 1) AS off, bool_or(abs(own.tax - round(own.base * own.rate / 100, d.places)) > 10.0 ^ -d.places) AS far
                FROM (SELECT part.rate, part.nature, part.liability, sum(part.base) AS base, sum(part.tax) AS tax, sum(part.line) AS lines, count(part.base) AS groups
                    FROM (SELECT t.rate, t.nature, t.liability, t.base, t.tax, NULL::numeric AS line FROM document_tax AS t WHERE t.document_id = d.id
                        UNION ALL SELECT l.rate, l.nature, l.liability, NULL, NULL, l.net FROM document_line AS l WHERE l.document_id = d.id) AS part GROUP BY 1, 2, 3) AS own) AS groups
            CROSS JOIN LATERAL (SELECT sum(amount) AS amount FROM document_due WHERE document_id = d.id) AS dues
            CROSS JOIN LATERAL (SELECT coalesce(sum(own.amount) FILTER (WHERE own.role = 'customers'), 0) AS customer, coalesce(sum(own.amount) FILTER (WHERE own.role = 'vat_output'), 0) AS vat,
                    coalesce(sum(own.amount) FILTER (WHERE own.role = 'vat_split'), 0) AS split, coalesce(bool_or(own.off), false) AS off
                FROM (SELECT a.role, sum(leg.amount) AS amount, bool_or(leg.stray) OR CASE WHEN a.role IN ('customers', 'vat_output', 'vat_split') THEN count(leg.line) > 0
                        ELSE coalesce(sum(leg.amount), 0) <> -d.sign * coalesce(sum(leg.line), 0) END AS off
                    FROM (SELECT p.account_id, p.amount, NULL::numeric AS line, p.customer_id <> d.customer_id OR e.dated <> d.document_date OR e.currency <> d.currency OR e.issuer_id <> d.issuer_id AS stray
                            FROM entry AS e JOIN posting AS p ON p.entry_id = e.id WHERE e.source = 'document' AND e.source_id = d.id AND e.kind = d.kind::text
                        UNION ALL SELECT l.account_id, NULL, l.net, false FROM document_line AS l WHERE l.document_id = d.id) AS leg
                        JOIN ledger_account AS a ON a.id = leg.account_id GROUP BY a.id, a.role) AS own) AS booked
        WHERE lines.off OR lines.net IS DISTINCT FROM d.net OR groups.off OR groups.base IS DISTINCT FROM d.net OR groups.tax IS DISTINCT FROM d.tax OR groups.far OR d.payable <> d.gross - groups.split
            OR (d.kind = 'invoice' AND dues.amount IS DISTINCT FROM nullif(d.payable, 0))
            OR (d.kind IN ('invoice', 'credit_note') AND (booked.customer <> d.payable * sign OR booked.vat <> d.tax * -sign OR booked.split <> groups.split * sign OR booked.off))
        ORDER BY d.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % can''t be issued: %', wrong.id, wrong.reason
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Work its totals out again from its lines.';
    END IF;
    -- What a credit note gives back, or a line below zero of an invoice, counts on the line that it corrects.
    SELECT d.id, d.kind INTO wrong FROM new_rows AS d
        WHERE d.state = 'issued' AND ((d.corrects_id IS NOT NULL AND NOT EXISTS (SELECT FROM document_line AS l WHERE l.document_id = d.id)) OR EXISTS (
            SELECT FROM document_line AS l LEFT JOIN document AS first ON first.id = l.corrects_id
            WHERE l.document_id = d.id AND (d.kind = 'credit_note' OR l.corrects_id IS NOT NULL) AND NOT coalesce(
                first.kind = 'invoice' AND first.state = 'issued' AND first.customer_id = d.customer_id AND first.issuer_id = d.issuer_id AND first.currency = d.currency AND first.document_date <= d.document_date
                AND first.id <> d.id AND CASE d.kind WHEN 'credit_note' THEN first.id = d.corrects_id ELSE l.net <= 0 END, false))) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% % does not correct the invoice that it names', replace(wrong.kind::text, '_', ' '), wrong.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
                HINT = 'An issued invoice of the same customer, issuer and currency, not dated later. Each line of a credit note names one of its lines; of an invoice only a line below zero names one.';
    END IF;
    INSERT INTO credited_line AS c (document_id, number, net, credited)
        SELECT l.corrects_id, l.corrects_number, first.net, sum(CASE n.kind WHEN 'credit_note' THEN l.net ELSE -l.net END) FROM new_rows AS n JOIN document_line AS l ON l.document_id = n.id
            JOIN document_line AS first ON first.document_id = l.corrects_id AND first.number = l.corrects_number
        WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note') GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (document_id, number) DO UPDATE SET credited = c.credited + EXCLUDED.credited;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION issue_documents() IS 'Issuing, in sets: numbers are the register''s next ones, sums agree, the entry says the same by account, no line is credited beyond itself.';
CREATE TRIGGER document_issue AFTER UPDATE ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION issue_documents();

ALTER TABLE charge ADD COLUMN covered boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT charge_covered_has_no_line CHECK (NOT covered OR document_id IS NULL);
COMMENT ON COLUMN charge.covered IS 'It is nothing, or came to nothing together with others, so no document has it. What neither has a document nor is covered waits.';
DROP INDEX charge_waiting;
CREATE INDEX charge_waiting ON charge (item_id) WHERE document_id IS NULL AND NOT covered;

CREATE OR REPLACE FUNCTION refuse_charge_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.document_id IS NULL AND NOT OLD.covered AND to_jsonb(NEW) - '{document_id,line_number,covered}'::text[] = to_jsonb(OLD) - '{document_id,line_number,covered}'::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'charge % stays as it is', OLD.id
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Give it back by a charge of kind credit.';
END
$$;
COMMENT ON FUNCTION refuse_charge_change() IS 'A charge comes to stand on a line, or to nothing, once; nothing else of it changes.';

CREATE TRIGGER product_account_money_insert AFTER INSERT ON product_account REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,issuer_id', '');
CREATE TRIGGER product_account_money_update AFTER UPDATE ON product_account REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,issuer_id', '');
CREATE TRIGGER product_account_money_delete AFTER DELETE ON product_account REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,issuer_id', '');
CREATE TRIGGER settlement_money_insert AFTER INSERT ON settlement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('credit_note_id,invoice_id');

GRANT SELECT ON product_account, settlement TO corrente_worker, corrente_web;
GRANT INSERT ON settlement TO corrente_worker, corrente_web;
GRANT UPDATE (covered) ON charge TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON product_account TO corrente_web;
GRANT USAGE ON SEQUENCE document_id_seq, entry_id_seq TO corrente_worker, corrente_web;

-- What settles an invoice is an allocation, of a credit note as before, of a payment or of a write-off.
-- ---------------------------------------------------------------------------------------------------------------
-- Payments, and what settles an invoice
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE payment_kind AS ENUM ('cash', 'card', 'transfer', 'slip', 'direct_debit', 'gateway', 'other');
COMMENT ON TYPE payment_kind IS 'How money travels.';

CREATE TABLE payment_method (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id    bigint NOT NULL REFERENCES issuer,
    code         text NOT NULL CHECK (code ~ '^[a-z0-9_]{1,40}$'),
    name         text NOT NULL CHECK (name <> ''),
    kind         payment_kind NOT NULL,
    returns_days smallint CHECK (returns_days BETWEEN 1 AND 400),
    offered      boolean NOT NULL DEFAULT true,
    CONSTRAINT payment_method_code_once UNIQUE (issuer_id, code),
    CONSTRAINT payment_method_of_issuer UNIQUE (id, issuer_id)
);
COMMENT ON TABLE payment_method IS 'A way in which an issuer is paid. What comes by it is posted to the clearing account whose family is its code, else to the one for all; cash to cash.';
COMMENT ON COLUMN payment_method.returns_days IS 'So long a payment may come back; meanwhile it counts as paid and is flagged.';
COMMENT ON COLUMN payment_method.offered IS 'Nothing new comes by a method that is offered no more.';

CREATE TYPE payment_source AS ENUM ('webhook', 'file', 'counter', 'collector', 'manual');
COMMENT ON TYPE payment_source IS 'Through what we were told: a gateway, a bank''s file, a till, a collector, a person.';

CREATE TABLE payment (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id     bigint NOT NULL REFERENCES issuer,
    method_id     bigint NOT NULL,
    customer_id   bigint REFERENCES customer,
    currency      currency_code NOT NULL,
    amount        numeric(16, 3) NOT NULL,
    value_on      date NOT NULL,
    source        payment_source NOT NULL,
    reference     text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    payer         text CHECK (length(payer) BETWEEN 1 AND 400),
    note          text CHECK (note <> ''),
    returns_until date,
    made_by       text NOT NULL CHECK (made_by <> ''),
    made_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_once UNIQUE (source, reference),
    CONSTRAINT payment_method_of_its_issuer FOREIGN KEY (method_id, issuer_id) REFERENCES payment_method (id, issuer_id),
    CONSTRAINT payment_is_an_amount CHECK (amount > 0 AND amount = round(amount, currency_places(currency))),
    CONSTRAINT payment_returns_after_value CHECK (returns_until >= value_on)
);
COMMENT ON TABLE payment IS 'Money that came in. Append-only: what becomes of it is told by payment_match, payment_reversal, refund and allocation.';
COMMENT ON COLUMN payment.customer_id IS 'Whose it was said to be when it came; NULL: nobody knew. Whose it is now: open_payment.';
COMMENT ON COLUMN payment.value_on IS 'From which day the money is there.';
COMMENT ON COLUMN payment.reference IS 'What it is called where it comes from, such as a gateway''s event or a bank''s row: the same one again is the same payment.';
COMMENT ON COLUMN payment.payer IS 'Who paid, in the bank''s words.';
COMMENT ON COLUMN payment.returns_until IS 'Until then it may come back.';
CREATE INDEX payment_customer ON payment (customer_id, value_on) WHERE customer_id IS NOT NULL;
CREATE INDEX payment_day ON payment (issuer_id, value_on);

CREATE TABLE payment_match (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  bigint NOT NULL REFERENCES payment,
    customer_id bigint REFERENCES customer,
    reason      text NOT NULL CHECK (reason <> ''),
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE payment_match IS 'Whose a payment turned out to be: an entry, not an edit. NULL takes it back to those that nobody knows. Append-only; the last one counts.';
CREATE INDEX payment_match_payment ON payment_match (payment_id, id);

CREATE TABLE payment_reversal (
    payment_id  bigint PRIMARY KEY REFERENCES payment,
    dated       date NOT NULL,
    reason_code text CHECK (reason_code ~ '^[A-Za-z0-9_.-]{1,40}$'),
    reason      text NOT NULL CHECK (reason <> ''),
    source      payment_source NOT NULL,
    reference   text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_reversal_once UNIQUE (source, reference)
);
COMMENT ON TABLE payment_reversal IS 'A payment that came back: a returned debit, a chargeback, a mistake. Its allocations are withdrawn first. Append-only.';
COMMENT ON COLUMN payment_reversal.reason_code IS 'As who sent it back codes it: AM04, MD06, fraudulent.';

CREATE TABLE refund (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id     bigint REFERENCES payment,
    credit_note_id bigint REFERENCES document,
    method_id      bigint NOT NULL REFERENCES payment_method,
    amount         numeric(16, 3) NOT NULL CHECK (amount > 0),
    dated          date NOT NULL,
    source         payment_source NOT NULL,
    reference      text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    reason         text NOT NULL CHECK (reason <> ''),
    made_by        text NOT NULL CHECK (made_by <> ''),
    made_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refund_once UNIQUE (source, reference),
    CONSTRAINT refund_of_one CHECK (num_nonnulls(payment_id, credit_note_id) = 1)
);
COMMENT ON TABLE refund IS 'Money given back: of a payment what is allocated to nothing, of a credit note what settled nothing. Append-only.';
CREATE INDEX refund_payment ON refund (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX refund_credit_note ON refund (credit_note_id) WHERE credit_note_id IS NOT NULL;

CREATE TABLE write_off (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id bigint NOT NULL REFERENCES document,
    amount     numeric(16, 3) NOT NULL CHECK (amount > 0),
    dated      date NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE write_off IS 'What of an invoice nobody will pay any more. Append-only; taken back by write_off_undo.';
CREATE INDEX write_off_invoice ON write_off (invoice_id);

CREATE TABLE write_off_undo (
    write_off_id bigint PRIMARY KEY REFERENCES write_off,
    dated        date NOT NULL,
    reason       text NOT NULL CHECK (reason <> ''),
    made_by      text NOT NULL CHECK (made_by <> ''),
    made_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE write_off_undo IS 'An invoice is asked for again after all, with its own due days.';

CREATE TABLE allocation (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id     bigint REFERENCES payment,
    credit_note_id bigint REFERENCES document,
    write_off_id   bigint REFERENCES write_off,
    invoice_id     bigint NOT NULL REFERENCES document,
    amount         numeric(16, 3) NOT NULL CHECK (amount <> 0),
    withdraws_id   bigint REFERENCES allocation,
    chosen         boolean NOT NULL DEFAULT false,
    allocated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT allocation_of_one CHECK (num_nonnulls(payment_id, credit_note_id, write_off_id) = 1),
    CONSTRAINT allocation_withdrawn_once UNIQUE (withdraws_id),
    CONSTRAINT allocation_below_zero_withdraws CHECK ((amount < 0) = (withdraws_id IS NOT NULL))
);
COMMENT ON TABLE allocation IS 'How much of an invoice a payment, a credit note or a write-off settled. It moves no money: what an invoice has left open follows from it. Append-only; below zero it takes one back whole.';
COMMENT ON COLUMN allocation.chosen IS 'The customer said so; otherwise by due day and number.';
CREATE INDEX allocation_invoice ON allocation (invoice_id);
CREATE INDEX allocation_payment ON allocation (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX allocation_credit_note ON allocation (credit_note_id) WHERE credit_note_id IS NOT NULL;

CREATE TABLE open_payment (
    payment_id  bigint PRIMARY KEY REFERENCES payment,
    issuer_id   bigint NOT NULL,
    customer_id bigint,
    currency    currency_code NOT NULL,
    open        numeric(16, 3) NOT NULL CHECK (open > 0)
);
COMMENT ON TABLE open_payment IS 'Payments that have something left to settle: a customer''s credit, and what nobody is known for. The database keeps it.';
CREATE INDEX open_payment_customer ON open_payment (customer_id);
CREATE TRIGGER open_payment_is_counted AFTER INSERT OR UPDATE OR DELETE ON open_payment FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('It follows from payments, refunds and allocations.');

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['payment', 'payment_match', 'payment_reversal', 'refund', 'write_off', 'write_off_undo', 'allocation'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''What came in and what became of it stays: write what takes it back.'')', kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''What came in stays.'')', kept || '_no_truncate', kept);
    END LOOP;
END
$$;

CREATE FUNCTION owner_of_payment(of bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN m.payment_id IS NULL THEN p.customer_id ELSE m.customer_id END
    FROM payment AS p LEFT JOIN LATERAL (SELECT payment_id, customer_id FROM payment_match WHERE payment_id = p.id ORDER BY id DESC LIMIT 1) AS m ON true WHERE p.id = of
$$;
COMMENT ON FUNCTION owner_of_payment(bigint) IS 'Whose a payment is now; NULL: nobody knows.';

CREATE FUNCTION booked_for(of_source text, of_id bigint, of_issuer bigint, of_currency text, of_customer bigint) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT sum(p.amount) FILTER (WHERE CASE WHEN of_customer IS NULL THEN a.role = 'suspense' ELSE p.customer_id = of_customer END)
    FROM entry AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
    WHERE e.source = of_source AND e.source_id = of_id AND e.kind = of_source AND e.issuer_id = of_issuer AND e.currency = of_currency
$$;
COMMENT ON FUNCTION booked_for(text, bigint, bigint, text, bigint) IS 'What the entry of an event of the customer account says of a customer, or of those that nobody knows; NULL without that entry.';

CREATE FUNCTION refuse_unbooked() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
-- What moves money has its entry before it, which says the same. One query for the rows of a statement.
DECLARE
    wrong text;
BEGIN
    IF TG_TABLE_NAME = 'payment' THEN
        SELECT format('payment %s of %s %s', n.id, n.amount, n.currency) INTO wrong FROM new_rows AS n
            WHERE booked_for('payment', n.id, n.issuer_id, n.currency, n.customer_id) IS DISTINCT FROM -n.amount LIMIT 1;
    ELSIF TG_TABLE_NAME = 'payment_match' THEN
        -- From whose it was, the match before this one or what was said first, to whose it is.
        SELECT format('match %s of payment %s', n.id, n.payment_id) INTO wrong FROM new_rows AS n JOIN payment AS p ON p.id = n.payment_id
            CROSS JOIN LATERAL (SELECT coalesce((SELECT coalesce(m.customer_id, 0) FROM payment_match AS m WHERE m.payment_id = p.id AND m.id < n.id ORDER BY m.id DESC LIMIT 1), p.customer_id, 0) AS owner) AS was
            WHERE was.owner = coalesce(n.customer_id, 0) OR booked_for('payment_match', n.id, p.issuer_id, p.currency, nullif(was.owner, 0)) IS DISTINCT FROM p.amount
                OR booked_for('payment_match', n.id, p.issuer_id, p.currency, n.customer_id) IS DISTINCT FROM -p.amount LIMIT 1;
    ELSIF TG_TABLE_NAME = 'payment_reversal' THEN
        SELECT format('reversal of payment %s of %s %s', p.id, p.amount, p.currency) INTO wrong FROM new_rows AS n JOIN payment AS p ON p.id = n.payment_id
            WHERE booked_for('payment_reversal', p.id, p.issuer_id, p.currency, owner_of_payment(p.id)) IS DISTINCT FROM p.amount LIMIT 1;
    ELSIF TG_TABLE_NAME = 'refund' THEN
        SELECT format('refund %s of %s', n.id, n.amount) INTO wrong FROM new_rows AS n LEFT JOIN payment AS p ON p.id = n.payment_id LEFT JOIN document AS d ON d.id = n.credit_note_id
                JOIN payment_method AS m ON m.id = n.method_id
            WHERE booked_for('refund', n.id, m.issuer_id, coalesce(p.currency, d.currency), CASE WHEN p.id IS NULL THEN d.customer_id ELSE owner_of_payment(p.id) END) IS DISTINCT FROM n.amount
                OR m.issuer_id <> coalesce(p.issuer_id, d.issuer_id) LIMIT 1;
    ELSIF TG_TABLE_NAME = 'write_off' THEN
        SELECT format('write-off %s of %s', n.id, n.amount) INTO wrong FROM new_rows AS n JOIN document AS d ON d.id = n.invoice_id
            WHERE booked_for('write_off', n.id, d.issuer_id, d.currency, d.customer_id) IS DISTINCT FROM -n.amount LIMIT 1;
    ELSE
        SELECT format('undo of write-off %s of %s', w.id, w.amount) INTO wrong FROM new_rows AS n JOIN write_off AS w ON w.id = n.write_off_id JOIN document AS d ON d.id = w.invoice_id
            WHERE booked_for('write_off_undo', w.id, d.issuer_id, d.currency, d.customer_id) IS DISTINCT FROM w.amount LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '% has no entry that says the same', wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write its entry and postings first, in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_unbooked() IS 'Nothing moves money that the books do not say.';

CREATE FUNCTION keep_open_payments(ids bigint[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong bigint;
BEGIN
    -- In one order everywhere, so that two writers wait for each other and never both; what others wrote is seen from here on.
    PERFORM FROM payment WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    WITH rest AS (
        SELECT p.id, p.issuer_id, p.currency, owner_of_payment(p.id) AS customer_id,
            CASE WHEN EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) THEN 0
                ELSE p.amount - coalesce((SELECT sum(r.amount) FROM refund AS r WHERE r.payment_id = p.id), 0) END - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.payment_id = p.id), 0) AS open
        FROM payment AS p WHERE p.id = ANY (ids)
    ), closed AS (
        DELETE FROM open_payment AS o USING rest AS r WHERE o.payment_id = r.id AND r.open <= 0
    ), kept AS (
        INSERT INTO open_payment AS o (payment_id, issuer_id, customer_id, currency, open) SELECT id, issuer_id, customer_id, currency, open FROM rest WHERE open > 0 ORDER BY id
        ON CONFLICT (payment_id) DO UPDATE SET customer_id = EXCLUDED.customer_id, open = EXCLUDED.open
    )
    SELECT id INTO wrong FROM rest WHERE open < 0 ORDER BY id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'more of payment % is settled or given back than it is', wrong
            USING ERRCODE = 'check_violation', TABLE = 'allocation', CONSTRAINT = 'allocation_within', HINT = 'Withdraw its allocations first; of a payment that came back nothing is left.';
    END IF;
END
$$;
COMMENT ON FUNCTION keep_open_payments(bigint[]) IS 'What payments have left, worked out from nothing.';

CREATE FUNCTION keep_open_documents(ids bigint[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong text;
BEGIN
    PERFORM FROM document WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    WITH rest AS (
        SELECT d.id, d.issuer_id, d.customer_id, d.currency, d.label, d.payable, d.kind = 'credit_note' AS gives, d.document_date,
            coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.invoice_id = d.id), 0) + coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.credit_note_id = d.id), 0)
                + coalesce((SELECT sum(r.amount) FROM refund AS r WHERE r.credit_note_id = d.id), 0) AS settled
        FROM document AS d WHERE d.id = ANY (ids)
    ), closed AS (
        DELETE FROM open_document AS o USING rest AS r WHERE o.document_id = r.id AND r.settled >= r.payable
    ), kept AS (
        INSERT INTO open_document AS o (document_id, issuer_id, customer_id, currency, due_on, open, in_parts)
            SELECT r.id, r.issuer_id, r.customer_id, r.currency, coalesce(u.due_on, r.document_date), CASE WHEN r.gives THEN r.settled - r.payable ELSE r.payable - r.settled END, u.parts > 1
            FROM rest AS r CROSS JOIN LATERAL (SELECT min(part.due_on) AS due_on, count(*) AS parts
                FROM (SELECT due_on, sum(amount) OVER (ORDER BY due_on, number) AS through FROM document_due WHERE document_id = r.id) AS part WHERE part.through > r.settled) AS u
            WHERE r.settled < r.payable ORDER BY r.id
        ON CONFLICT (document_id) DO UPDATE SET due_on = EXCLUDED.due_on, open = EXCLUDED.open, in_parts = EXCLUDED.in_parts
    )
    SELECT CASE WHEN settled < 0 THEN format('less than nothing of %s is settled', label) ELSE format('%s of %s would be settled, and %s is payable', settled, label, payable) END
        INTO wrong FROM rest WHERE settled < 0 OR settled > payable ORDER BY id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong
            USING ERRCODE = 'check_violation', TABLE = 'allocation', CONSTRAINT = 'allocation_within', HINT = 'No more than an invoice has open, and a credit note has left to give.';
    END IF;
END
$$;
COMMENT ON FUNCTION keep_open_documents(bigint[]) IS 'What documents have open, worked out from nothing; an invoice''s first parts are settled first.';

CREATE FUNCTION keep_payments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whose a payment is, and that it came back, concerns the whole of it: what it settles is withdrawn first.
    IF TG_TABLE_NAME = 'payment_match' THEN
        IF EXISTS (SELECT FROM new_rows AS n WHERE EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = n.payment_id)
                OR EXISTS (SELECT FROM refund AS r WHERE r.payment_id = n.payment_id) OR (SELECT sum(a.amount) FROM allocation AS a WHERE a.payment_id = n.payment_id) <> 0) THEN
            RAISE EXCEPTION 'a payment that came back, was given back or settles something stays whose it is'
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Withdraw its allocations first.';
        END IF;
    END IF;
    IF TG_TABLE_NAME = 'payment' THEN
        PERFORM keep_open_payments(ARRAY(SELECT id FROM new_rows));
    ELSIF TG_TABLE_NAME = 'refund' THEN
        PERFORM keep_open_documents(ARRAY(SELECT credit_note_id FROM new_rows WHERE credit_note_id IS NOT NULL));
        PERFORM keep_open_payments(ARRAY(SELECT payment_id FROM new_rows WHERE payment_id IS NOT NULL));
    ELSE
        PERFORM keep_open_payments(ARRAY(SELECT payment_id FROM new_rows));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION keep_payments() IS 'What was just written changes what payments have left.';

CREATE FUNCTION refuse_allocation() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong record;
BEGIN
    SELECT n.id, i.label AS invoice, CASE
            WHEN i.kind <> 'invoice' OR i.state <> 'issued' THEN 'it is no issued invoice'
            WHEN n.amount <> round(n.amount, currency_places(i.currency)) THEN format('%s has more places than %s', n.amount, i.currency)
            WHEN t.id IS NOT NULL THEN 'an allocation is withdrawn whole, and once'
            ELSE 'it is of another customer, issuer or currency'
        END AS reason INTO wrong
        FROM new_rows AS n JOIN document AS i ON i.id = n.invoice_id LEFT JOIN payment AS p ON p.id = n.payment_id LEFT JOIN document AS c ON c.id = n.credit_note_id
            LEFT JOIN write_off AS w ON w.id = n.write_off_id LEFT JOIN allocation AS t ON t.id = n.withdraws_id
        WHERE i.kind <> 'invoice' OR i.state <> 'issued' OR n.amount <> round(n.amount, currency_places(i.currency))
            OR (t.id IS NOT NULL AND (t.amount, t.invoice_id, t.payment_id, t.credit_note_id, t.write_off_id) IS DISTINCT FROM (-n.amount, n.invoice_id, n.payment_id, n.credit_note_id, n.write_off_id))
            OR (p.id IS NOT NULL AND (p.issuer_id, p.currency::text, owner_of_payment(p.id)) IS DISTINCT FROM (i.issuer_id, i.currency::text, i.customer_id))
            OR (c.id IS NOT NULL AND (c.kind, c.state, c.issuer_id, c.currency, c.customer_id) IS DISTINCT FROM ('credit_note'::document_kind, 'issued'::document_state, i.issuer_id, i.currency, i.customer_id))
            OR (w.id IS NOT NULL AND (w.invoice_id, w.amount) IS DISTINCT FROM (i.id, abs(n.amount))) ORDER BY n.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'nothing of % is settled by allocation %: %', coalesce(wrong.invoice, 'a draft'), wrong.id, wrong.reason
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Money settles issued invoices of its own customer, issuer and currency.';
    END IF;
    PERFORM keep_open_documents(ARRAY(SELECT invoice_id FROM new_rows UNION SELECT credit_note_id FROM new_rows WHERE credit_note_id IS NOT NULL));
    PERFORM keep_open_payments(ARRAY(SELECT DISTINCT payment_id FROM new_rows WHERE payment_id IS NOT NULL));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_allocation() IS 'What settles an invoice is its customer''s, in its currency, and no more than is open and left.';
CREATE TRIGGER allocation_within AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_allocation();

CREATE FUNCTION allocate_write_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'write_off' THEN
        INSERT INTO allocation (write_off_id, invoice_id, amount) SELECT id, invoice_id, amount FROM new_rows ORDER BY id;
    ELSE
        INSERT INTO allocation (write_off_id, invoice_id, amount, withdraws_id) SELECT a.write_off_id, a.invoice_id, -a.amount, a.id FROM new_rows AS n JOIN allocation AS a USING (write_off_id) WHERE a.amount > 0 ORDER BY a.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION allocate_write_off() IS 'A write-off settles its invoice by itself, and gives it back whole.';

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['payment', 'payment_match', 'payment_reversal', 'refund', 'write_off', 'write_off_undo'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbooked()', kept || '_booked', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['payment', 'payment_match', 'payment_reversal', 'refund'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_payments()', kept || '_leaves', kept);
    END LOOP;
    CREATE TRIGGER write_off_settles AFTER INSERT ON write_off REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION allocate_write_off();
    CREATE TRIGGER write_off_undo_settles AFTER INSERT ON write_off_undo REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION allocate_write_off();
END
$$;

INSERT INTO payment_method (issuer_id, code, name, kind, returns_days)
    SELECT i.id, m.code, m.name, m.kind::payment_kind, m.days FROM issuer AS i CROSS JOIN (VALUES ('cash', 'Cash', 'cash', NULL::smallint), ('card', 'Card', 'card', NULL),
        ('transfer', 'Bank transfer', 'transfer', NULL), ('slip', 'Payment slip', 'slip', NULL), ('direct_debit', 'Direct debit', 'direct_debit', 56)) AS m (code, name, kind, days) ORDER BY i.id, m.code;
INSERT INTO allocation (credit_note_id, invoice_id, amount, allocated_at) SELECT credit_note_id, invoice_id, amount, settled_at FROM settlement ORDER BY settled_at, credit_note_id, invoice_id;
DROP TABLE settlement;
DROP FUNCTION refuse_settlement_beyond();
DROP FUNCTION settle_documents();
DROP TRIGGER open_document_is_counted ON open_document;
CREATE TRIGGER open_document_is_counted AFTER INSERT OR UPDATE OR DELETE ON open_document FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('It follows from documents, allocations and refunds.');

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['payment', 'id'], ['payment_match', 'id'], ['payment_reversal', 'payment_id'], ['refund', 'id'], ['write_off', 'id'], ['write_off_undo', 'write_off_id'], ['allocation', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
    CREATE TRIGGER payment_method_money_insert AFTER INSERT ON payment_method REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id', '');
    CREATE TRIGGER payment_method_money_update AFTER UPDATE ON payment_method REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id', '');
    CREATE TRIGGER payment_method_money_delete AFTER DELETE ON payment_method REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id', '');
END
$$;
GRANT SELECT ON payment_method, payment, payment_match, payment_reversal, refund, write_off, write_off_undo, allocation, open_payment TO corrente_worker, corrente_web;
GRANT INSERT ON payment, payment_match, payment_reversal, refund, write_off, write_off_undo, allocation TO corrente_worker, corrente_web;
-- To hold a payment while it is allocated; its trigger refuses every change.
GRANT UPDATE (made_at) ON payment TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON open_payment TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON payment_method TO corrente_web;
GRANT USAGE ON SEQUENCE payment_id_seq, payment_match_id_seq, refund_id_seq, write_off_id_seq TO corrente_worker, corrente_web;

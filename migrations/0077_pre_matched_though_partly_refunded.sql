-- What is left of a payment that nobody was known for, of which a part was given back, can still be found to be somebody's.
CREATE OR REPLACE FUNCTION refuse_unbooked() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
-- What moves money has its entry before it, which says the same. One query for the rows of a statement.
DECLARE
    wrong text;
BEGIN
    IF TG_TABLE_NAME = 'payment' THEN
        SELECT format('payment %s of %s %s', n.id, n.amount, n.currency) INTO wrong FROM new_rows AS n
            WHERE booked_for('payment', n.id, n.issuer_id, n.currency, n.customer_id) IS DISTINCT FROM -n.amount LIMIT 1;
    ELSIF TG_TABLE_NAME = 'payment_match' THEN
        -- What is left of it, from whose it was, the match before this one or what was said first, to whose it is.
        SELECT format('match %s of payment %s', n.id, n.payment_id) INTO wrong FROM new_rows AS n JOIN payment AS p ON p.id = n.payment_id
            CROSS JOIN LATERAL (SELECT coalesce((SELECT coalesce(m.customer_id, 0) FROM payment_match AS m WHERE m.payment_id = p.id AND m.id < n.id ORDER BY m.id DESC LIMIT 1), p.customer_id, 0) AS owner) AS was
            CROSS JOIN LATERAL (SELECT p.amount - coalesce((SELECT sum(r.amount) FROM refund AS r WHERE r.payment_id = p.id), 0) AS amount) AS rest
            WHERE was.owner = coalesce(n.customer_id, 0) OR booked_for('payment_match', n.id, p.issuer_id, p.currency, nullif(was.owner, 0)) IS DISTINCT FROM rest.amount
                OR booked_for('payment_match', n.id, p.issuer_id, p.currency, n.customer_id) IS DISTINCT FROM -rest.amount LIMIT 1;
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

CREATE OR REPLACE FUNCTION keep_payments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whose a payment is, and that it came back, concerns the whole of it: what it settles is withdrawn first. What was given back
    -- while it was nobody's went to whoever sent it.
    IF TG_TABLE_NAME = 'payment_match' THEN
        IF EXISTS (SELECT FROM new_rows AS n WHERE EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = n.payment_id)
                OR EXISTS (SELECT FROM refund AS r JOIN entry AS e ON e.source = 'refund' AND e.source_id = r.id JOIN posting AS p ON p.entry_id = e.id WHERE r.payment_id = n.payment_id AND p.customer_id IS NOT NULL)
                OR (SELECT sum(a.amount) FROM allocation AS a WHERE a.payment_id = n.payment_id) <> 0) THEN
            RAISE EXCEPTION 'a payment that came back, was given back to a customer or settles something stays whose it is'
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

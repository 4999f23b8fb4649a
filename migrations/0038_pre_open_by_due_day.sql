-- What is open is found by the first day on which something of it is still due, and whether that is all of it. Nothing is settled in parts before this.

ALTER TABLE open_document ADD COLUMN in_parts boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN open_document.due_on IS 'Its first due day that is not settled; of a credit note its date.';
COMMENT ON COLUMN open_document.in_parts IS 'What is open falls due on several days: document_due says which.';

CREATE OR REPLACE FUNCTION open_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO open_document (document_id, issuer_id, customer_id, currency, due_on, open, in_parts)
        SELECT n.id, n.issuer_id, n.customer_id, n.currency, coalesce(u.due_on, n.document_date), CASE n.kind WHEN 'invoice' THEN n.payable ELSE -n.payable END, u.parts > 1
        FROM new_rows AS n CROSS JOIN LATERAL (SELECT min(due_on) AS due_on, count(*) AS parts FROM document_due WHERE document_id = n.id) AS u
        WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note') AND n.payable > 0 ORDER BY n.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION settle_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- In one order everywhere, so that two writers wait for each other and never both.
    PERFORM FROM open_document WHERE document_id IN (SELECT invoice_id FROM new_rows UNION SELECT credit_note_id FROM new_rows) ORDER BY document_id FOR UPDATE;
    WITH settled AS (
        SELECT id, sum(amount) AS amount FROM (SELECT invoice_id AS id, amount FROM new_rows UNION ALL SELECT credit_note_id, -amount FROM new_rows) AS own GROUP BY 1
    ), closed AS (
        DELETE FROM open_document AS o USING settled AS s WHERE o.document_id = s.id AND o.open = s.amount
    )
    UPDATE open_document AS o SET open = o.open - s.amount, due_on = coalesce(u.due_on, o.due_on), in_parts = u.parts > 1
        FROM settled AS s JOIN document AS d ON d.id = s.id JOIN open_document AS before ON before.document_id = s.id
            CROSS JOIN LATERAL (SELECT min(part.due_on) AS due_on, count(*) AS parts
                FROM (SELECT due_on, sum(amount) OVER (ORDER BY due_on, number) AS through FROM document_due WHERE document_id = d.id) AS part
                WHERE part.through > d.payable - before.open + s.amount) AS u
        WHERE o.document_id = s.id AND o.open <> s.amount;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION settle_documents() IS 'What is settled of a document is no longer open; its first parts are settled first.';

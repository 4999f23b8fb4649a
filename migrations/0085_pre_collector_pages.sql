-- 0085_pre_collector_pages: a round by town and street, and a count that waits for the office.
CREATE OR REPLACE VIEW collectable_document WITH (security_barrier) AS
    SELECT c.collector_id, o.document_id, d.label, d.document_date, o.due_on, o.open, d.payable, o.currency, c.customer_id, c.customer, a.address, p.phone, a.way
    FROM collectable_customer AS c JOIN open_document AS o ON o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id
        CROSS JOIN LATERAL (SELECT i.label, i.document_date, i.payable FROM document AS i WHERE i.id = o.document_id LIMIT 1) AS d
        LEFT JOIN LATERAL (SELECT concat_ws(', ', concat_ws(' ', w.street, w.house_number), w.city) AS address,
            lower(concat_ws('|', w.city, w.street, lpad(substring(w.house_number FROM '^[0-9]{1,8}'), 8, '0'), w.house_number)) AS way FROM address AS w WHERE w.customer_id = c.customer_id
            ORDER BY w.kind = 'service' DESC, w.kind = 'billing' DESC, w.id LIMIT 1) AS a ON true
        LEFT JOIN LATERAL (SELECT coalesce(n.mobile, n.phone) AS phone FROM contact AS n WHERE n.customer_id = c.customer_id AND coalesce(n.mobile, n.phone) IS NOT NULL
            ORDER BY n.role = 'collections' DESC, n.role = 'main' DESC, n.id LIMIT 1) AS p ON true
    WHERE o.open > 0;
COMMENT ON VIEW collectable_document IS 'Open invoices that the collector whom the transaction names may collect, with where to find the customer. Whoever reads for a collector reads here.';

CREATE TABLE cash_offer (
    session_id bigint PRIMARY KEY REFERENCES cash_session,
    pieces     jsonb NOT NULL CHECK (jsonb_typeof(pieces) = 'object'),
    note       text CHECK (note <> ''),
    offered_by text NOT NULL CHECK (offered_by <> ''),
    offered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cash_offer IS 'What a collector has counted and wants to hand over. No money moves by it: the office counts again and closes the session.';
COMMENT ON COLUMN cash_offer.pieces IS 'Value of a note or coin → how many.';
-- Pages of collectors.
GRANT SELECT, INSERT, UPDATE ON cash_offer TO corrente_console;

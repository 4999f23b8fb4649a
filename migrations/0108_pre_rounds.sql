-- Sums and the order of a collector's round are worked out without looking up where each customer lives.
CREATE VIEW collectable_open WITH (security_barrier) AS
    SELECT c.collector_id, c.customer_id, c.customer, o.document_id, o.currency, o.due_on, o.open
    FROM collectable_customer AS c JOIN open_document AS o ON o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id WHERE o.open > 0;
COMMENT ON VIEW collectable_open IS 'The same open invoices as collectable_document without where to find the customer: what sums and the order of a round are worked out from.';
GRANT SELECT ON collectable_open TO corrente_collector, corrente_worker, corrente_web;

-- What a document charged is asked when it is credited.
CREATE INDEX charge_document ON charge (document_id) WHERE document_id IS NOT NULL;

-- A document is found by the number that is printed on it, and what is being given back by its payment: both were looked for among all.
CREATE INDEX document_label ON document (label) WHERE label IS NOT NULL;
CREATE INDEX presentment_payment ON presentment (payment_id) WHERE payment_id IS NOT NULL;

-- Orders are invoiced with advances: which invoices are such, and one order a quote, one final invoice an order.
ALTER TABLE document ADD COLUMN is_advance boolean NOT NULL DEFAULT false;
ALTER TABLE document ADD CONSTRAINT document_advance_is_of_an_order CHECK (NOT is_advance OR (kind = 'invoice' AND from_id IS NOT NULL));
COMMENT ON COLUMN document.from_id IS 'The quote that an order was made from, or the order that an invoice bills. Which advances it deducts say its lines.';
COMMENT ON COLUMN document.is_advance IS 'An invoice of a part of an order before it is delivered; its final invoice deducts it.';
CREATE UNIQUE INDEX document_one_order ON document (from_id) WHERE kind = 'order';
CREATE UNIQUE INDEX document_one_final ON document (from_id) WHERE kind = 'invoice' AND NOT is_advance;
CREATE INDEX document_from ON document (from_id) WHERE from_id IS NOT NULL;

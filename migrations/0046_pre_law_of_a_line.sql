-- A line that bears no tax says by which law, so that two laws of one nature are two tax groups of a document.
ALTER TABLE document_line ADD COLUMN legal_reference text;
COMMENT ON COLUMN document_line.legal_reference IS 'The law that says why there is no tax, as it was then.';
ALTER TABLE document_tax DROP CONSTRAINT document_tax_group_once,
    ADD CONSTRAINT document_tax_group_once UNIQUE NULLS NOT DISTINCT (document_id, rate, nature, liability, legal_reference);
COMMENT ON TABLE document_tax IS 'All lines that are taxed alike: their sum and its tax, rounded once; two laws of one nature are two groups. The VAT register is read from here.';

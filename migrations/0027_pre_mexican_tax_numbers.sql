-- A Mexican RFC begins with letters of a name, among which are & and N with a tilde. The release before takes what this one takes.
ALTER TABLE issuer DROP CONSTRAINT issuer_tax_number_check,
    ADD CONSTRAINT issuer_tax_number_check CHECK (tax_number ~ '^[A-Z0-9&\u00D1]{4,28}$');
ALTER TABLE tax_identifier DROP CONSTRAINT tax_identifier_number_check,
    ADD CONSTRAINT tax_identifier_number_check CHECK (number ~ '^[A-Z0-9&\u00D1/.-]{1,30}$');
COMMENT ON COLUMN tax_identifier.number IS 'Compact, in capitals, without separators that carry nothing. Names in Mexican ones hold & and N with a tilde.';

-- A proposal holds until a day, and expires by itself after it; those that are out hold until they are answered.
ALTER TABLE contract_terms ADD COLUMN valid_until date;
COMMENT ON COLUMN contract_terms.valid_until IS 'The last day on which the customer may accept the proposal; NULL: any.';

-- Stamp duty is owed in a currency, and a fiscal position that goes by postal codes says whose. Rows so far are Italy's.

ALTER TABLE stamp_duty ADD COLUMN currency currency_code NOT NULL DEFAULT 'EUR';
ALTER TABLE stamp_duty ALTER COLUMN currency DROP DEFAULT,
    DROP CONSTRAINT stamp_duty_one_a_day,
    ADD CONSTRAINT stamp_duty_one_a_day EXCLUDE USING gist (country WITH =, currency WITH =, during WITH &&);
COMMENT ON COLUMN stamp_duty.currency IS 'Of both sums, and of the documents that they are for.';
DROP TRIGGER stamp_duty_money_insert ON stamp_duty;
DROP TRIGGER stamp_duty_money_update ON stamp_duty;
DROP TRIGGER stamp_duty_money_delete ON stamp_duty;
CREATE TRIGGER stamp_duty_money_insert AFTER INSERT ON stamp_duty REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('country,currency,during', '');
CREATE TRIGGER stamp_duty_money_update AFTER UPDATE ON stamp_duty REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('country,currency,during', '');
CREATE TRIGGER stamp_duty_money_delete AFTER DELETE ON stamp_duty REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('country,currency,during', '');

ALTER TABLE fiscal_position ADD CONSTRAINT fiscal_position_prefix_of_country CHECK (postal_prefix IS NULL OR countries <> '{}') NOT VALID;
ALTER TABLE fiscal_position VALIDATE CONSTRAINT fiscal_position_prefix_of_country;

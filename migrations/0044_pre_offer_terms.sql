-- What an offer says of leaving early and of pauses is with tax or without, as its prices are; both prices stand on one day.

ALTER TABLE price DROP CONSTRAINT price_one_a_day,
    ADD CONSTRAINT price_one_a_day EXCLUDE USING gist (product_id WITH =, currency WITH =, months WITH =, (includes_tax::integer) WITH =, during WITH &&);
COMMENT ON COLUMN price.includes_tax IS 'For contracts whose prices are with tax, or without: a product may have one of each.';

ALTER TABLE early_exit_cost ADD COLUMN includes_tax boolean NOT NULL DEFAULT false;
ALTER TABLE early_exit_cost DROP CONSTRAINT early_exit_cost_pkey, ADD PRIMARY KEY (product_id, currency, includes_tax, from_month);
COMMENT ON COLUMN early_exit_cost.includes_tax IS 'For contracts whose prices are with tax, or without: each has its own table.';
DROP TRIGGER early_exit_cost_money_insert ON early_exit_cost;
DROP TRIGGER early_exit_cost_money_update ON early_exit_cost;
DROP TRIGGER early_exit_cost_money_delete ON early_exit_cost;
CREATE TRIGGER early_exit_cost_money_insert AFTER INSERT ON early_exit_cost REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,currency,includes_tax,from_month', '');
CREATE TRIGGER early_exit_cost_money_update AFTER UPDATE ON early_exit_cost REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,currency,includes_tax,from_month', '');
CREATE TRIGGER early_exit_cost_money_delete AFTER DELETE ON early_exit_cost REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,currency,includes_tax,from_month', '');

CREATE TABLE pause_fee (
    product_id   bigint NOT NULL REFERENCES product,
    currency     currency_code NOT NULL,
    includes_tax boolean NOT NULL DEFAULT false,
    amount       numeric(16, 3) NOT NULL,
    PRIMARY KEY (product_id, currency, includes_tax),
    CONSTRAINT pause_fee_amount_check CHECK (amount > 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE pause_fee IS 'What a customer who has this plan pays for a pause, once each, in the place of its days.';
COMMENT ON COLUMN pause_fee.includes_tax IS 'For contracts whose prices are with tax, or without.';
CREATE TRIGGER pause_fee_money_insert AFTER INSERT ON pause_fee REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,currency,includes_tax', '');
CREATE TRIGGER pause_fee_money_update AFTER UPDATE ON pause_fee REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,currency,includes_tax', '');
CREATE TRIGGER pause_fee_money_delete AFTER DELETE ON pause_fee REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('product_id,currency,includes_tax', '');

GRANT SELECT ON pause_fee TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON pause_fee TO corrente_web;
GRANT DELETE ON early_exit_cost, pause_fee, discount TO corrente_web;

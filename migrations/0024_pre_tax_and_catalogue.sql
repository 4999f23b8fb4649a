-- Tax as dated data, and the catalogue: products, prices, promotions.

-- ---------------------------------------------------------------------------------------------------------------
-- Tax, as dated data
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE tax_liability AS ENUM ('immediate', 'deferred', 'split');
COMMENT ON TYPE tax_liability IS 'When, and by whom, the tax of a group is owed; split: the customer pays it to the state (IT, art. 17-ter DPR 633/72).';

CREATE TABLE tax_code (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,40}$'),
    nature          text CHECK (nature ~ '^[A-Z0-9.]{1,10}$'),
    legal_reference text CHECK (length(legal_reference) BETWEEN 1 AND 100),
    bears_stamp     boolean NOT NULL DEFAULT false,
    CONSTRAINT tax_code_nature_says_why CHECK (nature IS NULL OR legal_reference IS NOT NULL),
    CONSTRAINT tax_code_stamp_is_untaxed CHECK (NOT bears_stamp OR nature IS NOT NULL)
);
COMMENT ON TABLE tax_code IS 'How something is taxed. With a nature it bears no tax, and the law that says so stands beside it.';
COMMENT ON COLUMN tax_code.nature IS 'Why it bears no tax, as the country codes it: N2.2, N4 (IT), E (EN 16931).';
COMMENT ON COLUMN tax_code.bears_stamp IS 'Amounts under it count towards stamp duty; the last word is the accountant''s.';

CREATE TABLE tax_rate (
    tax_code_id bigint NOT NULL REFERENCES tax_code,
    during      daterange NOT NULL,
    percent     numeric(7, 4) NOT NULL CHECK (percent BETWEEN 0 AND 100),
    CONSTRAINT tax_rate_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT tax_rate_one_a_day EXCLUDE USING gist (tax_code_id WITH =, during WITH &&)
);
COMMENT ON TABLE tax_rate IS 'The rate of a code by date of the document. A code with a nature has rate 0.';

CREATE TABLE stamp_duty (
    country country_code NOT NULL,
    during  daterange NOT NULL,
    above   numeric(16, 3) NOT NULL CHECK (above >= 0),
    amount  numeric(16, 3) NOT NULL CHECK (amount > 0),
    CONSTRAINT stamp_duty_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT stamp_duty_one_a_day EXCLUDE USING gist (country WITH =, during WITH &&)
);
COMMENT ON TABLE stamp_duty IS 'What a document owes when its amounts that bear stamp duty are above a sum: IT 2.00 above 77.47 (DPR 642/72, art. 13 tariff).';

CREATE TABLE fiscal_position (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name <> ''),
    liability     tax_liability NOT NULL DEFAULT 'immediate',
    priority      smallint CHECK (priority BETWEEN 1 AND 1000),
    issuer_id     bigint REFERENCES issuer,
    customer_kind customer_kind,
    countries     text[] NOT NULL DEFAULT '{}',
    postal_prefix text CHECK (postal_prefix ~ '^[A-Za-z0-9 -]{1,10}$'),
    CONSTRAINT fiscal_position_countries_are_codes CHECK (every_item_matches(countries, '^[A-Z]{2}$'))
);
COMMENT ON TABLE fiscal_position IS 'How customers of a kind and place are taxed. A customer''s own comes first, else the first by priority that fits its billing address.';
COMMENT ON COLUMN fiscal_position.priority IS 'NULL: only for customers that name it.';
COMMENT ON COLUMN fiscal_position.countries IS 'Empty: any.';

ALTER TABLE customer ADD COLUMN fiscal_position_id bigint REFERENCES fiscal_position;
COMMENT ON COLUMN customer.fiscal_position_id IS 'Its own, before any that fits by kind and place.';

CREATE TABLE fiscal_position_tax (
    fiscal_position_id bigint NOT NULL REFERENCES fiscal_position ON DELETE CASCADE,
    from_tax_code_id   bigint NOT NULL REFERENCES tax_code,
    to_tax_code_id     bigint NOT NULL REFERENCES tax_code,
    PRIMARY KEY (fiscal_position_id, from_tax_code_id)
);
COMMENT ON TABLE fiscal_position_tax IS 'Which code takes the place of a product''s own; one without a row stays.';

CREATE TABLE exemption (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id     bigint NOT NULL REFERENCES customer,
    tax_code_id     bigint NOT NULL REFERENCES tax_code,
    during          daterange NOT NULL,
    legal_reference text NOT NULL CHECK (length(legal_reference) BETWEEN 1 AND 100),
    placed_by       text NOT NULL CHECK (placed_by <> ''),
    CONSTRAINT exemption_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT exemption_one_a_day EXCLUDE USING gist (customer_id WITH =, during WITH &&)
);
COMMENT ON TABLE exemption IS 'A customer that pays no tax for a time under a paper it gave, such as a declaration of intent: all its lines get this code.';

-- ---------------------------------------------------------------------------------------------------------------
-- The catalogue
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE product_kind AS ENUM ('plan', 'add_on', 'one_off', 'usage');
COMMENT ON TYPE product_kind IS 'The line itself, what recurs beside it, what is charged once, what is counted.';

CREATE TABLE product (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL UNIQUE CHECK (name <> ''),
    kind             product_kind NOT NULL,
    plan_id          bigint UNIQUE REFERENCES plan,
    family           text NOT NULL CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    tax_code_id      bigint NOT NULL REFERENCES tax_code,
    minimum_months   smallint CHECK (minimum_months BETWEEN 1 AND 120),
    renew_months     smallint CHECK (renew_months BETWEEN 1 AND 120),
    notice_days      smallint CHECK (notice_days BETWEEN 0 AND 365),
    offered          daterange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(offered)),
    CONSTRAINT product_of_kind UNIQUE (id, kind),
    CONSTRAINT product_plan_has_plan CHECK ((kind = 'plan') = (plan_id IS NOT NULL)),
    CONSTRAINT product_terms_are_a_plans CHECK (kind = 'plan' OR (minimum_months IS NULL AND renew_months IS NULL AND notice_days IS NULL))
);
COMMENT ON TABLE product IS 'What is sold. A product of kind plan sells a plan of the network.';
COMMENT ON COLUMN product.family IS 'What discounts and revenue accounts go by.';

CREATE TABLE product_text (
    product_id bigint NOT NULL REFERENCES product ON DELETE CASCADE,
    language   spoken_language NOT NULL,
    text       text NOT NULL CHECK (text <> ''),
    PRIMARY KEY (product_id, language)
);
COMMENT ON TABLE product_text IS 'What stands on the customer''s document; without a row, the product''s name.';

CREATE TABLE price (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id   bigint NOT NULL REFERENCES product,
    currency     currency_code NOT NULL,
    months       smallint NOT NULL DEFAULT 1 CHECK (months BETWEEN 1 AND 12),
    unit_price   numeric(18, 8) NOT NULL CHECK (unit_price >= 0),
    includes_tax boolean NOT NULL DEFAULT false,
    during       daterange NOT NULL CHECK (NOT isempty(during)),
    CONSTRAINT price_one_a_day EXCLUDE USING gist (product_id WITH =, currency WITH =, months WITH =, during WITH &&)
);
COMMENT ON TABLE price IS 'What a product costs for so many months, by the day a contract is made. Contracts hold a copy: a new price touches nothing agreed.';
COMMENT ON COLUMN price.months IS 'A period of P months costs the price for P months, or without one P times that for one month. One-off fees have 1.';

CREATE TABLE early_exit_cost (
    product_id  bigint NOT NULL REFERENCES product,
    from_month  smallint NOT NULL CHECK (from_month BETWEEN 0 AND 119),
    currency    currency_code NOT NULL,
    amount      numeric(16, 3) NOT NULL,
    PRIMARY KEY (product_id, currency, from_month),
    CONSTRAINT early_exit_cost_amount_check CHECK (amount >= 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE early_exit_cost IS 'What leaving before the minimum term costs after so many whole months of service.';

CREATE TYPE discount_kind AS ENUM ('percent', 'fixed');
COMMENT ON TYPE discount_kind IS 'Percent of what is left, or an amount for each whole period.';

CREATE TABLE promotion (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text NOT NULL UNIQUE CHECK (name <> ''),
    kind     discount_kind NOT NULL,
    value    numeric(18, 8) NOT NULL CHECK (value > 0),
    family   text CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    months   smallint CHECK (months BETWEEN 1 AND 120),
    priority smallint NOT NULL DEFAULT 100 CHECK (priority BETWEEN 1 AND 1000),
    offered  daterange NOT NULL CHECK (NOT isempty(offered)),
    CONSTRAINT promotion_percent_is_a_share CHECK (kind <> 'percent' OR value <= 100)
);
COMMENT ON TABLE promotion IS 'A rule that makes discounts on contracts. Each contract holds its copy: a later edit changes nothing agreed.';
COMMENT ON COLUMN promotion.months IS 'How long each contract has it, from the day it gets it; NULL: as long as the contract.';

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['tax_code', 'id', ''], ['tax_rate', 'tax_code_id,during', ''], ['stamp_duty', 'country,during', ''], ['fiscal_position', 'id', ''],
        ['fiscal_position_tax', 'fiscal_position_id,from_tax_code_id', ''], ['exemption', 'id', ''], ['product', 'id', ''], ['price', 'id', ''], ['early_exit_cost', 'product_id,currency,from_month', ''],
        ['promotion', 'id', '']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_insert', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_update', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_delete', kept[1], kept[2], kept[3]);
    END LOOP;
END
$$;

GRANT SELECT ON tax_code, tax_rate, stamp_duty, fiscal_position, fiscal_position_tax, exemption, product, product_text, price, early_exit_cost, promotion TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON product, product_text, price, early_exit_cost, promotion, exemption TO corrente_web;

-- What a contract agreed: terms, items, instalments, discounts, stops, notices; and what happened to it.

-- ---------------------------------------------------------------------------------------------------------------
-- What a contract agreed
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE due_timing AS ENUM ('anticipated', 'posticipated');
COMMENT ON TYPE due_timing IS 'A period is due on its start, or on its end.';
CREATE TYPE day_basis AS ENUM ('actual', 'thirty');
COMMENT ON TYPE day_basis IS 'Days as they are, or twelve months of thirty.';
CREATE TYPE opening_rule AS ENUM ('prorate', 'full', 'free', 'join');
COMMENT ON TYPE opening_rule IS 'What the days before the first boundary cost: their share, a whole period, nothing, or their share with the next period.';
CREATE TYPE negative_change AS ENUM ('credit_note', 'next_document');
COMMENT ON TYPE negative_change IS 'When a change gives back more than it charges: at once, or with what is billed next.';

CREATE TABLE contract_terms (
    contract_id       bigint PRIMARY KEY REFERENCES contract,
    issuer_id         bigint NOT NULL REFERENCES issuer,
    payer_id          bigint REFERENCES customer,
    service_address_id bigint REFERENCES address,
    currency          currency_code NOT NULL,
    billing_group     text CHECK (billing_group ~ '^[A-Za-z0-9._ -]{1,40}$'),
    due_days          smallint NOT NULL DEFAULT 15 CHECK (due_days BETWEEN 0 AND 180),
    timing            due_timing NOT NULL DEFAULT 'anticipated',
    fixed_day         smallint CHECK (fixed_day BETWEEN 1 AND 31),
    lead_days         smallint NOT NULL DEFAULT 0 CHECK (lead_days BETWEEN 0 AND 60),
    includes_tax      boolean NOT NULL DEFAULT false,
    basis             day_basis NOT NULL DEFAULT 'actual',
    opening           opening_rule NOT NULL DEFAULT 'prorate',
    on_negative       negative_change NOT NULL DEFAULT 'next_document',
    order_fees        boolean NOT NULL DEFAULT false,
    trial_days        smallint CHECK (trial_days BETWEEN 1 AND 365),
    billable_from     date,
    minimum_until     date,
    renew_months      smallint CHECK (renew_months BETWEEN 1 AND 120),
    notice_days       smallint CHECK (notice_days BETWEEN 0 AND 365),
    free_reason       text CHECK (free_reason <> ''),
    free_review_on    date,
    signed_at         timestamptz,
    CONSTRAINT contract_terms_free_is_reviewed CHECK ((free_reason IS NULL) = (free_review_on IS NULL))
);
COMMENT ON TABLE contract_terms IS 'How a contract is billed, as it was agreed. A contract without terms is not billed, and the run''s preview lists it.';
COMMENT ON COLUMN contract_terms.payer_id IS 'Who gets and pays the documents; NULL: the customer.';
COMMENT ON COLUMN contract_terms.billing_group IS 'Contracts of one group, payer, currency, register and due terms share a document.';
COMMENT ON COLUMN contract_terms.fixed_day IS 'Due on the first such day at or after the period''s own due day.';
COMMENT ON COLUMN contract_terms.lead_days IS 'Documents are prepared so many days before the due day; the period stays.';
COMMENT ON COLUMN contract_terms.includes_tax IS 'Its prices and discounts are with tax; documents never mix both.';
COMMENT ON COLUMN contract_terms.billable_from IS 'First billable day, set by activation; a trial ends on it.';
COMMENT ON COLUMN contract_terms.order_fees IS 'One-off fees are due when the contract is accepted, not when it is activated.';
CREATE INDEX contract_terms_issuer ON contract_terms (issuer_id);

CREATE FUNCTION month_end(day date) RETURNS date LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT next_month - extract(day FROM next_month)::integer FROM (SELECT day - extract(day FROM day)::integer + 32 AS next_month) AS later
$$;
COMMENT ON FUNCTION month_end(date) IS 'The last day of a day''s month.';

CREATE TABLE contract_item (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id    bigint NOT NULL REFERENCES contract_terms,
    product_id     bigint NOT NULL,
    kind           product_kind NOT NULL,
    quantity       numeric(18, 8) NOT NULL DEFAULT 1 CHECK (quantity > 0),
    period_price   numeric(18, 8) NOT NULL CHECK (period_price >= 0),
    months         smallint CHECK (months BETWEEN 1 AND 12),
    anchor         date,
    wanted_day     smallint CHECK (wanted_day BETWEEN 1 AND 31),
    starts_on      date NOT NULL,
    ends_on        date,
    CONSTRAINT contract_item_of_contract UNIQUE (id, contract_id),
    CONSTRAINT contract_item_product_of_kind FOREIGN KEY (product_id, kind) REFERENCES product (id, kind),
    CONSTRAINT contract_item_dates_in_order CHECK (ends_on >= starts_on),
    CONSTRAINT contract_item_recurring_has_cycle CHECK (num_nulls(months, anchor, wanted_day) = CASE WHEN kind IN ('plan', 'add_on') THEN 0 ELSE 3 END),
    CONSTRAINT contract_item_anchor_on_day CHECK (extract(day FROM anchor) = least(wanted_day, extract(day FROM month_end(anchor)))),
    CONSTRAINT contract_item_one_plan EXCLUDE USING gist (contract_id WITH =, daterange(starts_on, ends_on) WITH &&) WHERE (kind = 'plan')
);
COMMENT ON TABLE contract_item IS 'One thing a contract pays for, with its own price and dates, as it was agreed.';
COMMENT ON COLUMN contract_item.period_price IS 'Of one unit for a whole period of `months`; of a one-off fee its price.';
CREATE INDEX contract_item_contract ON contract_item (contract_id);

CREATE TABLE instalment (
    item_id bigint NOT NULL REFERENCES contract_item,
    number  smallint NOT NULL CHECK (number BETWEEN 1 AND 60),
    due_on  date NOT NULL,
    amount  numeric(16, 3) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (item_id, number)
);
COMMENT ON TABLE instalment IS 'The parts in which a one-off fee is charged. Together they are its price, checked when the transaction ends.';

CREATE FUNCTION refuse_instalments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    item    contract_item := (SELECT i FROM contract_item i WHERE i.id = coalesce(NEW.item_id, OLD.item_id));
    price   numeric;
    parts   numeric;
BEGIN
    SELECT round(item.period_price * item.quantity, currency_places(terms.currency)) INTO price FROM contract_terms AS terms WHERE terms.contract_id = item.contract_id;
    SELECT sum(amount) INTO parts FROM instalment WHERE item_id = item.id;
    IF parts IS NULL OR parts = price THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the instalments of item % are % together and its price is %', item.id, parts, price
        USING ERRCODE = 'check_violation', TABLE = 'instalment', CONSTRAINT = TG_NAME, HINT = 'Write all of them in one transaction.';
END
$$;
COMMENT ON FUNCTION refuse_instalments() IS 'Instalments add up to the price, or there are none.';
CREATE CONSTRAINT TRIGGER instalment_adds_up AFTER INSERT OR UPDATE OR DELETE ON instalment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_instalments();

CREATE TABLE discount (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id  bigint NOT NULL REFERENCES contract_terms,
    item_id      bigint,
    family       text CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    kind         discount_kind NOT NULL,
    value        numeric(18, 8) NOT NULL CHECK (value > 0),
    during       daterange NOT NULL,
    priority     smallint NOT NULL DEFAULT 100 CHECK (priority BETWEEN 1 AND 1000),
    promotion_id bigint REFERENCES promotion,
    reason       text NOT NULL CHECK (reason <> ''),
    placed_by    text NOT NULL CHECK (placed_by <> ''),
    CONSTRAINT discount_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT discount_percent_is_a_share CHECK (kind <> 'percent' OR value <= 100),
    CONSTRAINT discount_one_scope CHECK (item_id IS NULL OR family IS NULL),
    CONSTRAINT discount_item_of_contract FOREIGN KEY (item_id, contract_id) REFERENCES contract_item (id, contract_id),
    CONSTRAINT discount_promotion_once UNIQUE (contract_id, promotion_id)
);
COMMENT ON TABLE discount IS 'Taken off an item, a family or the whole contract while it lasts, before tax, each on what those of lower priority number left.';

CREATE TABLE billing_stop (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id    bigint NOT NULL REFERENCES contract_terms,
    during         daterange NOT NULL,
    rule           text NOT NULL CHECK (rule IN ('credit_days', 'stop')),
    restriction_id bigint REFERENCES restriction,
    reason         text NOT NULL CHECK (reason <> ''),
    placed_by      text NOT NULL CHECK (placed_by <> ''),
    settled_through date,
    CONSTRAINT billing_stop_has_beginning CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT billing_stop_one_a_day EXCLUDE USING gist (contract_id WITH =, during WITH &&)
);
COMMENT ON TABLE billing_stop IS 'Days that a contract does not pay: credited day by day (credit_days) or whole periods left out (stop).';

CREATE TABLE contract_notice (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract_terms,
    kind        text NOT NULL CHECK (kind IN ('renewal', 'expiry', 'price_change', 'term_change')),
    due_on      date NOT NULL,
    channel     text CHECK (channel ~ '^[a-z_]{1,40}$'),
    sent_at     timestamptz,
    result      text,
    CONSTRAINT contract_notice_once UNIQUE (contract_id, kind, due_on)
);
COMMENT ON TABLE contract_notice IS 'What must be told to a customer about a contract, by when, and how it went.';

CREATE TABLE contract_event (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id   bigint NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text NOT NULL CHECK (actor <> ''),
    event         text NOT NULL CHECK (event ~ '^[a-z_]{1,40}$'),
    effective_on  date,
    status_before contract_status NOT NULL,
    status_after  contract_status NOT NULL,
    detail        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object')
);
COMMENT ON TABLE contract_event IS 'What happened to a contract, who did it and from which day it counts. Append-only, and it outlives the contract; a change of status can''t be made without its row.';
CREATE INDEX contract_event_contract ON contract_event (contract_id, id);
CREATE TRIGGER contract_event_append_only BEFORE UPDATE OR DELETE ON contract_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What happened stays as it was told: write another event.');
CREATE TRIGGER contract_event_no_truncate BEFORE TRUNCATE ON contract_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What happened stays as it was told.');

CREATE FUNCTION refuse_contract_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_told contract_status := (SELECT status_after FROM contract_event WHERE contract_id = NEW.contract_id ORDER BY id DESC LIMIT 1);
BEGIN
    -- Changes of status are told by the trigger on contract alone, so there is none without its event and no event without it.
    IF num_nulls(NEW.contract_id, NEW.status_before, NEW.status_after) > 0
            OR (EXISTS (SELECT FROM contract WHERE id = NEW.contract_id) AND NEW.status_before = coalesce(last_told, NEW.status_before) AND (NEW.status_before = NEW.status_after OR pg_trigger_depth() > 1)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'contract % is % by its events and can''t be told to go from % to %', NEW.contract_id, last_told, NEW.status_before, NEW.status_after
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Change contract.status: its event is written with it.';
END
$$;
COMMENT ON FUNCTION refuse_contract_event() IS 'The events of a contract are a path of its statuses.';
CREATE TRIGGER contract_event_path BEFORE INSERT ON contract_event FOR EACH ROW EXECUTE FUNCTION refuse_contract_event();

INSERT INTO contract_event (contract_id, actor, event, status_before, status_after) SELECT id, 'migration', 'created', status, status FROM contract ORDER BY id;

CREATE FUNCTION tell_contract() RETURNS trigger LANGUAGE plpgsql AS $$
-- The transaction may say what it does: corrente.actor, corrente.event, corrente.effective_on.
DECLARE
    writer text := coalesce(nullif(current_setting('corrente.actor', true), ''), 'database ' || session_user);
    deed   text := nullif(current_setting('corrente.event', true), '');
    since  date := nullif(current_setting('corrente.effective_on', true), '')::date;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after)
            SELECT n.id, writer, coalesce(deed, 'created'), since, n.status, n.status FROM new_rows AS n ORDER BY n.id;
    ELSE
        INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after)
            SELECT n.id, writer, coalesce(deed, 'status_set'), since, o.status, n.status FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE n.status <> o.status ORDER BY n.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION tell_contract() IS 'One statement, one insert of the events of the contracts that it made or whose status it changed.';
CREATE TRIGGER contract_told_insert AFTER INSERT ON contract REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_contract();
CREATE TRIGGER contract_told_update AFTER UPDATE ON contract REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell_contract();

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['contract_terms', 'contract_id', ''], ['contract_item', 'id', ''], ['instalment', 'item_id,number', ''], ['discount', 'id', ''], ['billing_stop', 'id', 'settled_through']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_insert', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_update', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_delete', kept[1], kept[2], kept[3]);
    END LOOP;
END
$$;

GRANT SELECT, INSERT ON contract_event TO corrente_worker, corrente_web;
GRANT SELECT ON contract_terms, contract_item, instalment, discount, billing_stop, contract_notice TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON contract_terms, contract_item, discount, billing_stop, contract_notice TO corrente_worker, corrente_web;
GRANT INSERT, DELETE ON instalment TO corrente_worker, corrente_web;

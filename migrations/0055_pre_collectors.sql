-- Collectors, numbered receipts, cash sessions and hand-over. A collector's own database role reads what that collector may collect, and nothing else.
DO $$
BEGIN
    -- Roles belong to the cluster: another database of it, or its administrator, may have made it.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'corrente_collector') THEN
        CREATE ROLE corrente_collector NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- made by another database in this moment
END
$$;

-- ---------------------------------------------------------------------------------------------------------------
-- Collectors, receipts and cash
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE numbered_kind AS ENUM ('receipt', 'agent_settlement');
COMMENT ON TYPE numbered_kind IS 'Papers with numbers of their own that are no documents of billing.';

CREATE TABLE number_series (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Z0-9]{1,6}$'),
    kind      numbered_kind NOT NULL,
    name      text NOT NULL CHECK (name <> ''),
    pattern   text NOT NULL DEFAULT '{number}/{code}/{year}' CHECK (pattern LIKE '%{number}%' AND pattern ~ '^[ -~]{1,40}$'),
    CONSTRAINT number_series_code_once UNIQUE (issuer_id, code),
    CONSTRAINT number_series_of_issuer UNIQUE (id, issuer_id)
);
COMMENT ON TABLE number_series IS 'A series of numbers of receipts or agents'' settlements: 1 to n a year, without a hole.';
COMMENT ON COLUMN number_series.pattern IS 'How a number is printed, of {number}, {code} and {year}.';

CREATE TABLE number_series_year (
    series_id   bigint NOT NULL REFERENCES number_series,
    year        smallint NOT NULL,
    last_number integer NOT NULL,
    last_on     date NOT NULL,
    PRIMARY KEY (series_id, year)
);
COMMENT ON TABLE number_series_year IS 'How far a series has come in a year. Who takes a number counts it and holds the series until its transaction ends, so what is taken back leaves no hole.';
CREATE TRIGGER number_series_year_is_counted AFTER INSERT OR UPDATE OR DELETE ON number_series_year FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('Who takes a number counts it.');

CREATE FUNCTION take_number() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Argument: the kind of series. The database numbers, so that nobody else can leave a hole or give a number twice.
DECLARE
    series number_series;
    newest number_series_year;
BEGIN
    IF NEW.series_id IS NULL OR NEW.issued_on IS NULL THEN
        RETURN NEW; -- refused as what must not be empty
    END IF;
    SELECT * INTO series FROM number_series WHERE id = NEW.series_id FOR NO KEY UPDATE;
    IF series.kind::text <> TG_ARGV[0] THEN
        RAISE EXCEPTION 'series % numbers %s, no %s', series.code, series.kind, TG_ARGV[0]
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Choose a series of that kind.';
    END IF;
    SELECT * INTO newest FROM number_series_year WHERE series_id = NEW.series_id ORDER BY year DESC LIMIT 1;
    -- Not before the one in front of it: who began before midnight may be numbered behind who began after it.
    NEW.issued_on := greatest(NEW.issued_on, newest.last_on);
    NEW.year := extract(year FROM NEW.issued_on);
    INSERT INTO number_series_year AS y (series_id, year, last_number, last_on) VALUES (NEW.series_id, NEW.year, 1, NEW.issued_on)
        ON CONFLICT (series_id, year) DO UPDATE SET last_number = y.last_number + 1, last_on = EXCLUDED.last_on RETURNING last_number INTO NEW.number;
    NEW.label := replace(replace(replace(series.pattern, '{number}', NEW.number::text), '{code}', series.code), '{year}', NEW.year::text);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION take_number() IS 'Gives a row its year, number and printed number, 1 to n without a hole, days not going back.';
REVOKE EXECUTE ON FUNCTION take_number() FROM PUBLIC;

CREATE TABLE collector (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    login     text CHECK (login ~ '^[A-Za-z0-9._@-]{1,64}$'),
    series_id bigint NOT NULL,
    most_cash numeric(16, 3) CHECK (most_cash > 0),
    active    boolean NOT NULL DEFAULT true,
    CONSTRAINT collector_name_once UNIQUE (issuer_id, name),
    CONSTRAINT collector_login_once UNIQUE (login),
    CONSTRAINT collector_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE collector IS 'Who takes payments in the field, gives numbered receipts and accounts for the cash.';
COMMENT ON COLUMN collector.login IS 'As whom the collector signs in.';
COMMENT ON COLUMN collector.series_id IS 'Which series numbers the receipts; several collectors may share one.';
COMMENT ON COLUMN collector.most_cash IS 'Who has so much of a currency hands it over before taking more; NULL: no limit.';
COMMENT ON COLUMN collector.active IS 'Who is not takes nothing and sees nothing; what is left is handed over.';

CREATE TYPE collector_scope_kind AS ENUM ('everyone', 'customer', 'group', 'city', 'province', 'postal_code');
COMMENT ON TYPE collector_scope_kind IS 'Whose documents: all of the issuer, one customer''s, a billing group''s, of who lives or is served in a city, a province, or where the postal code begins so.';

CREATE TABLE collector_scope (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collector_id bigint NOT NULL REFERENCES collector,
    kind         collector_scope_kind NOT NULL,
    customer_id  bigint REFERENCES customer ON DELETE CASCADE,
    value        text CHECK (length(value) BETWEEN 1 AND 100),
    through      date,
    CONSTRAINT collector_scope_names_what CHECK ((kind::text = 'customer') = (customer_id IS NOT NULL) AND (kind::text IN ('everyone', 'customer')) = (value IS NULL)),
    CONSTRAINT collector_scope_once UNIQUE NULLS NOT DISTINCT (collector_id, kind, customer_id, value)
);
COMMENT ON TABLE collector_scope IS 'From whom a collector may collect, one part a row; without a row from nobody.';
COMMENT ON COLUMN collector_scope.through IS 'Last day on which it counts, where the issuer is; NULL: until it is taken away.';

CREATE VIEW collectable_customer WITH (security_barrier) AS
    SELECT k.id AS collector_id, k.issuer_id, c.id AS customer_id, c.name AS customer, c.language
    FROM collector AS k JOIN issuer AS i ON i.id = k.issuer_id CROSS JOIN customer AS c
    WHERE k.id = nullif(current_setting('corrente.collector', true), '')::bigint AND k.active AND (
        EXISTS (SELECT FROM collector_scope AS s WHERE s.collector_id = k.id AND s.kind = 'everyone' AND coalesce(s.through >= (now() AT TIME ZONE i.zone)::date, true))
        OR c.id IN (
            SELECT s.customer_id FROM collector_scope AS s JOIN collector AS m ON m.id = s.collector_id JOIN issuer AS j ON j.id = m.issuer_id
            WHERE s.collector_id = nullif(current_setting('corrente.collector', true), '')::bigint AND s.kind = 'customer' AND coalesce(s.through >= (now() AT TIME ZONE j.zone)::date, true)
            UNION ALL
            SELECT coalesce(t.payer_id, n.customer_id) FROM collector_scope AS s JOIN collector AS m ON m.id = s.collector_id JOIN issuer AS j ON j.id = m.issuer_id
                JOIN contract_terms AS t ON t.billing_group = s.value AND t.issuer_id = m.issuer_id JOIN contract AS n ON n.id = t.contract_id
            WHERE s.collector_id = nullif(current_setting('corrente.collector', true), '')::bigint AND s.kind = 'group' AND coalesce(s.through >= (now() AT TIME ZONE j.zone)::date, true)
            UNION ALL
            SELECT a.customer_id FROM collector_scope AS s JOIN collector AS m ON m.id = s.collector_id JOIN issuer AS j ON j.id = m.issuer_id
                JOIN address AS a ON CASE s.kind WHEN 'city' THEN lower(a.city) = lower(s.value) WHEN 'province' THEN lower(a.province) = lower(s.value) ELSE starts_with(a.postal_code, s.value) END
            WHERE s.collector_id = nullif(current_setting('corrente.collector', true), '')::bigint AND s.kind IN ('city', 'province', 'postal_code') AND coalesce(s.through >= (now() AT TIME ZONE j.zone)::date, true)));
COMMENT ON VIEW collectable_customer IS 'From whom the collector whom the transaction names (corrente.collector) may collect; without one, or for one who is not active, from nobody.';

CREATE VIEW collectable_document WITH (security_barrier) AS
    SELECT c.collector_id, o.document_id, d.label, d.document_date, o.due_on, o.open, d.payable, o.currency, c.customer_id, c.customer, a.address, p.phone
    FROM collectable_customer AS c JOIN open_document AS o ON o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id JOIN document AS d ON d.id = o.document_id
        LEFT JOIN LATERAL (SELECT concat_ws(', ', concat_ws(' ', w.street, w.house_number), w.city) AS address FROM address AS w WHERE w.customer_id = c.customer_id
            ORDER BY w.kind = 'service' DESC, w.kind = 'billing' DESC, w.id LIMIT 1) AS a ON true
        LEFT JOIN LATERAL (SELECT coalesce(n.mobile, n.phone) AS phone FROM contact AS n WHERE n.customer_id = c.customer_id AND coalesce(n.mobile, n.phone) IS NOT NULL
            ORDER BY n.role = 'collections' DESC, n.role = 'main' DESC, n.id LIMIT 1) AS p ON true
    WHERE o.open > 0;
COMMENT ON VIEW collectable_document IS 'Open invoices that the collector whom the transaction names may collect, with where to find the customer. Whoever reads for a collector reads here.';

CREATE TABLE cash_session (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collector_id bigint NOT NULL REFERENCES collector,
    currency     currency_code NOT NULL,
    opening      numeric(16, 3) NOT NULL DEFAULT 0,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    opened_by    text NOT NULL CHECK (opened_by <> ''),
    closed_at    timestamptz,
    closed_on    date,
    closed_by    text CHECK (closed_by <> ''),
    taken_by     text CHECK (taken_by <> ''),
    expected     numeric(16, 3),
    counted      numeric(16, 3),
    note         text CHECK (note <> ''),
    CONSTRAINT cash_session_opening_is_an_amount CHECK (opening >= 0 AND opening = round(opening, currency_places(currency))),
    CONSTRAINT cash_session_closed_whole CHECK (num_nulls(closed_at, closed_on, closed_by, expected, counted) IN (0, 5)),
    CONSTRAINT cash_session_counted_check CHECK (counted >= 0)
);
COMMENT ON TABLE cash_session IS 'A collector''s takings in one currency from the first payment to the hand-over. Closed it stays: what was wrong is set right in the next one.';
COMMENT ON COLUMN cash_session.opening IS 'Cash that the collector was given to begin with; it is the main cash''s all the time.';
COMMENT ON COLUMN cash_session.closed_on IS 'Of which day the hand-over is, where the issuer is.';
COMMENT ON COLUMN cash_session.taken_by IS 'Who took the money.';
COMMENT ON COLUMN cash_session.expected IS 'Opening, and cash that came in, less what was handed over before and what was taken back.';
CREATE UNIQUE INDEX cash_session_one_open ON cash_session (collector_id, currency) WHERE closed_at IS NULL;
CREATE INDEX cash_session_collector ON cash_session (collector_id, id);

CREATE TYPE count_moment AS ENUM ('opening', 'closing');
COMMENT ON TYPE count_moment IS 'When cash was counted.';
CREATE TABLE cash_count (
    session_id bigint NOT NULL REFERENCES cash_session,
    moment     count_moment NOT NULL,
    value      numeric(16, 3) NOT NULL CHECK (value > 0),
    pieces     integer NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (session_id, moment, value)
);
COMMENT ON TABLE cash_count IS 'Notes and coins of one value that were counted.';

CREATE TABLE receipt (
    payment_id bigint PRIMARY KEY REFERENCES payment,
    issuer_id  bigint NOT NULL,
    series_id  bigint NOT NULL,
    year       smallint,
    number     integer,
    label      text,
    issued_on  date NOT NULL,
    session_id bigint REFERENCES cash_session,
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT receipt_is_numbered CHECK (num_nulls(year, number, label) = 0),
    CONSTRAINT receipt_number_once UNIQUE (series_id, year, number),
    CONSTRAINT receipt_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE receipt IS 'The numbered receipt of a payment, written in the payment''s transaction by a collector, later where somebody asks for one. Append-only.';
COMMENT ON COLUMN receipt.session_id IS 'In whose hand-over the payment is listed; NULL for what no collector took.';
CREATE INDEX receipt_session ON receipt (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE cash_withdrawal (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id bigint NOT NULL REFERENCES cash_session,
    amount     numeric(16, 3) NOT NULL CHECK (amount > 0),
    dated      date NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cash_withdrawal IS 'Cash that left a collector before the hand-over: paid in at the bank, or given to the main cash. Append-only.';
CREATE INDEX cash_withdrawal_session ON cash_withdrawal (session_id);

CREATE TABLE cash_taken_back (
    payment_id bigint PRIMARY KEY REFERENCES payment_reversal,
    session_id bigint NOT NULL REFERENCES cash_session
);
COMMENT ON TABLE cash_taken_back IS 'In which hand-over it counts that a collector''s payment was taken back: the one that is closed next, whenever the payment was handed over. Append-only.';
CREATE INDEX cash_taken_back_session ON cash_taken_back (session_id);

CREATE FUNCTION refuse_cash() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- What belongs to a session is written while it is open; it is held, so that nobody closes it meanwhile.
DECLARE
    kept  record;
    paid  record;
    wrong text;
BEGIN
    SELECT s.*, k.issuer_id INTO kept FROM cash_session AS s JOIN collector AS k ON k.id = s.collector_id WHERE s.id = NEW.session_id FOR NO KEY UPDATE OF s;
    IF kept.closed_at IS NOT NULL THEN
        wrong := format('session %s is closed', kept.id);
    ELSIF TG_TABLE_NAME IN ('receipt', 'cash_taken_back') THEN
        SELECT p.*, r.session_id AS session, o.collector_id AS collector INTO paid FROM payment AS p LEFT JOIN receipt AS r ON r.payment_id = p.id LEFT JOIN cash_session AS o ON o.id = r.session_id WHERE p.id = NEW.payment_id;
        wrong := CASE
            WHEN (paid.source = 'collector') <> (NEW.session_id IS NOT NULL) THEN format('payment %s was taken by %s collector', paid.id, CASE WHEN paid.source = 'collector' THEN 'a' ELSE 'no' END)
            WHEN TG_TABLE_NAME = 'receipt' AND paid.issuer_id <> (to_jsonb(NEW) ->> 'issuer_id')::bigint THEN format('payment %s is another issuer''s', paid.id)
            WHEN (paid.issuer_id, paid.currency) IS DISTINCT FROM (kept.issuer_id, kept.currency) AND kept.id IS NOT NULL THEN format('payment %s is of another issuer or currency', paid.id)
            WHEN TG_TABLE_NAME = 'cash_taken_back' AND paid.collector IS DISTINCT FROM kept.collector_id THEN format('payment %s is another collector''s', paid.id)
        END;
    ELSIF NEW.amount <> round(NEW.amount, currency_places(kept.currency)) OR (SELECT sum(p.amount) FROM entry AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
            WHERE e.source = 'cash_withdrawal' AND e.source_id = NEW.id AND e.kind = 'cash_withdrawal' AND e.issuer_id = kept.issuer_id AND e.currency = kept.currency AND a.role = 'cash_with_collector') IS DISTINCT FROM -NEW.amount THEN
        wrong := format('withdrawal %s of %s has no entry that says the same', NEW.id, NEW.amount);
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%: %', TG_TABLE_NAME, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'What a collector takes belongs to that collector''s open session, and the books say it.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_cash() IS 'Receipts, withdrawals and what is taken back are of an open session of their collector, issuer and currency.';
CREATE TRIGGER receipt_fits AFTER INSERT ON receipt FOR EACH ROW EXECUTE FUNCTION refuse_cash();
CREATE TRIGGER receipt_takes_number BEFORE INSERT ON receipt FOR EACH ROW EXECUTE FUNCTION take_number('receipt');
CREATE TRIGGER cash_withdrawal_fits AFTER INSERT ON cash_withdrawal FOR EACH ROW EXECUTE FUNCTION refuse_cash();
CREATE TRIGGER cash_taken_back_fits AFTER INSERT ON cash_taken_back FOR EACH ROW EXECUTE FUNCTION refuse_cash();

CREATE FUNCTION refuse_cash_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM cash_session AS s WHERE s.id = NEW.session_id AND (s.closed_at IS NOT NULL OR NEW.value <> round(NEW.value, currency_places(s.currency)))) THEN
        RAISE EXCEPTION 'session % is closed, or its currency has no % ', NEW.session_id, NEW.value
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Count while the session is open.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_cash_count() IS 'Cash is counted while a session is open.';
CREATE TRIGGER cash_count_fits AFTER INSERT ON cash_count FOR EACH ROW EXECUTE FUNCTION refuse_cash_count();

CREATE FUNCTION cash_expected(of_session bigint) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT s.opening
        + coalesce((SELECT sum(p.amount) FROM receipt AS r JOIN payment AS p ON p.id = r.payment_id JOIN payment_method AS m ON m.id = p.method_id WHERE r.session_id = s.id AND m.kind = 'cash'), 0)
        - coalesce((SELECT sum(w.amount) FROM cash_withdrawal AS w WHERE w.session_id = s.id), 0)
        - coalesce((SELECT sum(p.amount) FROM cash_taken_back AS b JOIN payment AS p ON p.id = b.payment_id JOIN payment_method AS m ON m.id = p.method_id WHERE b.session_id = s.id AND m.kind = 'cash'), 0)
    FROM cash_session AS s WHERE s.id = of_session
$$;
COMMENT ON FUNCTION cash_expected(bigint) IS 'What should be in the collector''s hands, from nothing: opening, cash that came in, less what left and what was taken back.';

CREATE FUNCTION refuse_closing() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    should  numeric := cash_expected(NEW.id);
    booked  record;
    wrong   text;
BEGIN
    SELECT coalesce(sum(p.amount) FILTER (WHERE a.role = 'cash_with_collector'), 0) AS with_collector, coalesce(sum(p.amount) FILTER (WHERE a.role = 'cash'), 0) AS cash,
            coalesce(sum(p.amount) FILTER (WHERE a.role = 'cash_shortage'), 0) AS shortage INTO booked
        FROM collector AS k JOIN entry AS e ON e.issuer_id = k.issuer_id JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
        WHERE k.id = NEW.collector_id AND e.source = 'cash_session' AND e.source_id = NEW.id AND e.kind = 'cash_session' AND e.currency = NEW.currency;
    wrong := CASE
        WHEN NEW.expected <> should THEN format('%s should be there, and it says %s', should, NEW.expected)
        WHEN NEW.counted <> coalesce((SELECT sum(value * pieces) FROM cash_count WHERE session_id = NEW.id AND moment = 'closing'), 0) THEN format('what was counted is not %s', NEW.counted)
        WHEN (booked.with_collector, booked.cash, booked.shortage) IS DISTINCT FROM (NEW.opening - NEW.expected, NEW.counted - NEW.opening, NEW.expected - NEW.counted) THEN 'it has no entry that says the same'
    END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'session % is not handed over: %', NEW.id, wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write what was counted and the entry first, in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_closing() IS 'A hand-over says what was counted, what should be there, and its entry the same.';
CREATE TRIGGER cash_session_hands_over AFTER UPDATE ON cash_session FOR EACH ROW WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_closing();
CREATE TRIGGER cash_session_begins_open AFTER INSERT ON cash_session FOR EACH ROW WHEN (NEW.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change('Open it, then close it.');
CREATE TRIGGER cash_session_closes_once BEFORE UPDATE ON cash_session FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change('A hand-over stays: what was wrong is set right in the next one.');
CREATE TRIGGER cash_session_is_of_its_collector BEFORE UPDATE ON cash_session FOR EACH ROW
    WHEN ((OLD.id, OLD.collector_id, OLD.currency, OLD.opening, OLD.opened_at, OLD.opened_by) IS DISTINCT FROM (NEW.id, NEW.collector_id, NEW.currency, NEW.opening, NEW.opened_at, NEW.opened_by)) EXECUTE FUNCTION refuse_change('Only its hand-over is written later.');

CREATE FUNCTION refuse_unreceipted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM receipt WHERE payment_id = NEW.id) THEN
        RAISE EXCEPTION 'payment % was taken by a collector and has no receipt', NEW.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write its receipt in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_unreceipted() IS 'What a collector takes has its receipt, and with it a session that accounts for it.';
CREATE CONSTRAINT TRIGGER payment_by_collector_has_receipt AFTER INSERT ON payment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.source = 'collector') EXECUTE FUNCTION refuse_unreceipted();

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['receipt', 'cash_withdrawal', 'cash_taken_back', 'cash_count'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''What was received and counted stays.'')', kept || '_append_only', kept);
    END LOOP;
    CREATE TRIGGER cash_session_stays BEFORE DELETE ON cash_session FOR EACH ROW EXECUTE FUNCTION refuse_change('Hand it over.');
    FOREACH kept IN ARRAY ARRAY['receipt', 'cash_withdrawal', 'cash_taken_back', 'cash_count', 'cash_session'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''What was received and counted stays.'')', kept || '_no_truncate', kept);
    END LOOP;
END
$$;

INSERT INTO number_series (issuer_id, code, kind, name) SELECT i.id, s.code, s.kind::numbered_kind, s.name FROM issuer AS i CROSS JOIN (VALUES ('RE', 'receipt', 'Receipts'), ('AG', 'agent_settlement', 'Settlements of agents')) AS s (code, kind, name) ORDER BY i.id, s.code DESC;

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['number_series', 'id'], ['collector', 'id'], ['collector_scope', 'id'], ['cash_session', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_update', kept[1], kept[2], '');
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_delete', kept[1], kept[2], '');
    END LOOP;
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['number_series', 'id'], ['collector', 'id'], ['collector_scope', 'id'], ['cash_session', 'id'], ['cash_count', 'session_id,moment,value'], ['receipt', 'payment_id'],
        ['cash_withdrawal', 'id'], ['cash_taken_back', 'payment_id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
END
$$;
-- A collector's own connection reads the two views and nothing else.
GRANT SELECT ON collectable_customer, collectable_document TO corrente_collector;
GRANT SELECT ON number_series, number_series_year, collector, collector_scope, collectable_customer, collectable_document, cash_session, cash_count, receipt, cash_withdrawal, cash_taken_back TO corrente_worker, corrente_web;
GRANT INSERT ON cash_session, cash_count, receipt, cash_withdrawal, cash_taken_back, collector, collector_scope, number_series TO corrente_web;
GRANT UPDATE (closed_at, closed_on, closed_by, taken_by, expected, counted, note) ON cash_session TO corrente_web;
GRANT UPDATE ON collector, collector_scope TO corrente_web;
GRANT DELETE ON collector_scope TO corrente_web;
GRANT USAGE ON SEQUENCE cash_session_id_seq, cash_withdrawal_id_seq TO corrente_web;


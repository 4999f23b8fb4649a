-- Agents: by which rules they earn, what they earned of which money, and how it is settled.
-- ---------------------------------------------------------------------------------------------------------------
-- Agents and what they earn
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE agent (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    email     text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    series_id bigint NOT NULL,
    active    boolean NOT NULL DEFAULT true,
    CONSTRAINT agent_name_once UNIQUE (issuer_id, name),
    CONSTRAINT agent_of_issuer UNIQUE (id, issuer_id),
    CONSTRAINT agent_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE agent IS 'Who brings contracts and earns commissions of them.';
COMMENT ON COLUMN agent.series_id IS 'Which series numbers the settlements.';
COMMENT ON COLUMN agent.active IS 'Who is not gets no contract more; what is earned is settled.';

CREATE TABLE contract_agent (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    agent_id    bigint NOT NULL REFERENCES agent,
    during      daterange NOT NULL,
    CONSTRAINT contract_agent_is_some_time CHECK (NOT isempty(during) AND NOT lower_inf(during)),
    CONSTRAINT contract_agent_one_at_a_time EXCLUDE USING gist (contract_id WITH =, during WITH &&)
);
COMMENT ON TABLE contract_agent IS 'Whose a contract is, day by day: what is invoiced on a day is its agent''s of that day.';
CREATE INDEX contract_agent_agent ON contract_agent (agent_id);

CREATE TYPE commission_kind AS ENUM ('one_off', 'recurring');
COMMENT ON TYPE commission_kind IS 'Once a contract, or of each of its invoices.';
CREATE TABLE commission_rule (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id       bigint NOT NULL REFERENCES issuer,
    agent_id        bigint,
    kind            commission_kind NOT NULL,
    percent         numeric(7, 4) CHECK (percent > 0 AND percent <= 100),
    flat            numeric(16, 3) CHECK (flat > 0),
    currency        currency_code,
    product_id      bigint REFERENCES product,
    since           date NOT NULL,
    until           date,
    months          smallint CHECK (months BETWEEN 1 AND 600),
    survives_months smallint CHECK (survives_months BETWEEN 1 AND 600),
    after_periods   smallint CHECK (after_periods BETWEEN 1 AND 600),
    CONSTRAINT commission_rule_gives_one CHECK (num_nonnulls(percent, flat) = 1 AND (flat IS NULL) = (currency IS NULL)),
    CONSTRAINT commission_rule_places CHECK (flat = round(flat, currency_places(currency))),
    CONSTRAINT commission_rule_some_days CHECK (until >= since),
    CONSTRAINT commission_rule_once_has_no_months CHECK (kind::text <> 'one_off' OR months IS NULL),
    CONSTRAINT commission_rule_agent_of_issuer FOREIGN KEY (agent_id, issuer_id) REFERENCES agent (id, issuer_id)
);
COMMENT ON TABLE commission_rule IS 'By which agents earn. Only its last day is ever changed: another rule is another row.';
COMMENT ON COLUMN commission_rule.agent_id IS 'NULL: all agents of the issuer who have none of their own.';
COMMENT ON COLUMN commission_rule.product_id IS 'NULL: all products that have none of their own.';
COMMENT ON COLUMN commission_rule.months IS 'Of invoices so many months from the contract''s start; NULL: as long as it is invoiced.';
COMMENT ON COLUMN commission_rule.survives_months IS 'A contract that ends before earns nothing, and what it earned is taken back.';
COMMENT ON COLUMN commission_rule.after_periods IS 'Not payable before so many invoices of the contract are paid.';
CREATE TRIGGER commission_rule_stays BEFORE UPDATE ON commission_rule FOR EACH ROW WHEN (to_jsonb(OLD) - 'until' IS DISTINCT FROM to_jsonb(NEW) - 'until') EXECUTE FUNCTION refuse_change('End it and write another one.');
CREATE TRIGGER commission_rule_kept BEFORE DELETE ON commission_rule FOR EACH ROW EXECUTE FUNCTION refuse_change('End it.');

CREATE TYPE commission_cause AS ENUM ('activation', 'paid', 'withdrawn', 'adjusted', 'early_end');
COMMENT ON TYPE commission_cause IS 'A contract went into service, money came in or went back, credit notes and rules changed what is earned, a contract did not survive.';
CREATE TABLE commission (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id       bigint NOT NULL REFERENCES commission_rule,
    agent_id      bigint NOT NULL REFERENCES agent,
    contract_id   bigint NOT NULL REFERENCES contract,
    invoice_id    bigint REFERENCES document,
    allocation_id bigint REFERENCES allocation,
    cause         commission_cause NOT NULL,
    currency      currency_code NOT NULL,
    base          numeric(16, 3) NOT NULL,
    amount        numeric(16, 3) NOT NULL,
    earned_on     date NOT NULL,
    made_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT commission_once UNIQUE (rule_id, allocation_id, contract_id),
    CONSTRAINT commission_places CHECK (amount = round(amount, currency_places(currency)) AND base = round(base, currency_places(currency))),
    CONSTRAINT commission_of_money CHECK ((allocation_id IS NOT NULL) = (cause::text IN ('paid', 'withdrawn')) AND (invoice_id IS NOT NULL OR allocation_id IS NULL)),
    CONSTRAINT commission_says_something CHECK (allocation_id IS NOT NULL OR amount <> 0 OR base <> 0)
);
COMMENT ON TABLE commission IS 'What an agent earned, row by row: of a part of a payment, or what brings it to what the rules give now. Append-only; the rows of money that was withdrawn sum to zero.';
COMMENT ON COLUMN commission.base IS 'The net of the money, of the lines that the rule counts.';
COMMENT ON COLUMN commission.earned_on IS 'The day of the money, or on which it was worked out, where the issuer is.';
CREATE INDEX commission_of_contract ON commission (contract_id, agent_id);
CREATE INDEX commission_agent ON commission (agent_id, id);
CREATE INDEX commission_allocation ON commission (allocation_id) WHERE allocation_id IS NOT NULL;
CREATE TRIGGER commission_append_only BEFORE UPDATE OR DELETE ON commission FOR EACH ROW EXECUTE FUNCTION refuse_change('What was earned stays: what takes it back is another row.');
CREATE TRIGGER commission_no_truncate BEFORE TRUNCATE ON commission FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was earned stays.');

CREATE FUNCTION withdraw_commissions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows WHERE withdraws_id IS NOT NULL) THEN
        INSERT INTO commission (rule_id, agent_id, contract_id, invoice_id, allocation_id, cause, currency, base, amount, earned_on)
            SELECT c.rule_id, c.agent_id, c.contract_id, c.invoice_id, n.id, 'withdrawn', c.currency, -c.base, -c.amount, (now() AT TIME ZONE i.zone)::date
            FROM new_rows AS n JOIN commission AS c ON c.allocation_id = n.withdraws_id JOIN agent AS a ON a.id = c.agent_id JOIN issuer AS i ON i.id = a.issuer_id ORDER BY c.id;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION withdraw_commissions() IS 'Money that goes takes what was earned of it along, in the same transaction.';
REVOKE EXECUTE ON FUNCTION withdraw_commissions() FROM PUBLIC;
CREATE TRIGGER allocation_commission_settles AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION withdraw_commissions();

CREATE FUNCTION refuse_commission() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- Who works out commissions holds the contract's rows of that agent; the money must not go meanwhile unseen.
DECLARE
    wrong bigint;
BEGIN
    SELECT n.id INTO wrong FROM new_rows AS n JOIN allocation AS l ON l.id = n.allocation_id
        WHERE n.invoice_id IS DISTINCT FROM l.invoice_id OR (l.withdraws_id IS NULL) <> (n.cause = 'paid')
            OR (l.withdraws_id IS NOT NULL AND -n.amount IS DISTINCT FROM (SELECT c.amount FROM commission AS c WHERE c.allocation_id = l.withdraws_id AND c.rule_id = n.rule_id AND c.contract_id = n.contract_id))
        ORDER BY n.id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'commission % is not what its money says', wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'What is withdrawn takes back what was earned of it, to the cent.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_commission() IS 'The rows of money that was withdrawn sum to zero.';
CREATE TRIGGER commission_of_its_money AFTER INSERT ON commission REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_commission();

CREATE TABLE agent_settlement (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id  bigint NOT NULL,
    issuer_id bigint NOT NULL,
    series_id bigint NOT NULL,
    year      smallint,
    number    integer,
    label     text,
    issued_on date NOT NULL,
    through   date NOT NULL,
    currency  currency_code NOT NULL,
    amount    numeric(16, 3) NOT NULL CHECK (amount <> 0),
    made_by   text NOT NULL CHECK (made_by <> ''),
    made_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agent_settlement_is_numbered CHECK (num_nulls(year, number, label) = 0),
    CONSTRAINT agent_settlement_number_once UNIQUE (series_id, year, number),
    CONSTRAINT agent_settlement_agent_of_issuer FOREIGN KEY (agent_id, issuer_id) REFERENCES agent (id, issuer_id),
    CONSTRAINT agent_settlement_series_of_issuer FOREIGN KEY (series_id, issuer_id) REFERENCES number_series (id, issuer_id)
);
COMMENT ON TABLE agent_settlement IS 'What an agent is paid for, with a number of its own and an entry: commissions to what is owed to agents. Append-only; taken back by agent_settlement_undo.';
COMMENT ON COLUMN agent_settlement.through IS 'What was earned up to and with this day.';
COMMENT ON COLUMN agent_settlement.amount IS 'The sum of its commissions; below zero the agent owes it.';
CREATE INDEX agent_settlement_agent ON agent_settlement (agent_id, id);
CREATE TRIGGER agent_settlement_takes_number BEFORE INSERT ON agent_settlement FOR EACH ROW EXECUTE FUNCTION take_number('agent_settlement');

CREATE TABLE agent_settlement_line (
    settlement_id bigint NOT NULL REFERENCES agent_settlement,
    commission_id bigint NOT NULL REFERENCES commission,
    PRIMARY KEY (settlement_id, commission_id)
);
COMMENT ON TABLE agent_settlement_line IS 'Which commissions a settlement pays. Append-only; each is in one settlement that was not taken back.';
CREATE INDEX agent_settlement_line_commission ON agent_settlement_line (commission_id);

CREATE TABLE agent_settlement_undo (
    settlement_id bigint PRIMARY KEY REFERENCES agent_settlement,
    dated         date NOT NULL,
    reason        text NOT NULL CHECK (reason <> ''),
    made_by       text NOT NULL CHECK (made_by <> ''),
    made_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE agent_settlement_undo IS 'A settlement that was taken back: its number stays, its commissions are settled anew. Append-only.';

CREATE FUNCTION refuse_settlement_line() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    wrong text;
BEGIN
    -- Whoever settles an agent's commissions holds the agent, so two at once are one after the other.
    PERFORM FROM agent WHERE id IN (SELECT s.agent_id FROM new_rows AS n JOIN agent_settlement AS s ON s.id = n.settlement_id) ORDER BY id FOR NO KEY UPDATE;
    SELECT format('commission %s is settled by %s', n.commission_id, o.label) INTO wrong
        FROM new_rows AS n JOIN agent_settlement_line AS l ON l.commission_id = n.commission_id AND l.settlement_id <> n.settlement_id JOIN agent_settlement AS o ON o.id = l.settlement_id
        WHERE NOT EXISTS (SELECT FROM agent_settlement_undo AS u WHERE u.settlement_id = l.settlement_id) LIMIT 1;
    IF wrong IS NULL THEN
        SELECT format('commission %s is another agent''s, of another currency or earned later', c.id) INTO wrong FROM new_rows AS n JOIN agent_settlement AS s ON s.id = n.settlement_id JOIN commission AS c ON c.id = n.commission_id
            WHERE (c.agent_id, c.currency::text) <> (s.agent_id, s.currency::text) OR c.earned_on > s.through LIMIT 1;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Settle what is the agent''s and not settled yet.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_settlement_line() IS 'A commission is paid once, to its agent.';
CREATE TRIGGER agent_settlement_line_fits AFTER INSERT ON agent_settlement_line REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_settlement_line();

CREATE FUNCTION refuse_settlement() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    settled agent_settlement;
    sign    integer := CASE WHEN TG_TABLE_NAME = 'agent_settlement' THEN 1 ELSE -1 END;
    booked  numeric;
    owed    numeric;
BEGIN
    SELECT * INTO settled FROM agent_settlement WHERE id = CASE WHEN TG_TABLE_NAME = 'agent_settlement' THEN (to_jsonb(NEW) ->> 'id')::bigint ELSE (to_jsonb(NEW) ->> 'settlement_id')::bigint END;
    SELECT sum(p.amount) FILTER (WHERE a.role = 'commissions'), sum(p.amount) FILTER (WHERE a.role = 'agents_payable') INTO booked, owed
        FROM entry AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
        WHERE e.source = TG_TABLE_NAME AND e.source_id = settled.id AND e.kind = TG_TABLE_NAME AND e.issuer_id = settled.issuer_id AND e.currency = settled.currency;
    IF (booked, owed) IS DISTINCT FROM (sign * settled.amount, -sign * settled.amount)
            OR settled.amount <> (SELECT coalesce(sum(c.amount), 0) FROM agent_settlement_line AS l JOIN commission AS c ON c.id = l.commission_id WHERE l.settlement_id = settled.id) THEN
        RAISE EXCEPTION '% of % %: its commissions or its entry say something else', TG_TABLE_NAME, settled.amount, settled.currency
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write its lines and its entry in the same transaction.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_settlement() IS 'A settlement is the sum of its commissions, and the books say it.';
CREATE CONSTRAINT TRIGGER agent_settlement_adds_up AFTER INSERT ON agent_settlement DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_settlement();
CREATE CONSTRAINT TRIGGER agent_settlement_undo_booked AFTER INSERT ON agent_settlement_undo DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_settlement();

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['agent', 'id'], ['contract_agent', 'id'], ['commission_rule', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_update', kept[1], kept[2], '');
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)', kept[1] || '_money_delete', kept[1], kept[2], '');
    END LOOP;
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['agent', 'id'], ['contract_agent', 'id'], ['commission_rule', 'id'], ['commission', 'id'], ['agent_settlement', 'id'], ['agent_settlement_line', 'settlement_id,commission_id'],
        ['agent_settlement_undo', 'settlement_id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['agent_settlement', 'id'], ['agent_settlement_line', 'id'], ['agent_settlement_undo', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''A settlement stays: take it back.'')', kept[1] || '_append_only', kept[1]);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''A settlement stays.'')', kept[1] || '_no_truncate', kept[1]);
    END LOOP;
END
$$;
GRANT SELECT ON agent, contract_agent, commission_rule, commission, agent_settlement, agent_settlement_line, agent_settlement_undo TO corrente_worker, corrente_web;
GRANT INSERT ON commission TO corrente_worker, corrente_web;
GRANT INSERT ON agent, contract_agent, commission_rule, agent_settlement, agent_settlement_line, agent_settlement_undo TO corrente_web;
-- Who works out or settles holds the agent.
GRANT UPDATE (active) ON agent TO corrente_worker;
GRANT UPDATE ON agent, contract_agent TO corrente_web;
GRANT UPDATE (until) ON commission_rule TO corrente_web;
GRANT DELETE ON contract_agent TO corrente_web;
GRANT USAGE ON SEQUENCE agent_settlement_id_seq TO corrente_web;

COMMENT ON COLUMN ledger_account.family IS 'Revenue goes to the account of its product family, clearing to that of its payment method, cash counted too much to surplus of cash_shortage; NULL takes what has none of its own.';

CREATE OR REPLACE FUNCTION take_number() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Argument: the kind of series. The database numbers, so that nobody else can leave a hole or give a number twice.
DECLARE
    series number_series;
    newest number_series_year;
BEGIN
    IF NEW.series_id IS NULL OR NEW.issued_on IS NULL THEN
        RETURN NEW; -- refused as what must not be empty
    END IF;
    SELECT * INTO series FROM number_series WHERE id = NEW.series_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NEW; -- refused as a series that there is not
    END IF;
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

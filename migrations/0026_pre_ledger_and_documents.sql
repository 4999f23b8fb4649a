-- The ledger, billing runs, documents and charges, with what the database refuses of them.

-- ---------------------------------------------------------------------------------------------------------------
-- The ledger
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE account_role AS ENUM ('customers', 'revenue', 'vat_output', 'vat_split', 'stamp_duty', 'deferred_revenue', 'clearing', 'bank', 'fees', 'fee_income', 'suspense', 'bad_debts',
    'cash_with_collector', 'cash', 'cash_shortage', 'commissions', 'agents_payable', 'differences');
COMMENT ON TYPE account_role IS 'What a ledger account is for: entries are written by role, never by number.';

CREATE TABLE ledger_account (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Za-z0-9.]{1,20}$'),
    name      text NOT NULL CHECK (name <> ''),
    role      account_role NOT NULL,
    family    text CHECK (family ~ '^[a-z0-9_]{1,40}$'),
    CONSTRAINT ledger_account_code_once UNIQUE (issuer_id, code),
    CONSTRAINT ledger_account_role_once UNIQUE NULLS NOT DISTINCT (issuer_id, role, family)
);
COMMENT ON TABLE ledger_account IS 'Where value sits in an issuer''s books.';
COMMENT ON COLUMN ledger_account.family IS 'Revenue goes to the account of its product family, clearing to that of its payment method; NULL takes what has none of its own.';

CREATE TABLE fiscal_period (
    issuer_id bigint NOT NULL REFERENCES issuer,
    during    daterange NOT NULL,
    closed_by text NOT NULL CHECK (closed_by <> ''),
    closed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fiscal_period_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT fiscal_period_one_a_day EXCLUDE USING gist (issuer_id WITH =, during WITH &&)
);
COMMENT ON TABLE fiscal_period IS 'Closed days: nothing is posted inside them any more.';

CREATE TABLE entry (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    dated       date NOT NULL,
    source      text NOT NULL CHECK (source ~ '^[a-z_]{1,40}$'),
    source_id   bigint NOT NULL,
    kind        text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    currency    currency_code NOT NULL,
    corrects_id bigint REFERENCES entry,
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT entry_once UNIQUE (source, source_id, kind)
);
COMMENT ON TABLE entry IS 'One event in the books, once. Append-only: what corrects it is another entry that names it.';
CREATE INDEX entry_dated ON entry (issuer_id, dated);
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change('Entries stay: write one that corrects it.');
CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Entries stay.');

CREATE TABLE posting (
    entry_id    bigint NOT NULL REFERENCES entry,
    number      smallint NOT NULL CHECK (number >= 1),
    account_id  bigint NOT NULL REFERENCES ledger_account,
    customer_id bigint REFERENCES customer,
    amount      numeric(16, 3) NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, number)
);
COMMENT ON TABLE posting IS 'One leg of an entry; a debit is above zero. All legs of an entry are written by one statement and sum to zero.';
CREATE INDEX posting_customer ON posting (customer_id) WHERE customer_id IS NOT NULL;
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse_change('Postings stay: write an entry that corrects theirs.');
CREATE TRIGGER posting_no_truncate BEFORE TRUNCATE ON posting FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Postings stay.');

CREATE TABLE customer_balance (
    customer_id bigint NOT NULL REFERENCES customer,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    currency    currency_code NOT NULL,
    balance     numeric(16, 3) NOT NULL,
    PRIMARY KEY (customer_id, issuer_id, currency)
);
COMMENT ON TABLE customer_balance IS 'The sum of a customer''s postings, above zero what it owes. The database counts it as they are written.';

CREATE FUNCTION refuse_own_writing() RETURNS trigger LANGUAGE plpgsql AS $$
-- Argument: what writes it.
BEGIN
    IF pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '%: % refused by %', TG_TABLE_NAME, TG_OP, TG_NAME
        USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[0], TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse_own_writing() IS 'For tables that other tables'' triggers keep: nobody else writes them.';
CREATE TRIGGER customer_balance_is_counted AFTER INSERT OR UPDATE OR DELETE ON customer_balance FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('It follows from the postings.');

CREATE FUNCTION refuse_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    SELECT CASE
            WHEN sums.total <> 0 THEN format('entry %s: its postings sum to %s', sums.entry_id, sums.total)
            WHEN sums.legs < 2 THEN format('entry %s has one posting', sums.entry_id)
            WHEN sums.legs <> (SELECT count(*) FROM posting AS p WHERE p.entry_id = sums.entry_id) THEN format('entry %s has its postings already', sums.entry_id)
            WHEN NOT sums.at_home THEN format('entry %s posts to an account of another issuer', sums.entry_id)
            WHEN NOT sums.named THEN format('entry %s: a posting names a customer exactly on an account of customers', sums.entry_id)
            WHEN NOT sums.fits THEN format('entry %s: an amount has more places than its currency', sums.entry_id)
        END INTO wrong
        FROM (SELECT n.entry_id, sum(n.amount) AS total, count(*) AS legs, bool_and(a.issuer_id = e.issuer_id) AS at_home,
                bool_and((a.role = 'customers') = (n.customer_id IS NOT NULL)) AS named, bool_and(n.amount = round(n.amount, currency_places(e.currency))) AS fits
            FROM new_rows AS n JOIN entry AS e ON e.id = n.entry_id JOIN ledger_account AS a ON a.id = n.account_id GROUP BY n.entry_id) AS sums
        WHERE sums.total <> 0 OR sums.legs < 2 OR NOT sums.at_home OR NOT sums.named OR NOT sums.fits
            OR sums.legs <> (SELECT count(*) FROM posting AS p WHERE p.entry_id = sums.entry_id)
        ORDER BY sums.entry_id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
            HINT = 'Write all postings of an entry with one statement; debits and credits are equal.';
    END IF;
    -- In one order everywhere, so that two writers wait for each other and never both.
    INSERT INTO customer_balance AS b (customer_id, issuer_id, currency, balance)
        SELECT n.customer_id, e.issuer_id, e.currency, sum(n.amount) FROM new_rows AS n JOIN entry AS e ON e.id = n.entry_id
        WHERE n.customer_id IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (customer_id, issuer_id, currency) DO UPDATE SET balance = b.balance + EXCLUDED.balance;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_postings() IS 'One statement''s postings: each entry of them balances, is whole, and counts on its customers'' balances.';
CREATE TRIGGER posting_balances AFTER INSERT ON posting REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_postings();

CREATE FUNCTION refuse_closed_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed record;
BEGIN
    SELECT n.dated, f.during INTO closed FROM new_rows AS n JOIN fiscal_period AS f ON f.issuer_id = n.issuer_id AND f.during @> n.dated LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'nothing is posted on %: % is closed', closed.dated, closed.during
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Date it after the closed days.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_closed_days() IS 'No entry is dated inside a closed fiscal period.';
CREATE TRIGGER entry_in_open_days AFTER INSERT ON entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_days();

CREATE FUNCTION refuse_empty_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM posting WHERE entry_id = NEW.id) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'entry % has no postings', NEW.id
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write them in the same transaction.';
END
$$;
COMMENT ON FUNCTION refuse_empty_entry() IS 'An entry without postings says nothing.';
CREATE CONSTRAINT TRIGGER entry_has_postings AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_empty_entry();

-- ---------------------------------------------------------------------------------------------------------------
-- Billing runs and charges
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE billing_run_state AS ENUM ('prepared', 'issuing', 'done', 'cancelled');
COMMENT ON TYPE billing_run_state IS 'Prepared waits to be confirmed and has taken no number.';

CREATE TABLE billing_run (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id    bigint NOT NULL REFERENCES issuer,
    run_date     date NOT NULL,
    filter       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(filter) = 'object'),
    state        billing_run_state NOT NULL DEFAULT 'prepared',
    started_by   text NOT NULL CHECK (started_by <> ''),
    started_at   timestamptz NOT NULL DEFAULT now(),
    expected     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(expected) = 'object'),
    issue_after  timestamptz,
    confirmed_by text CHECK (confirmed_by <> ''),
    confirmed_at timestamptz,
    ended_at     timestamptz,
    CONSTRAINT billing_run_once UNIQUE (issuer_id, run_date, filter),
    CONSTRAINT billing_run_confirmation_is_signed CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL)),
    CONSTRAINT billing_run_issues_when_confirmed CHECK (state IN ('prepared', 'cancelled') OR confirmed_at IS NOT NULL),
    CONSTRAINT billing_run_ends_when_over CHECK ((state IN ('done', 'cancelled')) = (ended_at IS NOT NULL))
);
COMMENT ON TABLE billing_run IS 'One billing of an issuer up to a date. A second start of the same one goes on with the first.';
COMMENT ON COLUMN billing_run.expected IS 'What its preview found, shown to who confirms it.';
COMMENT ON COLUMN billing_run.issue_after IS 'When it issues without a word; NULL: only confirmed by a person.';

CREATE TABLE billing_error (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      bigint NOT NULL REFERENCES billing_run,
    customer_id bigint NOT NULL REFERENCES customer,
    contract_id bigint REFERENCES contract,
    reason      text NOT NULL CHECK (reason <> ''),
    found_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT billing_error_once UNIQUE NULLS NOT DISTINCT (run_id, customer_id, contract_id)
);
COMMENT ON TABLE billing_error IS 'Who was not billed in a run, and why; the others were.';

-- ---------------------------------------------------------------------------------------------------------------
-- Documents
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE document_kind AS ENUM ('quote', 'order', 'invoice', 'credit_note');
COMMENT ON TYPE document_kind IS 'Offered, agreed, owed, given back.';
CREATE TYPE document_state AS ENUM ('draft', 'issued', 'accepted', 'refused', 'expired');
COMMENT ON TYPE document_state IS 'An issued invoice or credit note stays issued; a quote is answered or expires, an order is fulfilled or refused.';

CREATE TABLE document_register (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    code      text NOT NULL CHECK (code ~ '^[A-Z0-9]{1,6}$'),
    kind      document_kind NOT NULL,
    name      text NOT NULL CHECK (name <> ''),
    pattern   text NOT NULL DEFAULT '{number}/{code}/{year}' CHECK (pattern LIKE '%{number}%' AND pattern ~ '^[ -~]{1,40}$'),
    CONSTRAINT document_register_code_once UNIQUE (issuer_id, code),
    CONSTRAINT document_register_of_issuer UNIQUE (id, issuer_id, kind)
);
COMMENT ON TABLE document_register IS 'A series of legal numbers for one kind of document (IT: sezionale).';
COMMENT ON COLUMN document_register.pattern IS 'How a number is printed, of {number}, {code} and {year}.';

CREATE TABLE register_year (
    register_id bigint NOT NULL REFERENCES document_register,
    year        smallint NOT NULL CHECK (year BETWEEN 1990 AND 2200),
    last_number integer NOT NULL DEFAULT 0 CHECK (last_number >= 0),
    last_date   date,
    PRIMARY KEY (register_id, year)
);
COMMENT ON TABLE register_year IS 'The last number that was taken, and its document''s date. The database moves it as documents are issued.';

CREATE TABLE document (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          document_kind NOT NULL,
    state         document_state NOT NULL DEFAULT 'draft',
    issuer_id     bigint NOT NULL REFERENCES issuer,
    customer_id   bigint NOT NULL REFERENCES customer,
    register_id   bigint NOT NULL,
    year          smallint,
    number        integer CHECK (number >= 1),
    label         text CHECK (label ~ '^[ -~]{1,40}$'),
    document_date date NOT NULL,
    currency      currency_code NOT NULL,
    includes_tax  boolean NOT NULL,
    net           numeric(16, 3) NOT NULL,
    tax           numeric(16, 3) NOT NULL,
    gross         numeric(16, 3) NOT NULL,
    payable       numeric(16, 3) NOT NULL,
    stamp_duty    numeric(16, 3) NOT NULL DEFAULT 0 CHECK (stamp_duty >= 0),
    issuer_data   jsonb NOT NULL CHECK (jsonb_typeof(issuer_data) = 'object'),
    customer_data jsonb NOT NULL CHECK (jsonb_typeof(customer_data) = 'object'),
    language      spoken_language NOT NULL,
    run_id        bigint REFERENCES billing_run,
    from_id       bigint REFERENCES document,
    corrects_id   bigint REFERENCES document,
    reason        text CHECK (reason <> ''),
    valid_until   date,
    made_by       text NOT NULL CHECK (made_by <> ''),
    issued_at     timestamptz,
    CONSTRAINT document_number_once UNIQUE (register_id, year, number),
    CONSTRAINT document_in_its_register FOREIGN KEY (register_id, issuer_id, kind) REFERENCES document_register (id, issuer_id, kind),
    CONSTRAINT document_issued_is_numbered CHECK (num_nulls(year, number, label, issued_at) = CASE state WHEN 'draft' THEN 4 ELSE 0 END),
    CONSTRAINT document_year_is_its_date_s CHECK (year = extract(year FROM document_date)),
    CONSTRAINT document_gross_adds_up CHECK (gross = net + tax),
    CONSTRAINT document_payable_within CHECK (payable BETWEEN 0 AND gross),
    CONSTRAINT document_credit_note_corrects CHECK ((kind = 'credit_note') = (corrects_id IS NOT NULL)),
    CONSTRAINT document_answered_is_an_offer CHECK (state IN ('draft', 'issued') OR kind IN ('quote', 'order'))
);
COMMENT ON TABLE document IS 'A quote, order, invoice or credit note. Once issued it stays; what corrects it is another document.';
COMMENT ON COLUMN document.label IS 'The number as it is printed.';
COMMENT ON COLUMN document.payable IS 'What the customer pays: the gross without tax that it pays to the state itself.';
COMMENT ON COLUMN document.issuer_data IS 'The issuer as it was then; so the customer''s.';
COMMENT ON COLUMN document.from_id IS 'The quote or order it was made from, or the advance invoice it deducts.';
CREATE INDEX document_customer ON document (customer_id, document_date);
CREATE INDEX document_run ON document (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX document_corrects ON document (corrects_id) WHERE corrects_id IS NOT NULL;

CREATE TABLE document_line (
    document_id     bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    number          smallint NOT NULL CHECK (number >= 1),
    contract_id     bigint REFERENCES contract,
    item_id         bigint REFERENCES contract_item,
    description     text NOT NULL CHECK (description <> ''),
    during          daterange CHECK (NOT isempty(during)),
    quantity        numeric(18, 8) NOT NULL CHECK (quantity > 0),
    unit_price      numeric(18, 8) NOT NULL,
    discount        numeric(18, 8) NOT NULL DEFAULT 0,
    net             numeric(16, 3) NOT NULL,
    tax_code_id     bigint NOT NULL REFERENCES tax_code,
    rate            numeric(7, 4) NOT NULL CHECK (rate BETWEEN 0 AND 100),
    nature          text,
    liability       tax_liability NOT NULL,
    corrects_id     bigint,
    corrects_number smallint,
    PRIMARY KEY (document_id, number),
    CONSTRAINT document_line_nature_untaxed CHECK (nature IS NULL OR rate = 0),
    CONSTRAINT document_line_corrects_a_line FOREIGN KEY (corrects_id, corrects_number) REFERENCES document_line (document_id, number) MATCH FULL
);
COMMENT ON TABLE document_line IS 'One line as it is printed, without tax; with tax in the prices its unit price is worked back.';
CREATE INDEX document_line_corrects ON document_line (corrects_id, corrects_number) WHERE corrects_id IS NOT NULL;

CREATE TABLE document_tax (
    document_id     bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    rate            numeric(7, 4) NOT NULL CHECK (rate BETWEEN 0 AND 100),
    nature          text,
    liability       tax_liability NOT NULL,
    legal_reference text,
    base            numeric(16, 3) NOT NULL,
    tax             numeric(16, 3) NOT NULL,
    CONSTRAINT document_tax_group_once UNIQUE NULLS NOT DISTINCT (document_id, rate, nature, liability),
    CONSTRAINT document_tax_nature_untaxed CHECK (nature IS NULL OR (rate = 0 AND tax = 0 AND legal_reference IS NOT NULL))
);
COMMENT ON TABLE document_tax IS 'All lines that are taxed alike: their sum and its tax, rounded once. The VAT register is read from here.';

CREATE TABLE document_due (
    document_id bigint NOT NULL REFERENCES document ON DELETE CASCADE,
    number      smallint NOT NULL CHECK (number >= 1),
    due_on      date NOT NULL,
    amount      numeric(16, 3) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (document_id, number)
);
COMMENT ON TABLE document_due IS 'When an invoice is to be paid, in one part or several.';
CREATE INDEX document_due_day ON document_due (due_on);

CREATE TABLE credited_line (
    document_id bigint NOT NULL,
    number      smallint NOT NULL,
    net         numeric(16, 3) NOT NULL,
    credited    numeric(16, 3) NOT NULL,
    PRIMARY KEY (document_id, number),
    CONSTRAINT credited_line_is_a_line FOREIGN KEY (document_id, number) REFERENCES document_line (document_id, number),
    CONSTRAINT credited_line_within CHECK (credited BETWEEN least(0, net) AND greatest(0, net))
);
COMMENT ON TABLE credited_line IS 'How much of an issued line credit notes gave back. The database counts it as they are issued.';

CREATE TRIGGER register_year_is_counted AFTER UPDATE OR DELETE ON register_year FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Issuing documents moves it.');
CREATE TRIGGER register_year_begins_at_none BEFORE INSERT ON register_year FOR EACH ROW WHEN (NEW.last_number <> 0 OR NEW.last_date IS NOT NULL)
    EXECUTE FUNCTION refuse_change('A year begins with no number taken.');
CREATE TRIGGER credited_line_is_counted AFTER INSERT OR UPDATE OR DELETE ON credited_line FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Issuing credit notes counts it.');
CREATE TRIGGER document_begins_as_draft BEFORE INSERT ON document FOR EACH ROW WHEN (NEW.state <> 'draft')
    EXECUTE FUNCTION refuse_change('Write it as a draft, then its lines and its entry; then issue it.');
CREATE TRIGGER document_issued_stays BEFORE DELETE ON document FOR EACH ROW WHEN (OLD.state <> 'draft')
    EXECUTE FUNCTION refuse_change('An issued document stays: correct it by a credit note.');
CREATE TRIGGER document_no_truncate BEFORE TRUNCATE ON document FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Documents stay.');

CREATE FUNCTION refuse_issued_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A quote or an order is answered; that is all that happens to what was issued.
    IF OLD.state = 'issued' AND NEW.state IN ('accepted', 'refused', 'expired') AND to_jsonb(NEW) - 'state' = to_jsonb(OLD) - 'state' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'document % is % and can''t be changed', OLD.label, OLD.state
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Correct it by a credit note and a new document.';
END
$$;
COMMENT ON FUNCTION refuse_issued_change() IS 'What was issued stays as it was.';
CREATE TRIGGER document_issued_never_changes BEFORE UPDATE ON document FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION refuse_issued_change();

CREATE FUNCTION refuse_issued_parts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    issued bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT d.id INTO issued FROM new_rows AS n JOIN document AS d ON d.id = n.document_id WHERE d.state <> 'draft' LIMIT 1;
    ELSE
        SELECT d.id INTO issued FROM old_rows AS o JOIN document AS d ON d.id = o.document_id WHERE d.state <> 'draft' LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION 'document % is issued: its % stays as it is', issued, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Correct it by a credit note and a new document.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_issued_parts() IS 'Lines, tax groups and due days of an issued document stay.';
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['document_line', 'document_tax', 'document_due'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_parts()', part || '_none_added', part);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_parts()', part || '_none_changed', part);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_issued_parts()', part || '_none_taken', part);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''Documents stay.'')', part || '_no_truncate', part);
    END LOOP;
END
$$;

CREATE FUNCTION issue_documents() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    block   record;
    counter register_year;
    wrong   record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.state <> 'draft') THEN
        RETURN NULL;
    END IF;
    -- Numbers without a hole, dates that never go back.
    FOR block IN SELECT n.register_id, n.year, count(*) AS documents, min(n.number) AS first, max(n.number) AS last, min(n.document_date) AS from_date, max(n.document_date) AS to_date
            FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.state <> 'draft' GROUP BY 1, 2 ORDER BY 1, 2 LOOP
        INSERT INTO register_year (register_id, year) VALUES (block.register_id, block.year) ON CONFLICT DO NOTHING;
        SELECT * INTO counter FROM register_year WHERE register_id = block.register_id AND year = block.year FOR UPDATE;
        IF block.first <> counter.last_number + 1 OR block.last <> counter.last_number + block.documents THEN
            RAISE EXCEPTION 'register % of %: numbers % to % for % documents after %', block.register_id, block.year, block.first, block.last, block.documents, counter.last_number
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Lock the register''s year first and count on from its last number.';
        END IF;
        IF block.from_date < counter.last_date OR EXISTS (SELECT FROM (SELECT n.document_date AS own, lag(n.document_date) OVER (ORDER BY n.number) AS before
                FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.register_id = block.register_id AND n.year = block.year) AS dates WHERE own < before) THEN
            RAISE EXCEPTION 'register % of %: a document of % after one of %', block.register_id, block.year, block.from_date, coalesce(counter.last_date, block.to_date)
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Dates of a register never go back.';
        END IF;
        IF EXISTS (SELECT FROM register_year WHERE register_id = block.register_id AND year > block.year AND last_number > 0) THEN
            RAISE EXCEPTION 'register %: % is over, a later year has begun', block.register_id, block.year
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Date the document in the year that has begun.';
        END IF;
        UPDATE register_year SET last_number = block.last, last_date = block.to_date WHERE register_id = block.register_id AND year = block.year;
    END LOOP;
    -- What stands on a document adds up, and stands in the books.
    SELECT d.id, CASE
            WHEN lines.off THEN 'a line is not the rounded product of its price, discount and quantity'
            WHEN lines.net IS DISTINCT FROM d.net THEN format('its lines are %s and its net is %s', lines.net, d.net)
            WHEN EXISTS (SELECT l.rate, l.nature, l.liability, sum(l.net) FROM document_line AS l WHERE l.document_id = d.id GROUP BY 1, 2, 3
                EXCEPT SELECT t.rate, t.nature, t.liability, t.base FROM document_tax AS t WHERE t.document_id = d.id) THEN 'a tax group is not the sum of its lines'
            WHEN groups.base IS DISTINCT FROM d.net OR groups.tax IS DISTINCT FROM d.tax THEN format('its tax groups are %s and %s, it says %s and %s', groups.base, groups.tax, d.net, d.tax)
            WHEN groups.off THEN 'the tax of a group is more than the last place from its rate'
            WHEN d.payable <> d.gross - groups.split THEN format('payable %s is not %s less %s that is paid to the state', d.payable, d.gross, groups.split)
            WHEN d.kind = 'invoice' AND dues.amount IS DISTINCT FROM nullif(d.payable, 0) THEN format('its due days are %s and payable is %s', dues.amount, d.payable)
            WHEN d.kind IN ('invoice', 'credit_note') AND booked.amount IS DISTINCT FROM d.payable * CASE d.kind WHEN 'invoice' THEN 1 ELSE -1 END THEN format('its entry says %s of the customer and payable is %s', booked.amount, d.payable)
        END AS reason INTO wrong
        FROM (SELECT n.* FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.state <> 'draft') AS d
            CROSS JOIN LATERAL (SELECT sum(net) AS net, bool_or(net <> round((unit_price - discount) * quantity, currency_places(d.currency))) AS off FROM document_line WHERE document_id = d.id) AS lines
            CROSS JOIN LATERAL (SELECT sum(base) AS base, sum(tax) AS tax, coalesce(sum(tax) FILTER (WHERE liability = 'split'), 0) AS split,
                bool_or(abs(tax - round(base * rate / 100, currency_places(d.currency))) > 10.0 ^ -currency_places(d.currency)) AS off FROM document_tax WHERE document_id = d.id) AS groups
            CROSS JOIN LATERAL (SELECT sum(amount) AS amount FROM document_due WHERE document_id = d.id) AS dues
            CROSS JOIN LATERAL (SELECT sum(p.amount) AS amount FROM entry AS e JOIN posting AS p ON p.entry_id = e.id
                WHERE e.source = 'document' AND e.source_id = d.id AND e.kind = d.kind::text AND e.dated = d.document_date AND e.issuer_id = d.issuer_id AND e.currency = d.currency AND p.customer_id = d.customer_id) AS booked
        WHERE lines.off OR lines.net IS DISTINCT FROM d.net OR groups.base IS DISTINCT FROM d.net OR groups.tax IS DISTINCT FROM d.tax OR groups.off OR d.payable <> d.gross - groups.split
            OR (d.kind = 'invoice' AND dues.amount IS DISTINCT FROM nullif(d.payable, 0))
            OR (d.kind IN ('invoice', 'credit_note') AND booked.amount IS DISTINCT FROM d.payable * CASE d.kind WHEN 'invoice' THEN 1 ELSE -1 END)
            OR EXISTS (SELECT l.rate, l.nature, l.liability, sum(l.net) FROM document_line AS l WHERE l.document_id = d.id GROUP BY 1, 2, 3
                EXCEPT SELECT t.rate, t.nature, t.liability, t.base FROM document_tax AS t WHERE t.document_id = d.id)
        ORDER BY d.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % can''t be issued: %', wrong.id, wrong.reason
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Work its totals out again from its lines.';
    END IF;
    -- What a credit note gives back counts on the line that it corrects.
    SELECT d.id INTO wrong FROM (SELECT n.* FROM new_rows AS n JOIN old_rows AS o USING (id) WHERE o.state = 'draft' AND n.kind = 'credit_note' AND n.state = 'issued') AS d
        JOIN document AS first ON first.id = d.corrects_id
        WHERE first.kind <> 'invoice' OR first.state <> 'issued' OR first.customer_id <> d.customer_id OR first.issuer_id <> d.issuer_id OR first.currency <> d.currency OR first.document_date > d.document_date
            OR EXISTS (SELECT FROM document_line AS l WHERE l.document_id = d.id AND l.corrects_id IS DISTINCT FROM d.corrects_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'credit note % does not correct the invoice that it names', wrong.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'An issued invoice of the same customer, issuer and currency, not dated later; each line names one of its lines.';
    END IF;
    INSERT INTO credited_line AS c (document_id, number, net, credited)
        SELECT l.corrects_id, l.corrects_number, first.net, sum(l.net) FROM new_rows AS n JOIN old_rows AS o USING (id) JOIN document_line AS l ON l.document_id = n.id
            JOIN document_line AS first ON first.document_id = l.corrects_id AND first.number = l.corrects_number
        WHERE o.state = 'draft' AND n.state = 'issued' AND n.kind = 'credit_note' GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (document_id, number) DO UPDATE SET credited = c.credited + EXCLUDED.credited;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION issue_documents() IS 'Issuing, in sets: numbers are the register''s next ones, sums agree, the entry is there, no line is credited beyond itself.';
CREATE TRIGGER document_issue AFTER UPDATE ON document REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION issue_documents();

CREATE TYPE charge_kind AS ENUM ('period', 'one_off', 'instalment', 'usage', 'credit', 'early_exit', 'pause_fee');
COMMENT ON TYPE charge_kind IS 'What is due: time of an item, something once, or time given back.';
CREATE TABLE charge (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id     bigint NOT NULL REFERENCES contract_item,
    kind        charge_kind NOT NULL,
    during      daterange NOT NULL,
    units       integer NOT NULL,
    of          integer NOT NULL,
    full_price  numeric(16, 3) NOT NULL,
    discounted  numeric(16, 3) NOT NULL DEFAULT 0,
    net         numeric(16, 3) NOT NULL,
    currency    currency_code NOT NULL,
    due_on      date NOT NULL,
    corrects_id bigint REFERENCES charge,
    run_id      bigint REFERENCES billing_run,
    document_id bigint,
    line_number smallint,
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT charge_during_is_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT charge_units_of_a_whole CHECK (of >= 1 AND units BETWEEN 0 AND of),
    CONSTRAINT charge_discount_within CHECK (discounted BETWEEN least(0, full_price) AND greatest(0, full_price)),
    CONSTRAINT charge_net_adds_up CHECK (net = full_price - discounted),
    CONSTRAINT charge_credit_names_what CHECK ((kind = 'credit') = (corrects_id IS NOT NULL)),
    CONSTRAINT charge_credit_is_given CHECK (CASE WHEN kind = 'credit' THEN net <= 0 ELSE net >= 0 END),
    CONSTRAINT charge_places CHECK (net = round(net, currency_places(currency)) AND full_price = round(full_price, currency_places(currency))),
    CONSTRAINT charge_on_a_line FOREIGN KEY (document_id, line_number) REFERENCES document_line (document_id, number) MATCH FULL,
    CONSTRAINT charge_periods_disjoint EXCLUDE USING gist (item_id WITH =, during WITH &&) WHERE (kind = 'period')
);
COMMENT ON TABLE charge IS 'An amount due for an item and a time. No day of an item is charged twice, whatever runs at once.';
COMMENT ON COLUMN charge.net IS 'In the prices of its contract, with or without tax.';
CREATE UNIQUE INDEX charge_once ON charge (item_id, kind, lower(during)) WHERE kind IN ('one_off', 'instalment', 'early_exit');
CREATE INDEX charge_waiting ON charge (item_id) WHERE document_id IS NULL;
CREATE INDEX charge_corrects ON charge (corrects_id) WHERE corrects_id IS NOT NULL;

CREATE FUNCTION refuse_charge_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.document_id IS NULL AND to_jsonb(NEW) - '{document_id,line_number}'::text[] = to_jsonb(OLD) - '{document_id,line_number}'::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'charge % stays as it is', OLD.id
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Give it back by a charge of kind credit.';
END
$$;
COMMENT ON FUNCTION refuse_charge_change() IS 'A charge comes to stand on a line once; nothing else of it changes.';
CREATE TRIGGER charge_stays BEFORE UPDATE OR DELETE ON charge FOR EACH ROW EXECUTE FUNCTION refuse_charge_change();
CREATE TRIGGER charge_no_truncate BEFORE TRUNCATE ON charge FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Charges stay.');

CREATE FUNCTION refuse_credit_beyond() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    PERFORM FROM charge WHERE id IN (SELECT corrects_id FROM new_rows) ORDER BY id FOR UPDATE;
    SELECT c.id, c.net, sum(given.net) AS credited INTO wrong FROM charge AS c JOIN charge AS given ON given.corrects_id = c.id
        WHERE c.id IN (SELECT corrects_id FROM new_rows) GROUP BY c.id, c.net HAVING c.net + sum(given.net) < 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'charge % is % and % of it would be given back', wrong.id, wrong.net, -wrong.credited
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Never more than is left of it.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_credit_beyond() IS 'Credits of a charge together are never more than it.';
CREATE TRIGGER charge_credit_within AFTER INSERT ON charge REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_credit_beyond();

CREATE TABLE billing_position (
    item_id        bigint PRIMARY KEY REFERENCES contract_item,
    billed_through date NOT NULL,
    due_on         date
);
COMMENT ON TABLE billing_position IS 'How far each recurring item is billed, and when its next part falls due. Runs move it; what was agreed stands in contract_item.';
COMMENT ON COLUMN billing_position.billed_through IS 'First day that is not billed.';
COMMENT ON COLUMN billing_position.due_on IS 'When a run finds the next part of it; NULL: all its time is billed.';
CREATE INDEX billing_position_due ON billing_position (due_on) WHERE due_on IS NOT NULL;

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['ledger_account', 'id', ''], ['fiscal_period', 'issuer_id,during', ''], ['billing_run', 'id', ''], ['document_register', 'id', '']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_insert', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_update', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_delete', kept[1], kept[2], kept[3]);
    END LOOP;
    -- Of these nothing is changed that they do not tell themselves.
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['entry', 'id'], ['document', 'id'], ['charge', 'id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L)', kept[1] || '_money_insert', kept[1], kept[2]);
    END LOOP;
    CREATE TRIGGER document_money_delete AFTER DELETE ON document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('id');
END
$$;

GRANT SELECT ON ledger_account, fiscal_period, entry, posting, customer_balance, billing_run, billing_error, document_register, register_year, document, document_line, document_tax, document_due,
    credited_line, charge, billing_position TO corrente_worker, corrente_web;
GRANT INSERT ON entry, posting, billing_error, document_line, document_tax, document_due, charge, register_year TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON billing_run, document, billing_position, customer_balance, credited_line TO corrente_worker, corrente_web;
GRANT UPDATE (document_id, line_number) ON charge TO corrente_worker, corrente_web;
GRANT UPDATE (last_number, last_date) ON register_year TO corrente_worker, corrente_web;
GRANT DELETE ON document, document_line, document_tax, document_due TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON ledger_account, document_register TO corrente_web;
GRANT INSERT ON fiscal_period TO corrente_web;

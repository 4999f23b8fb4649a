-- Issuing by the thousand: sums in one pass over a batch, looks by key whatever was known about the tables when they were
-- planned first, and no foreign key that another one implies.

CREATE OR REPLACE FUNCTION currency_places(currency text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3 ELSE 2 END
$$;
COMMENT ON FUNCTION currency_places(text) IS 'Decimals of a currency, ISO 4217; billing/money.py has the same list. Not STRICT, so that it is written into the statements that ask it.';

CREATE OR REPLACE FUNCTION refuse_postings() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    wrong text;
BEGIN
    -- All legs have come when they are numbered 1 to n: who adds one later meets the key.
    SELECT CASE
            WHEN sums.total <> 0 THEN format('entry %s: its postings sum to %s', sums.entry_id, sums.total)
            WHEN sums.legs < 2 THEN format('entry %s has one posting', sums.entry_id)
            WHEN sums.first <> 1 OR sums.last <> sums.legs THEN format('entry %s: its postings are %s to %s and not 1 to %s', sums.entry_id, sums.first, sums.last, sums.legs)
            WHEN NOT sums.at_home THEN format('entry %s posts to an account of another issuer', sums.entry_id)
            WHEN NOT sums.named THEN format('entry %s: a posting names a customer exactly on an account of customers', sums.entry_id)
            ELSE format('entry %s: an amount has more places than its currency', sums.entry_id)
        END INTO wrong
        FROM (SELECT n.entry_id, sum(n.amount) AS total, count(*) AS legs, min(n.number) AS first, max(n.number) AS last, bool_and(a.issuer_id = e.issuer_id) AS at_home,
                bool_and((a.role = 'customers') = (n.customer_id IS NOT NULL)) AS named, bool_and(n.amount = round(n.amount, currency_places(e.currency))) AS fits
            FROM new_rows AS n JOIN entry AS e ON e.id = n.entry_id JOIN ledger_account AS a ON a.id = n.account_id GROUP BY n.entry_id) AS sums
        WHERE sums.total <> 0 OR sums.legs < 2 OR sums.first <> 1 OR sums.last <> sums.legs OR NOT sums.at_home OR NOT sums.named OR NOT sums.fits
        ORDER BY sums.entry_id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%', wrong USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
            HINT = 'Write all postings of an entry with one statement, numbered from 1; debits and credits are equal.';
    END IF;
    -- In one order everywhere, so that two writers wait for each other and never both.
    INSERT INTO customer_balance AS b (customer_id, issuer_id, currency, balance)
        SELECT n.customer_id, e.issuer_id, e.currency, sum(n.amount) FROM new_rows AS n JOIN entry AS e ON e.id = n.entry_id
        WHERE n.customer_id IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (customer_id, issuer_id, currency) DO UPDATE SET balance = b.balance + EXCLUDED.balance;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION refuse_issued_parts() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
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

CREATE OR REPLACE FUNCTION issue_documents() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
-- Only drafts become issued, so every issued row of the update was issued by it. Parts are found by their keys, however many
-- documents there are and whatever was known about the tables when this was planned first.
DECLARE
    block   record;
    counter register_year;
    wrong   record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows AS n WHERE n.state = 'issued') THEN
        RETURN NULL;
    END IF;
    -- Numbers without a hole, dates that never go back.
    FOR block IN SELECT n.register_id, n.year, count(*) AS documents, min(n.number) AS first, max(n.number) AS last, min(n.document_date) AS from_date, max(n.document_date) AS to_date
            FROM new_rows AS n WHERE n.state = 'issued' GROUP BY 1, 2 ORDER BY 1, 2 LOOP
        INSERT INTO register_year (register_id, year) VALUES (block.register_id, block.year) ON CONFLICT DO NOTHING;
        SELECT * INTO counter FROM register_year WHERE register_id = block.register_id AND year = block.year FOR UPDATE;
        IF block.first <> counter.last_number + 1 OR block.last <> counter.last_number + block.documents THEN
            RAISE EXCEPTION 'register % of %: numbers % to % for % documents after %', block.register_id, block.year, block.first, block.last, block.documents, counter.last_number
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Lock the register''s year first and count on from its last number.';
        END IF;
        IF block.from_date < counter.last_date OR (block.from_date < block.to_date AND EXISTS (SELECT FROM (SELECT n.document_date AS own, lag(n.document_date) OVER (ORDER BY n.number) AS before
                FROM new_rows AS n WHERE n.state = 'issued' AND n.register_id = block.register_id AND n.year = block.year) AS dates WHERE own < before)) THEN
            RAISE EXCEPTION 'register % of %: a document of % after one of %', block.register_id, block.year, block.from_date, coalesce(counter.last_date, block.to_date)
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Dates of a register never go back.';
        END IF;
        IF EXISTS (SELECT FROM register_year WHERE register_id = block.register_id AND year > block.year AND last_number > 0) THEN
            RAISE EXCEPTION 'register %: % is over, a later year has begun', block.register_id, block.year
                USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Date the document in the year that has begun.';
        END IF;
        UPDATE register_year SET last_number = block.last, last_date = block.to_date WHERE register_id = block.register_id AND year = block.year;
    END LOOP;
    -- What stands on a document adds up, and stands in the books. One pass over all parts of all documents: `line`, `tax`,
    -- `due` and `leg` become one row a document each, with its own.
    SELECT own.id, CASE
            WHEN own.line_off THEN 'a line is not the rounded product of its price, discount and quantity'
            WHEN own.lines IS DISTINCT FROM own.net THEN format('its lines are %s and its net is %s', own.lines, own.net)
            WHEN own.tax_off THEN 'a tax group is not the sum of its lines'
            WHEN own.taxes IS DISTINCT FROM own.tax THEN format('its tax groups are %s, it says %s', own.taxes, own.tax)
            WHEN own.tax_far THEN 'the tax of a group is more than the last place from its rate'
            WHEN own.split <> own.gross - own.payable THEN format('payable %s is not %s less %s that is paid to the state', own.payable, own.gross, own.split)
            WHEN own.sign = 1 AND own.dues IS DISTINCT FROM nullif(own.payable, 0) THEN format('its due days are %s and payable is %s', own.dues, own.payable)
            WHEN own.sign <> 0 AND own.owed <> own.payable * own.sign THEN format('its entry says %s of the customer and payable is %s', own.owed, own.payable)
            WHEN own.sign <> 0 AND (own.vat <> own.tax * -own.sign OR own.vat_split <> own.split * own.sign) THEN format('its entry says %s and %s of its tax, which is %s with %s paid to the state', own.vat, own.vat_split, own.tax, own.split)
            ELSE 'its entry is not what its lines come to by account'
        END AS reason INTO wrong
        FROM (
            WITH d AS MATERIALIZED (
                SELECT n.id, CASE n.kind WHEN 'invoice' THEN 1 WHEN 'credit_note' THEN -1 ELSE 0 END AS sign, n.kind::text, n.document_date, n.issuer_id, n.customer_id, n.currency, currency_places(n.currency) AS places, n.net, n.tax, n.gross, n.payable
                FROM new_rows AS n WHERE n.state = 'issued'
            ), line AS MATERIALIZED (
                SELECT d.id, d.sign, l.net, l.rate, l.nature, l.liability, l.account_id, l.net <> round((l.unit_price - l.discount) * l.quantity, d.places) AS off FROM d JOIN document_line AS l ON l.document_id = d.id
            ), tax AS (
                SELECT part.id, sum(part.tax) AS tax, sum(part.tax) FILTER (WHERE part.liability = 'split') AS split, sum(part.line) IS DISTINCT FROM sum(part.base) OR count(part.base) <> 1 AS off, bool_or(part.far) AS far
                FROM (SELECT d.id, t.rate, t.nature, t.liability, t.base, t.tax, NULL::numeric AS line, abs(t.tax - round(t.base * t.rate / 100, d.places)) > 10.0 ^ -d.places AS far FROM d JOIN document_tax AS t ON t.document_id = d.id
                    UNION ALL SELECT id, rate, nature, liability, NULL, NULL, net, NULL FROM line) AS part GROUP BY part.id, part.rate, part.nature, part.liability
            ), leg AS (
                SELECT part.id, max(part.role) AS role, sum(part.amount) AS amount, bool_or(part.stray) OR CASE WHEN max(part.role) IN ('customers', 'vat_output', 'vat_split') THEN count(part.line) > 0
                    ELSE coalesce(sum(part.amount), 0) + coalesce(sum(part.line), 0) <> 0 END AS off
                FROM (SELECT d.id, p.account_id, a.role, p.amount, NULL::numeric AS line, p.customer_id <> d.customer_id OR e.dated <> d.document_date OR e.currency <> d.currency OR e.issuer_id <> d.issuer_id AS stray
                        FROM d CROSS JOIN LATERAL (SELECT * FROM entry WHERE source = 'document' AND source_id = d.id AND kind = d.kind LIMIT 1) AS e JOIN posting AS p ON p.entry_id = e.id JOIN ledger_account AS a ON a.id = p.account_id
                    UNION ALL SELECT id, account_id, NULL, NULL, net * sign, false FROM line WHERE sign <> 0) AS part GROUP BY part.id, part.account_id
            )
            SELECT part.id, max(part.sign) AS sign, max(part.net) AS net, max(part.tax) AS tax, max(part.gross) AS gross, max(part.payable) AS payable, sum(part.line) AS lines, bool_or(part.line_off) AS line_off,
                sum(part.taxes) AS taxes, coalesce(sum(part.split), 0) AS split, bool_or(part.tax_off) AS tax_off, bool_or(part.tax_far) AS tax_far, sum(part.due) AS dues,
                coalesce(sum(part.amount) FILTER (WHERE part.role = 'customers'), 0) AS owed, coalesce(sum(part.amount) FILTER (WHERE part.role = 'vat_output'), 0) AS vat,
                coalesce(sum(part.amount) FILTER (WHERE part.role = 'vat_split'), 0) AS vat_split, coalesce(bool_or(part.leg_off), false) AS leg_off
            FROM (SELECT id, sign, net, tax, gross, payable, NULL::numeric AS line, NULL::boolean AS line_off, NULL::numeric AS taxes, NULL::numeric AS split, NULL::boolean AS tax_off, NULL::boolean AS tax_far, NULL::numeric AS due,
                    NULL::account_role AS role, NULL::numeric AS amount, NULL::boolean AS leg_off FROM d
                UNION ALL SELECT id, NULL, NULL, NULL, NULL, NULL, net, off, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM line
                UNION ALL SELECT id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, tax, split, off, far, NULL, NULL, NULL, NULL FROM tax
                UNION ALL SELECT d.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, due.amount, NULL, NULL, NULL FROM d JOIN document_due AS due ON due.document_id = d.id
                UNION ALL SELECT id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, role, amount, off FROM leg) AS part GROUP BY part.id) AS own
        WHERE own.line_off OR own.lines IS DISTINCT FROM own.net OR own.tax_off OR own.taxes IS DISTINCT FROM own.tax OR own.tax_far OR own.split <> own.gross - own.payable
            OR (own.sign = 1 AND own.dues IS DISTINCT FROM nullif(own.payable, 0))
            OR (own.sign <> 0 AND (own.owed <> own.payable * own.sign OR own.vat <> own.tax * -own.sign OR own.vat_split <> own.split * own.sign OR own.leg_off))
        ORDER BY own.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % can''t be issued: %', wrong.id, wrong.reason
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Work its totals out again from its lines.';
    END IF;
    -- What a credit note gives back, or a line below zero of an invoice, counts on the line that it corrects.
    IF NOT EXISTS (SELECT FROM new_rows AS n WHERE n.state = 'issued' AND (n.kind = 'credit_note' OR EXISTS (SELECT FROM document_line AS l WHERE l.document_id = n.id AND l.corrects_id IS NOT NULL))) THEN
        RETURN NULL;
    END IF;
    SELECT d.id, d.kind INTO wrong FROM new_rows AS d
        WHERE d.state = 'issued' AND ((d.corrects_id IS NOT NULL AND NOT EXISTS (SELECT FROM document_line AS l WHERE l.document_id = d.id)) OR EXISTS (
            SELECT FROM document_line AS l LEFT JOIN document AS first ON first.id = l.corrects_id
            WHERE l.document_id = d.id AND (d.kind = 'credit_note' OR l.corrects_id IS NOT NULL) AND NOT coalesce(
                first.kind = 'invoice' AND first.state = 'issued' AND first.customer_id = d.customer_id AND first.issuer_id = d.issuer_id AND first.currency = d.currency AND first.document_date <= d.document_date
                AND first.id <> d.id AND CASE d.kind WHEN 'credit_note' THEN first.id = d.corrects_id ELSE l.net <= 0 END, false))) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% % does not correct the invoice that it names', replace(wrong.kind::text, '_', ' '), wrong.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
                HINT = 'An issued invoice of the same customer, issuer and currency, not dated later. Each line of a credit note names one of its lines; of an invoice only a line below zero names one.';
    END IF;
    INSERT INTO credited_line AS c (document_id, number, net, credited)
        SELECT l.corrects_id, l.corrects_number, first.net, sum(CASE n.kind WHEN 'credit_note' THEN l.net ELSE -l.net END) FROM new_rows AS n JOIN document_line AS l ON l.document_id = n.id
            JOIN document_line AS first ON first.document_id = l.corrects_id AND first.number = l.corrects_number
        WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note') GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (document_id, number) DO UPDATE SET credited = c.credited + EXCLUDED.credited;
    RETURN NULL;
END
$$;

ALTER TABLE document DROP CONSTRAINT document_issuer_id_fkey;
ALTER TABLE entry DROP CONSTRAINT entry_issuer_id_fkey;
ALTER TABLE customer_balance DROP CONSTRAINT customer_balance_customer_id_fkey, DROP CONSTRAINT customer_balance_issuer_id_fkey;
COMMENT ON COLUMN document.issuer_id IS 'Its register''s.';
COMMENT ON COLUMN entry.issuer_id IS 'That of the accounts of its postings, which it has.';
COMMENT ON TABLE customer_balance IS 'The sum of a customer''s postings, above zero what it owes. The database counts it as they are written, so it names who they name.';

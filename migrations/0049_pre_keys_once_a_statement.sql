-- What documents, their lines, postings and charges name is looked at once a statement instead of once a row.

ALTER TABLE posting DROP CONSTRAINT posting_entry_id_fkey, DROP CONSTRAINT posting_account_id_fkey, DROP CONSTRAINT posting_customer_id_fkey;
ALTER TABLE document DROP CONSTRAINT document_customer_id_fkey, DROP CONSTRAINT document_run_id_fkey, DROP CONSTRAINT document_in_its_register;
ALTER TABLE document_line DROP CONSTRAINT document_line_document_id_fkey, DROP CONSTRAINT document_line_contract_id_fkey, DROP CONSTRAINT document_line_item_id_fkey,
    DROP CONSTRAINT document_line_tax_code_id_fkey, DROP CONSTRAINT document_line_product_id_fkey, DROP CONSTRAINT document_line_account_id_fkey;
ALTER TABLE document_tax DROP CONSTRAINT document_tax_document_id_fkey;
ALTER TABLE document_due DROP CONSTRAINT document_due_document_id_fkey;
ALTER TABLE open_document DROP CONSTRAINT open_document_document_id_fkey;
ALTER TABLE charge DROP CONSTRAINT charge_item_id_fkey, DROP CONSTRAINT charge_run_id_fkey, DROP CONSTRAINT charge_on_a_line,
    ADD CONSTRAINT charge_on_a_line CHECK ((document_id IS NULL) = (line_number IS NULL));
COMMENT ON COLUMN posting.entry_id IS 'Looked at with the sum of its legs: entries never go.';

CREATE OR REPLACE FUNCTION refuse_postings() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    wrong text;
BEGIN
    -- All legs have come when they are numbered 1 to n: who adds one later meets the key.
    SELECT CASE
            WHEN NOT sums.known THEN format('there is no entry %s', sums.entry_id)
            WHEN sums.total <> 0 THEN format('entry %s: its postings sum to %s', sums.entry_id, sums.total)
            WHEN sums.legs < 2 THEN format('entry %s has one posting', sums.entry_id)
            WHEN sums.first <> 1 OR sums.last <> sums.legs THEN format('entry %s: its postings are %s to %s and not 1 to %s', sums.entry_id, sums.first, sums.last, sums.legs)
            WHEN NOT sums.at_home THEN format('entry %s posts to an account of another issuer', sums.entry_id)
            WHEN NOT sums.named THEN format('entry %s: a posting names a customer exactly on an account of customers', sums.entry_id)
            ELSE format('entry %s: an amount has more places than its currency', sums.entry_id)
        END INTO wrong
        FROM (SELECT n.entry_id, bool_and(e.id IS NOT NULL) AS known, sum(n.amount) AS total, count(*) AS legs, min(n.number) AS first, max(n.number) AS last, bool_and(a.issuer_id = e.issuer_id) AS at_home,
                bool_and((a.role = 'customers') = (n.customer_id IS NOT NULL)) AS named, bool_and(n.amount = round(n.amount, currency_places(e.currency))) AS fits
            FROM new_rows AS n LEFT JOIN entry AS e ON e.id = n.entry_id JOIN ledger_account AS a ON a.id = n.account_id GROUP BY n.entry_id) AS sums
        WHERE NOT sums.known OR sums.total <> 0 OR sums.legs < 2 OR sums.first <> 1 OR sums.last <> sums.legs OR NOT sums.at_home OR NOT sums.named OR NOT sums.fits
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
-- A document is held as a foreign key would hold it, so that it is neither issued nor deleted before this transaction ends.
-- Behind an outer join all are held before they are looked at; a condition that a row must meet would be asked first.
DECLARE
    wrong bigint;
    its   document_state;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT own.document_id, d.state INTO wrong, its FROM (SELECT DISTINCT document_id FROM old_rows) AS own
            LEFT JOIN LATERAL (SELECT state FROM document WHERE id = own.document_id FOR KEY SHARE) AS d ON true WHERE coalesce(d.state, 'draft') <> 'draft' LIMIT 1;
    END IF;
    IF TG_OP <> 'DELETE' AND wrong IS NULL THEN
        SELECT own.document_id, d.state INTO wrong, its FROM (SELECT DISTINCT document_id FROM new_rows) AS own
            LEFT JOIN LATERAL (SELECT state FROM document WHERE id = own.document_id FOR KEY SHARE) AS d ON true WHERE d.state IS DISTINCT FROM 'draft' LIMIT 1;
    END IF;
    IF its IS NOT NULL THEN
        RAISE EXCEPTION 'document % is issued: its % stays as it is', wrong, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Correct it by a credit note and a new document.';
    ELSIF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'there is no document %', wrong
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write the document first.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_issued_parts() IS 'Lines, tax groups and due days are those of a document that is there, and of an issued one they stay.';

-- A declared foreign key looks its row up for each row that is written, and again for a row that its own transaction updates: half of
-- what issuing a document cost. Here each statement asks once for each row that it names, and holds it as a declared key does
-- (FOR KEY SHARE), so it is neither deleted nor given another key before this transaction ends; who deletes it later is refused. Behind an
-- outer join all are held before they are looked at.
CREATE FUNCTION refuse_old_snapshot(place text, guard text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION '%: who names its rows is seen in READ COMMITTED alone', place
            USING ERRCODE = 'restrict_violation', TABLE = place, CONSTRAINT = guard, HINT = 'Do it in a transaction of that isolation.';
    END IF;
END
$$;
COMMENT ON FUNCTION refuse_old_snapshot(text, text) IS 'A snapshot of a whole transaction does not show who has come to name a row since.';

CREATE FUNCTION take_document_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_old_snapshot(TG_TABLE_NAME, TG_NAME);
    DELETE FROM document_line WHERE document_id IN (SELECT id FROM old_rows);
    DELETE FROM document_tax WHERE document_id IN (SELECT id FROM old_rows);
    DELETE FROM document_due WHERE document_id IN (SELECT id FROM old_rows);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION take_document_parts() IS 'A draft goes with its parts.';
CREATE TRIGGER document_goes_whole AFTER DELETE ON document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION take_document_parts();
CREATE TRIGGER document_keeps_id BEFORE UPDATE ON document FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION refuse_change('Its parts name it.');

DO $$
DECLARE
    name_of text[];
    side    text;
    body    text;
    names   CONSTANT text[] := ARRAY[
        ['document', 'customer_id', 'customer', 'id'], ['document', 'register_id,issuer_id,kind', 'document_register', 'id,issuer_id,kind'],
        ['document', 'run_id', 'billing_run', 'id'],
        ['document_line', 'contract_id', 'contract', 'id'], ['document_line', 'item_id', 'contract_item', 'id'], ['document_line', 'tax_code_id', 'tax_code', 'id'],
        ['document_line', 'product_id', 'product', 'id'], ['document_line', 'account_id', 'ledger_account', 'id'],
        ['posting', 'account_id', 'ledger_account', 'id'], ['posting', 'customer_id', 'customer', 'id'],
        ['charge', 'item_id', 'contract_item', 'id'], ['charge', 'run_id', 'billing_run', 'id'],
        ['charge', 'document_id,line_number', 'document_line', 'document_id,number']];
BEGIN
    FOREACH side IN ARRAY ARRAY['document', 'document_line', 'posting', 'charge'] LOOP
        body := '';
        FOREACH name_of SLICE 1 IN ARRAY names LOOP
            CONTINUE WHEN name_of[1] <> side;
            body := body || format($body$
    SELECT own.* INTO unknown FROM (SELECT DISTINCT %1$s FROM new_rows WHERE %2$s IS NOT NULL) AS own
        LEFT JOIN LATERAL (SELECT true AS there FROM %3$I AS p WHERE (%4$s) = (%5$s) FOR KEY SHARE) AS held ON true WHERE held.there IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '%%: there is no %3$s %%', TG_TABLE_NAME, unknown
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Its %1$s names one that is there.';
    END IF;
$body$, name_of[2], split_part(name_of[2], ',', 1), name_of[3], 'p.' || replace(name_of[4], ',', ', p.'), 'own.' || replace(name_of[2], ',', ', own.'));
        END LOOP;
        EXECUTE format('CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off SET enable_hashjoin = off'
            || ' SET enable_mergejoin = off SET enable_material = off AS %L', side || '_all_known', format(E'\nDECLARE\n    unknown record;\nBEGIN%s    RETURN NULL;\nEND\n', body));
        EXECUTE format('COMMENT ON FUNCTION %I() IS %L', side || '_all_known', 'What rows of one statement name is there, and stays.');
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %I() FROM PUBLIC', side || '_all_known');
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION %I()', side || '_all_known', side, side || '_all_known');
        IF side <> 'posting' THEN
            EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION %I()', side || '_all_known_still', side, side || '_all_known');
        END IF;
    END LOOP;
    FOREACH side IN ARRAY ARRAY['customer', 'contract', 'contract_item', 'product', 'tax_code', 'ledger_account', 'billing_run', 'document_register', 'document_line'] LOOP
        body := '';
        FOREACH name_of SLICE 1 IN ARRAY names LOOP
            CONTINUE WHEN name_of[3] <> side;
            body := body || format($body$
    IF EXISTS (SELECT FROM %1$I AS n WHERE (%2$s) = (%3$s)) THEN
        RAISE EXCEPTION '%%: its key is named by a %1$s', TG_TABLE_NAME
            USING ERRCODE = 'foreign_key_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'It stays as long as it is named.';
    END IF;
$body$, name_of[1], 'n.' || replace(name_of[2], ',', ', n.'), 'OLD.' || replace(name_of[4], ',', ', OLD.'));
        END LOOP;
        EXECUTE format('CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS %L', side || '_not_named',
            format(E'\nBEGIN\n    PERFORM refuse_old_snapshot(TG_TABLE_NAME, TG_NAME);%s    RETURN NULL;\nEND\n', body));
        EXECUTE format('COMMENT ON FUNCTION %I() IS %L', side || '_not_named', 'What is named stays, with its key.');
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I FOR EACH ROW EXECUTE FUNCTION %I()', side || '_not_named', side, side || '_not_named');
        SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', key), ' OR ') INTO body FROM unnest(string_to_array(
            CASE side WHEN 'document_register' THEN 'id,issuer_id,kind' WHEN 'document_line' THEN 'document_id,number' ELSE 'id' END, ',')) AS key;
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I FOR EACH ROW WHEN (%s) EXECUTE FUNCTION %I()', side || '_not_named_so', side, body, side || '_not_named');
        IF side NOT IN ('contract', 'document_line') THEN -- which have one
            EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''What may be named stays.'')', side || '_no_truncate', side);
        END IF;
    END LOOP;
END
$$;

-- Customers are found by what is known of them, and by their number in another system.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

ALTER TABLE customer ADD COLUMN external_reference text CONSTRAINT customer_external_reference_check CHECK (external_reference ~ '^[^[:cntrl:][:space:]]{1,64}$'),
    ADD CONSTRAINT customer_external_reference_once UNIQUE (external_reference);
COMMENT ON COLUMN customer.external_reference IS 'Its number in another system, such as the one it was taken over from; an import finds it by this.';

CREATE FUNCTION plain_text(written text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT lower(CASE WHEN octet_length(written) = length(written) THEN written ELSE regexp_replace(normalize(written, NFKD), '[\u0300-\u036f]', '', 'g') END)
$$;
COMMENT ON FUNCTION plain_text(text) IS 'Without accents and capitals, as people search.';

CREATE TABLE customer_words (
    customer_id bigint PRIMARY KEY REFERENCES customer ON DELETE CASCADE,
    words       text NOT NULL
);
COMMENT ON TABLE customer_words IS 'All that a customer is searched by, plain, a blank before each word: names, reference, tax numbers, addresses, contacts. Written by triggers.';
CREATE INDEX customer_words_parts ON customer_words USING gin (words gin_trgm_ops);

CREATE FUNCTION gather_customer_words(ids bigint[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- Who writes another part of the same customer waits here, and then reads what this transaction wrote.
    PERFORM FROM customer WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO customer_words AS kept (customer_id, words)
        SELECT c.id, ' ' || plain_text(concat_ws(' ', c.name, c.given_name, c.family_name, c.external_reference,
            (SELECT string_agg(t.number, ' ' ORDER BY t.scheme) FROM tax_identifier AS t WHERE t.customer_id = c.id),
            (SELECT string_agg(concat_ws(' ', a.street, a.house_number, a.postal_code, a.city, a.province), ' ' ORDER BY a.id) FROM address AS a WHERE a.customer_id = c.id),
            (SELECT string_agg(concat_ws(' ', k.name, k.email, substr(k.phone, 2), substr(k.mobile, 2)), ' ' ORDER BY k.id) FROM contact AS k WHERE k.customer_id = c.id)))
        FROM customer AS c WHERE c.id = ANY (ids)
        ON CONFLICT (customer_id) DO UPDATE SET words = excluded.words WHERE kept.words <> excluded.words;
END
$$;
REVOKE EXECUTE ON FUNCTION gather_customer_words(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION gather_customer_words(bigint[]) IS 'Writes the words of these customers anew.';

CREATE FUNCTION note_customer_words() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Argument: the column that names the customer.
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM gather_customer_words(ARRAY(SELECT DISTINCT (to_jsonb(o) ->> TG_ARGV[0])::bigint FROM old_rows AS o));
    ELSE
        PERFORM gather_customer_words(ARRAY(SELECT DISTINCT (to_jsonb(n) ->> TG_ARGV[0])::bigint FROM new_rows AS n));
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION note_customer_words() FROM PUBLIC;
COMMENT ON FUNCTION note_customer_words() IS 'One statement, one writing of the words of the customers that it touched.';

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['customer', 'id'], ['tax_identifier', 'customer_id'], ['address', 'customer_id'], ['contact', 'customer_id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_customer_words(%L)',
            kept[1] || '_words_insert', kept[1], kept[2]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_customer_words(%L)',
            kept[1] || '_words_update', kept[1], kept[2]);
        CONTINUE WHEN kept[1] = 'customer';
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_customer_words(%L)',
            kept[1] || '_words_delete', kept[1], kept[2]);
    END LOOP;
END
$$;

INSERT INTO customer_words (customer_id, words) SELECT id, '' FROM customer;
SELECT gather_customer_words(ARRAY(SELECT id FROM customer));
GRANT SELECT ON customer_words TO corrente_worker, corrente_web;

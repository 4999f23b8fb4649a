-- Parties of the books: issuers, what authorities know customers by, addresses, contacts, consents, notes, attachments.

-- ---------------------------------------------------------------------------------------------------------------
-- Who acts: each transaction that writes money says so first, in `corrente.actor`
-- ---------------------------------------------------------------------------------------------------------------
CREATE FUNCTION row_name(content jsonb, columns text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg(content ->> part, ' ' ORDER BY place) FROM unnest(columns) WITH ORDINALITY AS part (part, place)
$$;
COMMENT ON FUNCTION row_name(jsonb, text[]) IS 'A row by the values of its key, with blanks between.';

CREATE FUNCTION note_money() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: the columns of the key, with commas; columns whose changes another table tells, with commas.
DECLARE
    writer text   := coalesce(current_setting('corrente.actor', true), '');
    keys   text[] := string_to_array(TG_ARGV[0], ',');
    silent text[] := string_to_array(coalesce(TG_ARGV[1], ''), ',');
BEGIN
    IF writer = '' THEN
        RAISE EXCEPTION '%: % by nobody; this transaction does not say who writes', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
                HINT = 'First, in the same transaction: SELECT set_config(''corrente.actor'', ''maria'', true).';
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.insert', TG_TABLE_NAME, jsonb_build_object('rows', (SELECT count(*) FROM new_rows), 'names', jsonb_agg(name))
            FROM (SELECT row_name(to_jsonb(n) - 'content', keys) AS name FROM new_rows AS n LIMIT 20) AS written HAVING count(*) > 0;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.delete', TG_TABLE_NAME || ' ' || row_name(gone, keys), jsonb_build_object('before', gone)
            FROM (SELECT to_jsonb(o) - 'content' AS gone FROM old_rows AS o) AS deleted;
    ELSE
        INSERT INTO audit_log (actor, action, subject, detail)
            SELECT writer, TG_TABLE_NAME || '.update', TG_TABLE_NAME || ' ' || name, jsonb_build_object('before', jsonb_object_agg(field, was -> field), 'after', jsonb_object_agg(field, becomes -> field))
            FROM (SELECT row_name(to_jsonb(o), keys) AS name, to_jsonb(o) AS was FROM old_rows AS o) AS old_ones
                JOIN (SELECT row_name(to_jsonb(n), keys) AS name, to_jsonb(n) AS becomes FROM new_rows AS n) AS new_ones USING (name)
                CROSS JOIN LATERAL jsonb_object_keys(was - silent) AS field
            WHERE was -> field IS DISTINCT FROM becomes -> field GROUP BY name;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_money() IS 'The audit log of money, written by the database itself: who wrote, and of each changed or deleted row what stood there. Nobody is refused.';

CREATE FUNCTION currency_places(currency text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3 ELSE 2 END
$$;
COMMENT ON FUNCTION currency_places(text) IS 'Decimals of a currency, ISO 4217; billing/money.py has the same list.';

CREATE DOMAIN currency_code AS char(3) CHECK (VALUE ~ '^[A-Z]{3}$');
COMMENT ON DOMAIN currency_code IS 'ISO 4217.';
CREATE DOMAIN country_code AS char(2) CHECK (VALUE ~ '^[A-Z]{2}$');
COMMENT ON DOMAIN country_code IS 'ISO 3166-1 alpha-2.';
CREATE TYPE spoken_language AS ENUM ('en', 'it', 'es');
COMMENT ON TYPE spoken_language IS 'In which a document or a message is written.';

CREATE TYPE customer_kind AS ENUM ('person', 'company', 'public_body');
COMMENT ON TYPE customer_kind IS 'What the law sees in a customer; taxes, notices and registers go by it.';

ALTER TABLE customer
    ADD COLUMN kind        customer_kind NOT NULL DEFAULT 'person',
    ADD COLUMN given_name  text CHECK (given_name <> ''),
    ADD COLUMN family_name text CHECK (family_name <> ''),
    ADD COLUMN language    spoken_language NOT NULL DEFAULT 'en',
    ADD CONSTRAINT customer_person_has_both_names CHECK ((given_name IS NULL) = (family_name IS NULL) AND (given_name IS NULL OR kind = 'person'));
COMMENT ON COLUMN customer.given_name IS 'A person''s, for authorities that want it apart from the family name.';
ALTER TABLE contract ADD CONSTRAINT contract_of_customer UNIQUE (id, customer_id);

-- ---------------------------------------------------------------------------------------------------------------
-- Parties: who invoices, who owes, and how they are reached
-- ---------------------------------------------------------------------------------------------------------------
CREATE FUNCTION refuse_unknown_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.zone IS NULL OR EXISTS (SELECT FROM pg_timezone_names WHERE name = NEW.zone) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'there is no zone %', NEW.zone
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'A name such as Europe/Rome or America/Guayaquil.';
END
$$;
COMMENT ON FUNCTION refuse_unknown_zone() IS 'A CHECK may not read the list of zones.';

CREATE TABLE issuer (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (name <> ''),
    country         country_code NOT NULL,
    vat_number      text CHECK (vat_number ~ '^[A-Z0-9]{4,28}$'),
    tax_number      text CHECK (tax_number ~ '^[A-Z0-9]{4,28}$'),
    street          text NOT NULL CHECK (street <> ''),
    house_number    text,
    postal_code     text NOT NULL CHECK (postal_code <> ''),
    city            text NOT NULL CHECK (city <> ''),
    province        text,
    email           text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    phone           text,
    zone            text NOT NULL DEFAULT 'Europe/Rome',
    currency        currency_code NOT NULL DEFAULT 'EUR',
    tax_regime      text,
    recharges_stamp boolean NOT NULL DEFAULT false,
    iban            text CHECK (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
    confirm_hours   smallint CHECK (confirm_hours BETWEEN 0 AND 720)
);
COMMENT ON TABLE issuer IS 'The legal entity that invoices. Its data is copied into each document when that is issued.';
COMMENT ON COLUMN issuer.zone IS 'In which zone its billing days begin and end; the network''s is [operator] billing_zone.';
COMMENT ON COLUMN issuer.currency IS 'Of its books.';
COMMENT ON COLUMN issuer.tax_regime IS 'As its tax authority codes it, such as RF01.';
COMMENT ON COLUMN issuer.recharges_stamp IS 'Stamp duty is a line that the customer pays; otherwise the issuer bears it.';
COMMENT ON COLUMN issuer.confirm_hours IS 'A prepared run issues by itself after so many hours without a word; NULL: only when a person confirms.';
CREATE TRIGGER issuer_zone_known BEFORE INSERT OR UPDATE OF zone ON issuer FOR EACH ROW EXECUTE FUNCTION refuse_unknown_zone();

CREATE TABLE tax_identifier (
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    scheme      text NOT NULL CHECK (scheme ~ '^[a-z]{2}\.[a-z]{2,20}$'),
    number      text NOT NULL CHECK (number ~ '^[A-Z0-9/.-]{1,30}$'),
    PRIMARY KEY (customer_id, scheme)
);
COMMENT ON TABLE tax_identifier IS 'Under which numbers tax authorities know a customer, checked before they are written (billing/tax_identifiers.py).';
COMMENT ON COLUMN tax_identifier.scheme IS 'Country and kind: it.codicefiscale, it.iva, ar.cuit, eu.vat.';
COMMENT ON COLUMN tax_identifier.number IS 'Compact, in capitals, without separators that carry nothing.';
CREATE INDEX tax_identifier_number ON tax_identifier (number);

CREATE TYPE address_kind AS ENUM ('legal', 'billing', 'service');
COMMENT ON TYPE address_kind IS 'Seat, where documents go when elsewhere, where a line ends.';
CREATE TABLE address (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    kind         address_kind NOT NULL,
    street       text NOT NULL CHECK (street <> ''),
    house_number text,
    postal_code  text NOT NULL,
    city         text NOT NULL CHECK (city <> ''),
    province     text,
    country      country_code NOT NULL,
    latitude     numeric(8, 6) CHECK (latitude BETWEEN -90 AND 90),
    longitude    numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
    directions   text,
    CONSTRAINT address_coordinates_in_pairs CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT address_of_customer UNIQUE (id, customer_id)
);
COMMENT ON TABLE address IS 'Where a customer has its seat, gets documents, or is served. Documents hold a copy.';
CREATE UNIQUE INDEX address_one_seat ON address (customer_id, kind) WHERE kind IN ('legal', 'billing');
CREATE INDEX address_customer ON address (customer_id);

CREATE TYPE contact_role AS ENUM ('main', 'administrative', 'technical', 'collections');
COMMENT ON TYPE contact_role IS 'What somebody is written to about; without one for it, main.';
CREATE TABLE contact (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    contract_id bigint,
    parent_id   bigint,
    role        contact_role NOT NULL,
    name        text CHECK (name <> ''),
    email       text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    phone       text CHECK (phone ~ '^\+[0-9]{6,15}$'),
    mobile      text CHECK (mobile ~ '^\+[0-9]{6,15}$'),
    language    spoken_language,
    CONSTRAINT contact_of_customer UNIQUE (id, customer_id),
    CONSTRAINT contact_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id),
    CONSTRAINT contact_parent_of_customer FOREIGN KEY (parent_id, customer_id) REFERENCES contact (id, customer_id) ON DELETE SET NULL (parent_id),
    CONSTRAINT contact_not_own_parent CHECK (parent_id <> id),
    CONSTRAINT contact_one_a_role UNIQUE NULLS NOT DISTINCT (customer_id, contract_id, role)
);
COMMENT ON TABLE contact IS 'Persons that notices reach. What one leaves empty its parent tells; a contract''s own come before the customer''s.';
COMMENT ON COLUMN contact.phone IS 'E.164, with + and country.';

CREATE FUNCTION refuse_contact_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (WITH RECURSIVE above AS (
            SELECT parent_id AS id FROM contact WHERE id = NEW.parent_id
            UNION SELECT c.parent_id FROM contact c JOIN above ON c.id = above.id)
        SELECT FROM above WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'contact % would stand above itself', NEW.id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Choose a contact that does not depend on this one.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_contact_circle() IS 'Contacts inherit from their parents, so none may be its own.';
CREATE TRIGGER contact_no_circle BEFORE UPDATE OF parent_id ON contact FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION refuse_contact_circle();

CREATE TABLE consent (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    purpose     text NOT NULL CHECK (purpose ~ '^[a-z_]{1,40}$'),
    channel     text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    given       boolean NOT NULL,
    wording     text NOT NULL CHECK (wording <> ''),
    evidence    text,
    taken_by    text NOT NULL CHECK (taken_by <> ''),
    taken_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE consent IS 'Given or withdrawn, for which use over which channel, to which wording. The newest of a purpose and channel counts. Append-only.';
CREATE INDEX consent_customer ON consent (customer_id, purpose, channel, taken_at);
CREATE TRIGGER consent_append_only BEFORE UPDATE OR DELETE ON consent FOR EACH ROW EXECUTE FUNCTION refuse_change('Consents are evidence: write a new one.');

CREATE TABLE note (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    contract_id bigint,
    text        text NOT NULL CHECK (text <> ''),
    author      text NOT NULL CHECK (author <> ''),
    written_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT note_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id)
);
COMMENT ON TABLE note IS 'What staff wrote about a customer or a contract. Append-only: a correction is another note.';
CREATE INDEX note_customer ON note (customer_id, written_at);
CREATE TRIGGER note_append_only BEFORE UPDATE OR DELETE ON note FOR EACH ROW EXECUTE FUNCTION refuse_change('Notes stay as they were written: write another one.');

CREATE TABLE attachment (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    contract_id bigint,
    name        text NOT NULL CHECK (name ~ '^[^/[:cntrl:]]{1,200}$'),
    media_type  text NOT NULL CHECK (media_type ~ '^[a-z]+/[a-z0-9.+-]+$'),
    content     bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 20000000),
    sha256      bytea GENERATED ALWAYS AS (sha256(content)) STORED,
    author      text NOT NULL CHECK (author <> ''),
    added_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT attachment_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id)
);
COMMENT ON TABLE attachment IS 'Files of a customer or a contract, 20 MB at most. They never change; one may be taken away, which the audit log keeps.';
CREATE INDEX attachment_customer ON attachment (customer_id);
CREATE TRIGGER attachment_never_changes BEFORE UPDATE ON attachment FOR EACH ROW EXECUTE FUNCTION refuse_change('Add the new file and take the old one away.');

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['issuer', 'id', ''], ['tax_identifier', 'customer_id,scheme', ''], ['address', 'id', ''], ['attachment', 'id', '']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_insert', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_update', kept[1], kept[2], kept[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            kept[1] || '_money_delete', kept[1], kept[2], kept[3]);
    END LOOP;
END
$$;

GRANT SELECT ON issuer, tax_identifier, address, contact, consent, note, attachment TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON tax_identifier, address, contact TO corrente_web;
GRANT INSERT, DELETE ON attachment TO corrente_web;
GRANT INSERT ON consent, note TO corrente_worker, corrente_web;

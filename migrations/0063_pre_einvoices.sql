-- E-invoices: documents on their way to a tax authority, what was said about each, and the logins there.
CREATE TYPE einvoice_state AS ENUM ('draft', 'prepared', 'sending', 'pending', 'unknown', 'accepted', 'accepted_noted', 'rejected_fixable', 'rejected_final', 'blocked',
    'cancel_requested', 'cancelled', 'cancel_refused');
COMMENT ON TYPE einvoice_state IS 'How far an e-invoice is with the tax authority; billing/einvoice/states.py moves it.';
CREATE TYPE einvoice_handover AS ENUM ('none', 'sent', 'delivered', 'undeliverable', 'refused');
COMMENT ON TYPE einvoice_handover IS 'Whether the receiver has an e-invoice.';
CREATE TYPE einvoice_environment AS ENUM ('test', 'production');
COMMENT ON TYPE einvoice_environment IS 'An authority''s test service, where nothing counts, or the one where all does.';

CREATE TABLE einvoice_account (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id      bigint NOT NULL REFERENCES issuer,
    name           text NOT NULL CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    provider       text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,39}$'),
    environment    einvoice_environment NOT NULL,
    settings       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    sealed_secret  bytea NOT NULL CHECK (octet_length(sealed_secret) > 32),
    series         text NOT NULL CHECK (series ~ '^[A-Za-z0-9]{1,20}$'),
    from_on        date NOT NULL,
    enabled        boolean NOT NULL DEFAULT true,
    blocked_at     timestamptz,
    blocked_reason text NOT NULL DEFAULT '',
    failures       integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    next_try       timestamptz NOT NULL DEFAULT now(),
    made_by        text NOT NULL CHECK (made_by <> ''),
    made_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT einvoice_account_name_once UNIQUE (name),
    CONSTRAINT einvoice_account_blocked_has_reason CHECK ((blocked_at IS NULL) = (blocked_reason = ''))
);
COMMENT ON TABLE einvoice_account IS 'Through whom an issuer''s documents reach the tax authority. Documents dated from from_on on are queued as they are issued.';
COMMENT ON COLUMN einvoice_account.sealed_secret IS 'What it signs or logs in with, such as a private key; see radius_hooks/sealing.py.';
COMMENT ON COLUMN einvoice_account.failures IS 'Times in a row that nobody answered; the next question waits until next_try.';
CREATE UNIQUE INDEX einvoice_account_one_enabled ON einvoice_account (issuer_id) WHERE enabled;

CREATE TABLE einvoice_series (
    account_id  bigint NOT NULL REFERENCES einvoice_account,
    kind        document_kind NOT NULL,
    series      text NOT NULL CHECK (series ~ '^[A-Za-z0-9]{1,20}$'),
    last_number bigint NOT NULL DEFAULT 0 CHECK (last_number >= 0),
    range_from  bigint,
    range_to    bigint,
    valid_to    date,
    PRIMARY KEY (account_id, kind, series),
    CONSTRAINT einvoice_series_range CHECK (num_nonnulls(range_from, range_to) <> 1 AND range_from BETWEEN 1 AND range_to)
);
COMMENT ON TABLE einvoice_series IS 'The numbers that we count for an authority, where it has its own; within a range that it gave, if it gives one.';

CREATE TABLE einvoice (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id    bigint NOT NULL REFERENCES document,
    account_id     bigint NOT NULL REFERENCES einvoice_account,
    kind           document_kind NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
    series         text NOT NULL CHECK (series ~ '^[A-Za-z0-9]{1,20}$'),
    number         bigint CHECK (number >= 1),
    external_key   text CHECK (external_key <> ''),
    payload        bytea,
    media_type     text,
    digest         bytea,
    state          einvoice_state NOT NULL DEFAULT 'draft',
    handover       einvoice_handover NOT NULL DEFAULT 'none',
    authority_key  text,
    authority_code text,
    expires        date,
    qr_text        text,
    problem        text NOT NULL DEFAULT '',
    contradiction  text NOT NULL DEFAULT '',
    attempts       integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    tries          integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    since          timestamptz NOT NULL DEFAULT now(),
    absent_at      timestamptz,
    next_try       timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT einvoice_document_once UNIQUE (document_id),
    CONSTRAINT einvoice_number_once UNIQUE (account_id, kind, series, number),
    CONSTRAINT einvoice_external_key_once UNIQUE (account_id, external_key),
    CONSTRAINT einvoice_prepared_is_whole CHECK (num_nulls(external_key, payload, media_type, digest) = CASE state WHEN 'draft' THEN 4 ELSE 0 END),
    CONSTRAINT einvoice_digest_is_the_payload_s CHECK (digest = sha256(payload)),
    CONSTRAINT einvoice_moving_is_looked_at CHECK (state NOT IN ('sending', 'unknown', 'pending', 'prepared', 'cancel_requested') OR next_try IS NOT NULL)
);
COMMENT ON TABLE einvoice IS 'One issued document on its way to the tax authority: the octets that are sent, under which number, and how far it is.';
COMMENT ON COLUMN einvoice.number IS 'Of its series; NULL until it is prepared, and where the authority numbers.';
COMMENT ON COLUMN einvoice.attempts IS 'Times that octets were sent.';
COMMENT ON COLUMN einvoice.tries IS 'Questions since the state began.';
COMMENT ON COLUMN einvoice.next_try IS 'When it is looked at next; NULL: when a person says so, or never.';
COMMENT ON COLUMN einvoice.contradiction IS 'What the authority said against what it had said: for a person.';
CREATE INDEX einvoice_due ON einvoice (account_id, next_try) WHERE next_try IS NOT NULL;
CREATE INDEX einvoice_of_series ON einvoice (account_id, kind, series, number) WHERE state IN ('prepared', 'sending', 'unknown', 'rejected_fixable', 'blocked');
CREATE INDEX einvoice_to_send ON einvoice (account_id, id) WHERE state IN ('draft', 'prepared');
CREATE INDEX einvoice_of_account ON einvoice (account_id, id);
CREATE INDEX einvoice_needs_a_person ON einvoice (state) WHERE state IN ('rejected_fixable', 'rejected_final', 'blocked') OR (state = 'draft' AND next_try IS NULL) OR contradiction <> '';
CREATE TRIGGER einvoice_sent_stays BEFORE UPDATE ON einvoice FOR EACH ROW
    WHEN (OLD.state NOT IN ('draft', 'prepared', 'rejected_fixable', 'blocked') AND (OLD.number, OLD.external_key, OLD.payload) IS DISTINCT FROM (NEW.number, NEW.external_key, NEW.payload))
    EXECUTE FUNCTION refuse_change('What may be with the authority stays as it was sent.');
CREATE TRIGGER einvoice_taken_stays BEFORE UPDATE ON einvoice FOR EACH ROW
    WHEN (OLD.state IN ('accepted', 'accepted_noted', 'cancel_requested', 'cancelled', 'cancel_refused') AND NEW.state NOT IN ('accepted', 'accepted_noted', 'cancel_requested', 'cancelled', 'cancel_refused'))
    EXECUTE FUNCTION refuse_change('What the authority took is issued: give a credit note, or cancel it.');
CREATE TRIGGER einvoice_is_of_its_document BEFORE UPDATE ON einvoice FOR EACH ROW
    WHEN ((OLD.document_id, OLD.account_id, OLD.kind, OLD.series) IS DISTINCT FROM (NEW.document_id, NEW.account_id, NEW.kind, NEW.series)) EXECUTE FUNCTION refuse_change('It is of one document and one account.');
CREATE TRIGGER einvoice_stays BEFORE DELETE ON einvoice FOR EACH ROW EXECUTE FUNCTION refuse_change('What was queued for an authority stays.');
CREATE TRIGGER einvoice_no_truncate BEFORE TRUNCATE ON einvoice FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was queued for an authority stays.');

CREATE TYPE einvoice_direction AS ENUM ('sent', 'received', 'noted');
COMMENT ON TYPE einvoice_direction IS 'What we said to the authority, what it said, what we or a person did with it.';
CREATE TABLE einvoice_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    einvoice_id bigint NOT NULL REFERENCES einvoice,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    direction   einvoice_direction NOT NULL,
    operation   text NOT NULL CHECK (operation <> ''),
    http_status smallint,
    code        text NOT NULL DEFAULT '',
    text        text NOT NULL DEFAULT '',
    raw         bytea NOT NULL DEFAULT '' CHECK (octet_length(raw) <= 65536)
);
COMMENT ON TABLE einvoice_event IS 'All that was said about an e-invoice, as it came, without secrets.';
CREATE INDEX einvoice_event_of ON einvoice_event (einvoice_id, id);
CREATE TRIGGER einvoice_event_append_only BEFORE UPDATE OR DELETE ON einvoice_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What was said stays said.');
CREATE TRIGGER einvoice_event_no_truncate BEFORE TRUNCATE ON einvoice_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was said stays said.');

CREATE TABLE einvoice_artifact (
    einvoice_id bigint NOT NULL REFERENCES einvoice,
    kind        text NOT NULL CHECK (kind <> ''),
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    content     bytea NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (einvoice_id, kind, digest)
);
COMMENT ON TABLE einvoice_artifact IS 'Files of an e-invoice: each payload that was sent, and what the authority gave back, such as the authorised XML.';

CREATE TABLE einvoice_message (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES einvoice_account,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    content     bytea NOT NULL CHECK (octet_length(content) <= 4194304),
    received_at timestamptz NOT NULL DEFAULT now(),
    done_at     timestamptz,
    verdict     text NOT NULL DEFAULT '',
    CONSTRAINT einvoice_message_once UNIQUE (account_id, digest),
    CONSTRAINT einvoice_message_done_has_verdict CHECK ((done_at IS NULL) = (verdict = ''))
);
COMMENT ON TABLE einvoice_message IS 'What an authority tells by itself, raw and once, before anybody reads it.';
CREATE INDEX einvoice_message_waiting ON einvoice_message (account_id, id) WHERE done_at IS NULL;

CREATE TABLE auth_ticket (
    account_id   bigint NOT NULL REFERENCES einvoice_account,
    service      text NOT NULL CHECK (service <> ''),
    sealed_token bytea NOT NULL CHECK (octet_length(sealed_token) > 32),
    expires      timestamptz NOT NULL,
    PRIMARY KEY (account_id, service)
);
COMMENT ON TABLE auth_ticket IS 'A login at an authority that lasts for hours; asking for another one meanwhile may be refused.';
GRANT SELECT ON einvoice_account, einvoice_series, einvoice, einvoice_event, einvoice_artifact, einvoice_message, auth_ticket TO corrente_worker;
GRANT SELECT ON einvoice_account, einvoice_series, einvoice, einvoice_event, einvoice_artifact TO corrente_web;
GRANT UPDATE (blocked_at, blocked_reason, failures, next_try) ON einvoice_account TO corrente_worker;
GRANT INSERT, UPDATE (last_number) ON einvoice_series TO corrente_worker;
GRANT INSERT ON einvoice, einvoice_event, einvoice_artifact, einvoice_message TO corrente_worker;
GRANT UPDATE (number, external_key, payload, media_type, digest, state, handover, authority_key, authority_code, expires, qr_text, problem, contradiction, attempts, tries, since, absent_at, next_try)
    ON einvoice TO corrente_worker;
GRANT UPDATE (done_at, verdict) ON einvoice_message TO corrente_worker;
GRANT INSERT, UPDATE, DELETE ON auth_ticket TO corrente_worker;

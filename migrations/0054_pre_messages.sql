-- What customers are told: the row is the job, with its batch, what became of it, addresses that bounce, and the operator's own texts.
-- ---------------------------------------------------------------------------------------------------------------
-- Messages to customers: the row is the job
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE message_purpose AS ENUM ('legal', 'service', 'marketing');
COMMENT ON TYPE message_purpose IS 'Legal: owed by law or contract, goes whatever the customer says. Service: about what they have, until they decline. Marketing: only with a consent.';

CREATE TYPE message_state AS ENUM ('queued', 'sending', 'sent', 'bounced', 'failed', 'withheld', 'cancelled');
COMMENT ON TYPE message_state IS 'Sent: the next server took it. Bounced: it came back later. Failed: it can''t go. Withheld: it may not go, or would be too late. Cancelled: by a person.';

CREATE TABLE message_batch (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    scope        jsonb NOT NULL CHECK (jsonb_typeof(scope) = 'object'),
    made_by      text NOT NULL CHECK (made_by <> ''),
    made_at      timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    cancelled_by text CHECK (cancelled_by <> ''),
    CONSTRAINT message_batch_cancelled_by_someone CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL))
);
COMMENT ON TABLE message_batch IS 'One text to many: to a choice of customers, or to everyone behind a device. Taken back as one, as far as it has not gone.';
COMMENT ON COLUMN message_batch.scope IS 'To whom, as it was asked for.';

CREATE TABLE message (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id      bigint NOT NULL REFERENCES customer,
    contract_id      bigint,
    issuer_id        bigint REFERENCES issuer,
    batch_id         bigint REFERENCES message_batch,
    origin           text NOT NULL CHECK (length(origin) BETWEEN 1 AND 200),
    channel          text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    purpose          message_purpose NOT NULL,
    template         text NOT NULL CHECK (template ~ '^[a-z0-9_]{1,40}$'),
    data             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(data) = 'object'),
    enclosures       text[] NOT NULL DEFAULT '{}',
    role             contact_role NOT NULL DEFAULT 'main',
    contact_id       bigint,
    language         spoken_language,
    at_once          boolean NOT NULL DEFAULT false,
    expires_at       timestamptz,
    token            uuid NOT NULL DEFAULT gen_random_uuid(),
    made_by          text NOT NULL CHECK (made_by <> ''),
    made_at          timestamptz NOT NULL DEFAULT now(),
    turn             smallint GENERATED ALWAYS AS (CASE WHEN purpose = 'marketing' THEN 2 WHEN batch_id IS NOT NULL THEN 1 ELSE 0 END) STORED,
    state            message_state NOT NULL DEFAULT 'queued',
    next_at          timestamptz NOT NULL DEFAULT now(),
    attempts         integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    taken_until      timestamptz,
    handed_at        timestamptz,
    ended_at         timestamptz,
    problem          text NOT NULL DEFAULT '',
    address          text CHECK (address <> ''),
    template_version integer,
    reference        text CHECK (reference <> ''),
    written_at       timestamptz,
    subject          text,
    body             text,
    html             text,
    CONSTRAINT message_once UNIQUE (origin, customer_id, channel),
    CONSTRAINT message_contract_of_customer FOREIGN KEY (contract_id, customer_id) REFERENCES contract (id, customer_id),
    CONSTRAINT message_contact_of_customer FOREIGN KEY (contact_id, customer_id) REFERENCES contact (id, customer_id) ON DELETE SET NULL (contact_id),
    CONSTRAINT message_encloses_rows CHECK (array_to_string(enclosures, ',', 'NULL') ~ '^([a-z_]{1,40}:[1-9][0-9]{0,18}(,|$)){0,10}$'),
    CONSTRAINT message_taken_while_sending CHECK ((state = 'sending') = (taken_until IS NOT NULL)),
    CONSTRAINT message_ends_with_its_state CHECK ((state IN ('queued', 'sending')) = (ended_at IS NULL)),
    CONSTRAINT message_sent_was_handed CHECK (handed_at IS NOT NULL OR state NOT IN ('sent', 'bounced')),
    CONSTRAINT message_handed_is_written CHECK (handed_at IS NULL OR (address IS NOT NULL AND reference IS NOT NULL AND body IS NOT NULL))
);
COMMENT ON TABLE message IS 'What a customer is told. Written in the transaction that decides; a worker takes the row, writes the text from its template and hands it over.';
COMMENT ON COLUMN message.issuer_id IS 'In whose name, and by whose hours; NULL: the operator''s.';
COMMENT ON COLUMN message.origin IS 'Why it is written, such as `dunning 12 walled`: once a customer and channel, however often that is decided.';
COMMENT ON COLUMN message.data IS 'What its template tells, as texts.';
COMMENT ON COLUMN message.enclosures IS 'What goes with it, kind and row, such as `document:7`: printed when it is sent.';
COMMENT ON COLUMN message.role IS 'Whom of the customer''s contacts it is for; contact_id names one instead.';
COMMENT ON COLUMN message.at_once IS 'Quiet hours do not hold it: the customer waits for it, or it is of no use later.';
COMMENT ON COLUMN message.expires_at IS 'From then on it is withheld: old news.';
COMMENT ON COLUMN message.token IS 'Who knows it got the message, or its bounce.';
COMMENT ON COLUMN message.turn IS 'The lower goes first: one customer''s before what goes to many, marketing last.';
COMMENT ON COLUMN message.next_at IS 'Not before.';
COMMENT ON COLUMN message.taken_until IS 'So long the worker that took it has it to itself.';
COMMENT ON COLUMN message.handed_at IS 'Written and committed before the text leaves, and taken back when it was refused: who was killed in between leaves it in doubt.';
COMMENT ON COLUMN message.template_version IS 'Of the operator''s own text; NULL: the package''s.';
COMMENT ON COLUMN message.reference IS 'What the channel knows it by: for e-mail its Message-ID, the same at every attempt.';
COMMENT ON COLUMN message.written_at IS 'When its text was made, which is the Date that it carries.';
CREATE INDEX message_waiting ON message (channel, turn, next_at, id) WHERE state = 'queued';
CREATE INDEX message_taken ON message (taken_until) WHERE state = 'sending';
CREATE INDEX message_handed ON message (channel, handed_at) WHERE handed_at IS NOT NULL;
CREATE INDEX message_customer ON message (customer_id, id);
CREATE INDEX message_of_batch ON message (batch_id, state) WHERE batch_id IS NOT NULL;
CREATE INDEX message_ended ON message (ended_at) WHERE ended_at IS NOT NULL;
CREATE TRIGGER message_stays_as_asked BEFORE UPDATE ON message FOR EACH ROW
    WHEN ((OLD.id, OLD.customer_id, OLD.contract_id, OLD.issuer_id, OLD.batch_id, OLD.origin, OLD.channel, OLD.purpose, OLD.template, OLD.data, OLD.enclosures, OLD.role, OLD.token, OLD.made_by, OLD.made_at)
        IS DISTINCT FROM (NEW.id, NEW.customer_id, NEW.contract_id, NEW.issuer_id, NEW.batch_id, NEW.origin, NEW.channel, NEW.purpose, NEW.template, NEW.data, NEW.enclosures, NEW.role, NEW.token, NEW.made_by, NEW.made_at))
    EXECUTE FUNCTION refuse_change('Cancel it and write another one.');
CREATE TRIGGER message_stays_as_handed BEFORE UPDATE ON message FOR EACH ROW
    WHEN (OLD.handed_at IS NOT NULL AND (OLD.address, OLD.reference, OLD.written_at, OLD.subject, OLD.body, OLD.html) IS DISTINCT FROM (NEW.address, NEW.reference, NEW.written_at, NEW.subject, NEW.body, NEW.html))
    EXECUTE FUNCTION refuse_change('What left stays as it was written.');
CREATE TRIGGER message_kept BEFORE DELETE ON message FOR EACH ROW WHEN (OLD.ended_at IS NULL OR OLD.ended_at > now() - interval '28 days')
    EXECUTE FUNCTION refuse_change('Messages are kept for four weeks: cancel what should not go.');
CREATE TRIGGER message_no_truncate BEFORE TRUNCATE ON message FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Messages are kept for four weeks.');

CREATE FUNCTION note_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY corrente_message;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_message() IS 'A hint to the workers beside their poll.';
CREATE TRIGGER message_change_insert AFTER INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION note_message();

CREATE TYPE message_happening AS ENUM ('sent', 'deferred', 'in_doubt', 'held', 'failed', 'withheld', 'cancelled', 'delayed', 'bounced', 'delivered', 'again');
COMMENT ON TYPE message_happening IS 'Deferred: refused for now. Held: quiet hours or the limit of sending. Delayed, bounced and delivered are said by the other side later; again: a person had it sent once more.';
CREATE TABLE message_event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id bigint NOT NULL REFERENCES message ON DELETE CASCADE,
    at         timestamptz NOT NULL DEFAULT now(),
    happened   message_happening NOT NULL,
    detail     text NOT NULL DEFAULT '',
    made_by    text NOT NULL CHECK (made_by <> '')
);
COMMENT ON TABLE message_event IS 'What became of a message, in the other side''s words: the evidence. It goes with the message.';
CREATE INDEX message_event_of ON message_event (message_id, id);
CREATE TRIGGER message_event_never_changes BEFORE UPDATE ON message_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What happened stays as it was written.');

CREATE TABLE undeliverable_address (
    channel    text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    address    text NOT NULL CHECK (address <> '' AND address = lower(address)),
    since      timestamptz NOT NULL DEFAULT now(),
    reason     text NOT NULL CHECK (reason <> ''),
    message_id bigint REFERENCES message ON DELETE SET NULL,
    PRIMARY KEY (channel, address)
);
COMMENT ON TABLE undeliverable_address IS 'Addresses that do not exist, by the word of the server for them: nothing more is sent there until a person says otherwise or the contact has another.';

CREATE TABLE message_template (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint REFERENCES issuer,
    kind      text NOT NULL CHECK (kind ~ '^[a-z0-9_]{1,40}$'),
    language  spoken_language NOT NULL,
    version   integer NOT NULL CHECK (version >= 1),
    subject   text CHECK (length(subject) BETWEEN 1 AND 1000),
    body      text CHECK (length(body) BETWEEN 1 AND 20000),
    html      text CHECK (length(html) BETWEEN 1 AND 100000),
    made_by   text NOT NULL CHECK (made_by <> ''),
    made_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT message_template_version_once UNIQUE NULLS NOT DISTINCT (issuer_id, kind, language, version),
    CONSTRAINT message_template_whole_or_none CHECK ((subject IS NULL) = (body IS NULL) AND (html IS NULL OR body IS NOT NULL))
);
COMMENT ON TABLE message_template IS 'The operator''s own texts, for all issuers or one. The last version counts; without a text it goes back to the package''s. Append-only.';
CREATE TRIGGER message_template_append_only BEFORE UPDATE OR DELETE ON message_template FOR EACH ROW EXECUTE FUNCTION refuse_change('Write the next version.');

GRANT SELECT ON message, message_event, message_batch, undeliverable_address, message_template TO corrente_worker, corrente_web;
GRANT INSERT ON message, message_event, message_batch TO corrente_worker, corrente_web;
GRANT UPDATE (state, next_at, attempts, taken_until, handed_at, ended_at, problem, contact_id, address, template_version, reference, written_at, subject, body, html), DELETE ON message TO corrente_worker;
GRANT UPDATE (state, next_at, ended_at, problem) ON message TO corrente_web;
GRANT UPDATE (cancelled_at, cancelled_by) ON message_batch TO corrente_web;
GRANT INSERT, UPDATE, DELETE ON undeliverable_address TO corrente_worker, corrente_web;
GRANT INSERT ON message_template TO corrente_web;

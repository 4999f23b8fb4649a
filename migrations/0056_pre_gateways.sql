-- Gateways: who collects for an issuer, what they were asked, what they told, what they paid out.
-- ---------------------------------------------------------------------------------------------------------------
-- Gateways: who collects for an issuer, what they were asked, what they told, what they paid out
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE gateway_account (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id             bigint NOT NULL,
    method_id             bigint NOT NULL,
    name                  text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    provider              text NOT NULL CHECK (provider ~ '^[a-z][a-z0-9_]{0,39}$'),
    live                  boolean NOT NULL,
    base_url              text NOT NULL CHECK (base_url ~ '^https?://[A-Za-z0-9.:\[\]-]+$'),
    sealed_secret         bytea NOT NULL CHECK (octet_length(sealed_secret) > 32),
    sealed_webhook_secret bytea NOT NULL CHECK (octet_length(sealed_webhook_secret) > 32),
    token                 text NOT NULL CHECK (token ~ '^[A-Za-z0-9_-]{32,64}$'),
    return_url            text CHECK (return_url ~ '^https?://[^[:space:]]+$'),
    enabled               boolean NOT NULL DEFAULT true,
    asked_to              timestamptz NOT NULL DEFAULT now(),
    problem               text NOT NULL DEFAULT '',
    made_at               timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_account_name_once UNIQUE (name),
    CONSTRAINT gateway_account_token_once UNIQUE (token),
    CONSTRAINT gateway_account_method_of_issuer FOREIGN KEY (method_id, issuer_id) REFERENCES payment_method (id, issuer_id)
);
COMMENT ON TABLE gateway_account IS 'An issuer''s account with a payment provider. What comes through it is paid by its method and lies on that method''s clearing account until it is paid out.';
COMMENT ON COLUMN gateway_account.live IS 'Real money; otherwise the provider''s test mode. What tells of the other one is refused.';
COMMENT ON COLUMN gateway_account.base_url IS 'Where it is asked: the provider''s own address, or one that [gateways] test_hosts names.';
COMMENT ON COLUMN gateway_account.sealed_secret IS 'What we ask it with; see radius_hooks/sealing.py.';
COMMENT ON COLUMN gateway_account.sealed_webhook_secret IS 'What it signs with, under a key of its own: who takes notices in can open nothing else.';
COMMENT ON COLUMN gateway_account.token IS 'The end of the address that it sends notices to.';
COMMENT ON COLUMN gateway_account.return_url IS 'Where a person goes on who has paid or signed at the provider.';
COMMENT ON COLUMN gateway_account.asked_to IS 'Up to when the provider was asked for what it may have told in vain.';

CREATE TABLE webhook_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    at         timestamptz NOT NULL DEFAULT now(),
    headers    jsonb NOT NULL,
    body       bytea NOT NULL,
    verdict    text CHECK (verdict IN ('verified', 'refused')),
    reason     text NOT NULL DEFAULT ''
);
COMMENT ON TABLE webhook_log IS 'What came in at an account''s address, raw, before anything was made of it. Only the verdict is added, once.';
COMMENT ON COLUMN webhook_log.verdict IS 'NULL: not judged yet; whoever was to do it has died, and the worker does.';
CREATE INDEX webhook_log_unjudged ON webhook_log (id) WHERE verdict IS NULL;
CREATE INDEX webhook_log_at ON webhook_log (at);
CREATE TRIGGER webhook_log_stays BEFORE UPDATE ON webhook_log FOR EACH ROW
    WHEN (OLD.verdict IS NOT NULL OR (OLD.account_id, OLD.at, OLD.headers, OLD.body) IS DISTINCT FROM (NEW.account_id, NEW.at, NEW.headers, NEW.body))
    EXECUTE FUNCTION refuse_change('What came in stays as it came.');

CREATE TABLE gateway_notice (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    topic      text NOT NULL CHECK (length(topic) BETWEEN 1 AND 100),
    ref        text NOT NULL CHECK (length(ref) BETWEEN 1 AND 200),
    happened   timestamptz NOT NULL,
    webhook_id bigint REFERENCES webhook_log ON DELETE SET NULL,
    told_at    timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at    timestamptz NOT NULL DEFAULT now(),
    problem    text NOT NULL DEFAULT '',
    done_at    timestamptz,
    outcome    text NOT NULL DEFAULT '',
    CONSTRAINT gateway_notice_once UNIQUE (account_id, key)
);
COMMENT ON TABLE gateway_notice IS 'That something happened at a provider, once however often it is told. The row is the job: the worker asks the provider what it is and records that.';
COMMENT ON COLUMN gateway_notice.key IS 'The provider''s own number of the event.';
COMMENT ON COLUMN gateway_notice.topic IS 'In the provider''s words: charge.refunded, payments.failed.';
COMMENT ON COLUMN gateway_notice.ref IS 'What it is about, as the provider numbers it.';
COMMENT ON COLUMN gateway_notice.webhook_id IS 'What told it first; NULL: nobody, it was found by asking.';
CREATE INDEX gateway_notice_due ON gateway_notice (next_at, id) WHERE done_at IS NULL;

CREATE TYPE gateway_charge_state AS ENUM ('open', 'presented', 'pending', 'paid', 'partly_refunded', 'refunded', 'reversed', 'disputed', 'failed', 'expired', 'withdrawn');
COMMENT ON TYPE gateway_charge_state IS 'Worked out from what was presented and all events, whatever the order in which they were told.';

CREATE TABLE gateway_charge (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          text NOT NULL CHECK (key ~ '^[A-Za-z0-9_-]{16,60}$'),
    account_id   bigint NOT NULL REFERENCES gateway_account,
    customer_id  bigint NOT NULL REFERENCES customer,
    document_id  bigint REFERENCES document,
    currency     currency_code NOT NULL,
    amount       numeric(16, 3) NOT NULL,
    words        text NOT NULL CHECK (words <> ''),
    state        gateway_charge_state NOT NULL DEFAULT 'open',
    withdrawn_at timestamptz,
    made_by      text NOT NULL CHECK (made_by <> ''),
    made_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_charge_key_once UNIQUE (key),
    CONSTRAINT gateway_charge_is_an_amount CHECK (amount > 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE gateway_charge IS 'What a customer is asked to pay through a gateway: an invoice, or an amount.';
COMMENT ON COLUMN gateway_charge.key IS 'Ours; the provider is told it with everything, keeps it, and gives it back.';
CREATE INDEX gateway_charge_document ON gateway_charge (document_id) WHERE document_id IS NOT NULL;
CREATE INDEX gateway_charge_customer ON gateway_charge (customer_id);

CREATE TYPE mandate_state AS ENUM ('created', 'active', 'cancelled', 'failed', 'expired');
COMMENT ON TYPE mandate_state IS 'Active alone lets us collect.';

CREATE TABLE mandate (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES gateway_account,
    customer_id bigint NOT NULL REFERENCES customer,
    ref         text CHECK (length(ref) BETWEEN 1 AND 200),
    state       mandate_state NOT NULL DEFAULT 'created',
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mandate_ref_once UNIQUE (account_id, ref)
);
COMMENT ON TABLE mandate IS 'A customer''s authority to collect by direct debit through an account.';
COMMENT ON COLUMN mandate.ref IS 'As the provider numbers it; NULL until the customer has signed.';
CREATE INDEX mandate_customer ON mandate (customer_id);

CREATE TYPE presentment_kind AS ENUM ('link', 'mandate', 'debit', 'refund');
COMMENT ON TYPE presentment_kind IS 'A page to pay on, a page to sign a mandate on, a debit under a mandate, money given back.';
CREATE TYPE presentment_state AS ENUM ('asked', 'presented', 'refused', 'withdrawn');
COMMENT ON TYPE presentment_state IS 'Asked: the provider may have done it or not, and is asked again under the same key until it says.';

CREATE TABLE presentment (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    kind       presentment_kind NOT NULL,
    key        text NOT NULL CHECK (key ~ '^[A-Za-z0-9_-]{16,60}$'),
    charge_id  bigint REFERENCES gateway_charge,
    mandate_id bigint REFERENCES mandate,
    payment_id bigint REFERENCES payment,
    amount     numeric(16, 3) CHECK (amount > 0),
    reason     text NOT NULL DEFAULT '',
    state      presentment_state NOT NULL DEFAULT 'asked',
    value      text CHECK (value ~ '^https?://[^[:space:]]+$'),
    ref        text CHECK (length(ref) BETWEEN 1 AND 200),
    expires_at timestamptz,
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at    timestamptz NOT NULL DEFAULT now(),
    problem    text NOT NULL DEFAULT '',
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT presentment_key_once UNIQUE (key),
    CONSTRAINT presentment_is_of_its_kind CHECK ((kind IN ('link', 'debit')) = (charge_id IS NOT NULL) AND (kind IN ('mandate', 'debit')) = (mandate_id IS NOT NULL)
        AND (kind = 'refund') = (payment_id IS NOT NULL) AND (kind = 'refund') = (amount IS NOT NULL))
);
COMMENT ON TABLE presentment IS 'What a provider was asked to do, written before it is asked: who dies in between finds it again, and the key makes a repeat harmless. The row is the job.';
COMMENT ON COLUMN presentment.value IS 'The page that the customer opens.';
COMMENT ON COLUMN presentment.ref IS 'As the provider numbers it.';
CREATE INDEX presentment_due ON presentment (next_at, id) WHERE state = 'asked';
CREATE INDEX presentment_charge ON presentment (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX presentment_ref ON presentment (account_id, ref) WHERE ref IS NOT NULL;

CREATE TYPE payment_event_kind AS ENUM ('pending', 'paid', 'failed', 'expired', 'reversed', 'refunded', 'refund_failed', 'disputed', 'dispute_won', 'returned', 'settled');
COMMENT ON TYPE payment_event_kind IS 'What happens to a payment at a provider, in one set of words for all of them.';

CREATE TABLE payment_event (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES gateway_account,
    key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    kind          payment_event_kind NOT NULL,
    payment_key   text NOT NULL CHECK (length(payment_key) BETWEEN 1 AND 200),
    part_key      text CHECK (length(part_key) BETWEEN 1 AND 200),
    currency      currency_code NOT NULL,
    amount        numeric(16, 3) NOT NULL,
    happened      timestamptz NOT NULL,
    value_on      date NOT NULL,
    charge_id     bigint REFERENCES gateway_charge,
    customer_id   bigint REFERENCES customer,
    payer         text CHECK (length(payer) BETWEEN 1 AND 400),
    reason_code   text CHECK (reason_code ~ '^[A-Za-z0-9_.-]{1,40}$'),
    reason        text NOT NULL DEFAULT '',
    notice_id     bigint REFERENCES gateway_notice,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_event_once UNIQUE (account_id, key),
    CONSTRAINT payment_event_is_an_amount CHECK (amount >= 0 AND amount = round(amount, currency_places(currency)))
);
COMMENT ON TABLE payment_event IS 'What a provider said happened, read back from it. Written together with what it does to the books. Append-only; what a payment is follows from all of its events, not from the last.';
COMMENT ON COLUMN payment_event.payment_key IS 'Which payment, as the provider numbers it.';
COMMENT ON COLUMN payment_event.part_key IS 'Which refund or dispute of it.';
COMMENT ON COLUMN payment_event.happened IS 'By the provider''s clock.';
CREATE INDEX payment_event_payment ON payment_event (account_id, payment_key);
CREATE INDEX payment_event_charge ON payment_event (charge_id) WHERE charge_id IS NOT NULL;
CREATE TRIGGER payment_event_append_only BEFORE UPDATE OR DELETE ON payment_event FOR EACH ROW EXECUTE FUNCTION refuse_change('What a provider said stays: what takes it back is another event.');
CREATE TRIGGER payment_event_no_truncate BEFORE TRUNCATE ON payment_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What a provider said stays.');

CREATE TABLE payout (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES gateway_account,
    ref         text NOT NULL CHECK (length(ref) BETWEEN 1 AND 200),
    currency    currency_code NOT NULL,
    amount      numeric(16, 3) NOT NULL,
    fee         numeric(16, 3) NOT NULL,
    arrives_on  date NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payout_once UNIQUE (account_id, ref),
    CONSTRAINT payout_is_amounts CHECK (amount = round(amount, currency_places(currency)) AND fee = round(fee, currency_places(currency)))
);
COMMENT ON TABLE payout IS 'What a provider sent to the bank, with its entry: bank and fees against clearing. Append-only.';
COMMENT ON COLUMN payout.fee IS 'What it kept of the payments in it.';
CREATE TRIGGER payout_append_only BEFORE UPDATE OR DELETE ON payout FOR EACH ROW EXECUTE FUNCTION refuse_change('What was paid out stays: a failed payout has a row of its own.');
CREATE TRIGGER payout_no_truncate BEFORE TRUNCATE ON payout FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was paid out stays.');

CREATE TABLE payout_line (
    payout_id   bigint NOT NULL REFERENCES payout,
    number      integer NOT NULL CHECK (number >= 1),
    kind        text NOT NULL CHECK (kind IN ('payment', 'refund', 'return', 'fee', 'other')),
    payment_key text CHECK (length(payment_key) BETWEEN 1 AND 200),
    amount      numeric(16, 3) NOT NULL,
    fee         numeric(16, 3) NOT NULL DEFAULT 0,
    PRIMARY KEY (payout_id, number)
);
COMMENT ON TABLE payout_line IS 'What a payout is made of, as the provider lists it. Append-only.';
CREATE INDEX payout_line_payment ON payout_line (payment_key) WHERE payment_key IS NOT NULL;
CREATE TRIGGER payout_line_append_only BEFORE UPDATE OR DELETE ON payout_line FOR EACH ROW EXECUTE FUNCTION refuse_change('What was paid out stays.');
CREATE TRIGGER payout_line_no_truncate BEFORE TRUNCATE ON payout_line FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was paid out stays.');

CREATE TABLE gateway_file (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES gateway_account,
    name       text NOT NULL CHECK (name <> ''),
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
    rows       integer NOT NULL CHECK (rows >= 0),
    findings   jsonb NOT NULL,
    made_by    text NOT NULL CHECK (made_by <> ''),
    made_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_file_once UNIQUE (account_id, digest)
);
COMMENT ON TABLE gateway_file IS 'A provider''s reconciliation file that was read, and what was found by it.';
COMMENT ON COLUMN gateway_file.digest IS 'SHA-256: the same file again changes nothing.';

GRANT SELECT ON gateway_account, webhook_log, gateway_notice, gateway_charge, mandate, presentment, payment_event, payout, payout_line, gateway_file TO corrente_worker;
GRANT SELECT (id, issuer_id, name, provider, live, token, enabled, sealed_webhook_secret) ON gateway_account TO corrente_web;
GRANT SELECT ON gateway_charge, mandate, presentment TO corrente_web;
GRANT SELECT (id), INSERT (account_id, headers, body), UPDATE (verdict, reason) ON webhook_log TO corrente_web;
GRANT INSERT (account_id, key, topic, ref, happened, webhook_id) ON gateway_notice TO corrente_web, corrente_worker;
-- What is known already is left as it is, and to see that takes this.
GRANT SELECT (account_id, key) ON gateway_notice TO corrente_web;
GRANT UPDATE (asked_to, problem) ON gateway_account TO corrente_worker;
GRANT UPDATE (verdict, reason), DELETE ON webhook_log TO corrente_worker;
GRANT UPDATE (attempts, next_at, problem, done_at, outcome), DELETE ON gateway_notice TO corrente_worker;
GRANT INSERT, UPDATE ON gateway_charge, mandate, presentment TO corrente_worker, corrente_web;
GRANT INSERT ON payment_event, payout, payout_line TO corrente_worker;

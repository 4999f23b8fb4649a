-- Webhooks: who is told of events by HTTP, and each delivery with its tries.
CREATE TYPE webhook_state AS ENUM ('waiting', 'delivered', 'parked');
COMMENT ON TYPE webhook_state IS 'How far a webhook''s delivery is: tried until it is taken, or parked after three days until a person sends it again.';

CREATE TABLE webhook_endpoint (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name              text NOT NULL CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    url               text NOT NULL CHECK (url ~ '^https?://[!-~]+$' AND length(url) <= 2000),
    events            text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 100),
    sealed_secret     bytea NOT NULL CHECK (octet_length(sealed_secret) > 32),
    sealed_old_secret bytea CHECK (octet_length(sealed_old_secret) > 32),
    old_secret_until  timestamptz,
    failing_since     timestamptz,
    disabled_at       timestamptz,
    disabled_why      text NOT NULL DEFAULT '',
    removed_at        timestamptz,
    made_by           text NOT NULL CHECK (made_by <> ''),
    made_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_endpoint_old_secret_ends CHECK ((sealed_old_secret IS NULL) = (old_secret_until IS NULL)),
    CONSTRAINT webhook_endpoint_disabled_has_reason CHECK ((disabled_at IS NULL) = (disabled_why = ''))
);
COMMENT ON TABLE webhook_endpoint IS 'Who is told of events by HTTP, of which, and with what secret it is signed. A removed one stays as long as what was sent to it.';
COMMENT ON COLUMN webhook_endpoint.sealed_old_secret IS 'The secret before: what is sent is signed with both until old_secret_until.';
COMMENT ON COLUMN webhook_endpoint.failing_since IS 'The first failure since it last took something.';
CREATE UNIQUE INDEX webhook_endpoint_name_once ON webhook_endpoint (name) WHERE removed_at IS NULL;

CREATE TABLE webhook_delivery (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id bigint NOT NULL REFERENCES webhook_endpoint,
    outbox_id   bigint,
    event_id    text NOT NULL CHECK (event_id <> ''),
    event       text NOT NULL CHECK (event ~ '^[a-z_]+\.[a-z_]+$'),
    contract_id bigint,
    version     bigint,
    body        bytea NOT NULL CHECK (octet_length(body) BETWEEN 2 AND 262144),
    state       webhook_state NOT NULL DEFAULT 'waiting',
    attempts    integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    began_at    timestamptz,
    next_at     timestamptz NOT NULL DEFAULT now(),
    problem     text NOT NULL DEFAULT '',
    made_at     timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT webhook_delivery_once UNIQUE (endpoint_id, outbox_id),
    CONSTRAINT webhook_delivery_contract_has_version CHECK ((contract_id IS NULL) = (version IS NULL)),
    CONSTRAINT webhook_delivery_ends CHECK ((state = 'waiting') = (ended_at IS NULL))
);
COMMENT ON TABLE webhook_delivery IS 'One event on its way to one endpoint, with the octets that are sent; those of a contract go in order of version.';
COMMENT ON COLUMN webhook_delivery.outbox_id IS 'The event in the outbox, which forgets it sooner; none for a test.';
COMMENT ON COLUMN webhook_delivery.began_at IS 'The first try, or the first one after a person sent it again: three days count from here.';
COMMENT ON COLUMN webhook_delivery.next_at IS 'Not tried before: a try moves it, so that one that nobody told the end of is made again.';
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_waiting_of_contract ON webhook_delivery (endpoint_id, contract_id, version) WHERE state = 'waiting' AND contract_id IS NOT NULL;
CREATE INDEX webhook_delivery_of_endpoint ON webhook_delivery (endpoint_id, id);
CREATE INDEX webhook_delivery_parked ON webhook_delivery (endpoint_id) WHERE state = 'parked';
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE webhook_attempt (
    delivery_id bigint NOT NULL REFERENCES webhook_delivery ON DELETE CASCADE,
    attempt     integer NOT NULL CHECK (attempt >= 1),
    at          timestamptz NOT NULL DEFAULT now(),
    took_s      double precision NOT NULL CHECK (took_s >= 0),
    address     inet,
    status      smallint CHECK (status BETWEEN 100 AND 999),
    problem     text NOT NULL DEFAULT '',
    answer      text NOT NULL DEFAULT '' CHECK (length(answer) <= 1000),
    PRIMARY KEY (delivery_id, attempt),
    CONSTRAINT webhook_attempt_says_how_it_went CHECK (status IS NOT NULL OR problem <> '')
);
COMMENT ON TABLE webhook_attempt IS 'Each try of a delivery: where it went, what was answered and how long that took.';
GRANT SELECT ON webhook_endpoint, webhook_delivery, webhook_attempt TO corrente_worker, corrente_web;
GRANT UPDATE (failing_since, disabled_at, disabled_why) ON webhook_endpoint TO corrente_worker;
GRANT INSERT, DELETE ON webhook_delivery, webhook_attempt TO corrente_worker;
GRANT UPDATE (state, attempts, began_at, next_at, problem, ended_at) ON webhook_delivery TO corrente_worker;

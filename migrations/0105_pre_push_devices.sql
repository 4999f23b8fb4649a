-- Notices on subscribers' devices (web push): the key, the devices, and messages to them.
CREATE TABLE push_key (
    id             smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    public_key     bytea NOT NULL CHECK (octet_length(public_key) = 65),
    sealed_private bytea NOT NULL CHECK (octet_length(sealed_private) > 32),
    made_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE push_key IS 'The one key by which push services know this installation (VAPID, RFC 8292). With another one every device has to be asked again.';

CREATE TABLE push_device (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    session_id  bigint REFERENCES portal_session ON DELETE SET NULL,
    endpoint    text NOT NULL CHECK (length(endpoint) BETWEEN 1 AND 2000),
    public_key  bytea NOT NULL CHECK (octet_length(public_key) = 65),
    auth_secret bytea NOT NULL CHECK (octet_length(auth_secret) = 16),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    made_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT push_device_endpoint_once UNIQUE (endpoint)
);
COMMENT ON TABLE push_device IS 'Browsers that show a customer''s notices (web push). Gone when the customer says so or signs out, or the push service says that it is.';
COMMENT ON COLUMN push_device.session_id IS 'In which it was asked for, and with whose end by a person it goes; one that ran out leaves it.';
COMMENT ON COLUMN push_device.endpoint IS 'Where its push service takes what is for it: who knows it reaches the device.';
CREATE INDEX push_device_by_customer ON push_device (customer_id, id);
CREATE INDEX push_device_by_session ON push_device (session_id);
ALTER TABLE message ADD COLUMN device_id bigint REFERENCES push_device ON DELETE SET NULL,
    ADD CONSTRAINT message_to_a_device_is_pushed CHECK (device_id IS NULL OR channel = 'push');
COMMENT ON COLUMN message.device_id IS 'The browser that a notice is for; without one its device is gone.';
CREATE INDEX message_of_device ON message (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX promise_open_until ON promise (until) WHERE state = 'open';
-- Notices on subscribers' devices: whoever writes a message writes one for each device.
GRANT SELECT (id, customer_id) ON push_device TO corrente_web;
GRANT SELECT, DELETE ON push_device TO corrente_worker;
GRANT SELECT, INSERT ON push_key TO corrente_worker;
GRANT INSERT, UPDATE ON push_device TO corrente_console;

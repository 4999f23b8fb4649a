-- What a session runs under by a later word than its login, kept when it is closed and reopened; the devices' own lists.
CREATE TYPE applied_source AS ENUM ('verified', 'device');
COMMENT ON TYPE applied_source IS 'How it is known what a session runs under since its login: a change that was verified, or the device''s own word when read.';
ALTER TABLE session
    ADD COLUMN applied_version bytea CONSTRAINT session_applied_version_check CHECK (octet_length(applied_version) = 8),
    ADD COLUMN applied_by applied_source,
    ADD COLUMN applied_at timestamptz,
    ADD CONSTRAINT session_applied_together CHECK ((applied_version IS NULL) = (applied_by IS NULL) AND (applied_by IS NULL) = (applied_at IS NULL));
COMMENT ON COLUMN session.applied_version IS 'What it runs under by a later word than its login; until there is one, policy_version. Accounting never writes it.';
COMMENT ON COLUMN session.applied_at IS 'When the change was verified, or the device was read.';
ALTER TYPE session_end ADD VALUE 'not_on_device';
COMMENT ON TYPE session_end IS 'Who said that the session is over; only stop is the device''s own word for this session, not_on_device its silence about it.';
ALTER TABLE closed_session
    ADD COLUMN applied_version bytea CONSTRAINT closed_session_applied_version_check CHECK (octet_length(applied_version) = 8),
    ADD COLUMN applied_by applied_source,
    ADD COLUMN applied_at timestamptz,
    ADD CONSTRAINT closed_session_applied_together CHECK ((applied_version IS NULL) = (applied_by IS NULL) AND (applied_by IS NULL) = (applied_at IS NULL));
COMMENT ON COLUMN closed_session.applied_version IS 'What it ran under when it was closed; a word that reopens it brings this back.';

CREATE TABLE device_reading (
    nas_id   bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    tried_at timestamptz NOT NULL,
    read_at  timestamptz,
    sessions integer NOT NULL DEFAULT 0 CHECK (sessions >= 0),
    problem  text NOT NULL DEFAULT '',
    held     text NOT NULL DEFAULT '',
    CONSTRAINT device_reading_done_or_why CHECK (read_at IS NOT NULL OR problem <> '')
);
COMMENT ON TABLE device_reading IS 'When each device''s own list of sessions was last read in full, and what stood against it since.';
COMMENT ON COLUMN device_reading.held IS 'Why the difference to accounting is left to a person: so much of it is a fault of the reading more likely than of the sessions.';

CREATE TABLE device_session (
    nas_id          bigint NOT NULL REFERENCES nas ON DELETE CASCADE,
    acct_session_id text NOT NULL CHECK (acct_session_id <> ''),
    username        text COLLATE "C" NOT NULL,
    framed_ipv4     inet CHECK (family(framed_ipv4) = 4),
    mac             text NOT NULL DEFAULT '' CHECK (mac ~ '^([0-9a-f]{12})?$'),
    since           timestamptz NOT NULL,
    own_key         uuid NOT NULL,
    PRIMARY KEY (nas_id, acct_session_id)
);
COMMENT ON TABLE device_session IS 'The last list read from each device; device_reading says when. Rows that stay are not written again.';
COMMENT ON COLUMN device_session.since IS 'Since when it is up: the device''s word, or the reading that saw it first.';
COMMENT ON COLUMN device_session.own_key IS 'Names the session when accounting knows none like it, as for an enforcement that cuts it.';

CREATE TABLE feed_position (
    reader   text PRIMARY KEY CHECK (reader ~ '^[a-z_]{1,64}$'),
    system   text NOT NULL,
    snapshot text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE feed_position IS 'How far each reader of the change feed within the control plane has come; a reader without a row looks at everything.';
GRANT SELECT, INSERT, UPDATE, DELETE ON device_reading, device_session, feed_position TO corrente_worker;
GRANT SELECT ON device_reading, device_session TO corrente_web;

-- Who may come into the console: staff, roles, sessions, second factors, tokens.
CREATE TABLE staff (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                 text NOT NULL CHECK (name ~ '^[A-Za-z0-9._@-]{1,64}$'),
    full_name            text NOT NULL CHECK (length(full_name) BETWEEN 1 AND 200 AND full_name !~ '[[:cntrl:]]'),
    email                text CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND length(email) <= 254),
    language             spoken_language,
    theme                text NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    password_hash        text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    password_changed_at  timestamptz NOT NULL,
    must_change_password boolean NOT NULL DEFAULT true,
    sealed_totp          bytea CHECK (octet_length(sealed_totp) > 32),
    totp_since           timestamptz,
    totp_last_step       bigint,
    enabled              boolean NOT NULL DEFAULT true,
    collector_id         bigint REFERENCES collector,
    agent_id             bigint REFERENCES agent,
    created_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT staff_totp_is_whole CHECK ((sealed_totp IS NULL) = (totp_since IS NULL) AND (totp_last_step IS NULL OR sealed_totp IS NOT NULL)),
    CONSTRAINT staff_is_collector_or_agent CHECK (collector_id IS NULL OR agent_id IS NULL)
);
COMMENT ON TABLE staff IS 'The operator''s people. Who left is disabled and stays: the audit log calls them by their name.';
COMMENT ON COLUMN staff.name IS 'What they sign in with, in any case of letters; what the audit log calls them.';
COMMENT ON COLUMN staff.language IS 'NULL: what the browser asks for.';
COMMENT ON COLUMN staff.password_hash IS 'Argon2id; of a one-time password, too.';
COMMENT ON COLUMN staff.must_change_password IS 'Until then nothing else is permitted.';
COMMENT ON COLUMN staff.totp_last_step IS 'The newest step whose code was taken: it and older ones are not taken again.';
COMMENT ON COLUMN staff.collector_id IS 'Sees only what is this collector''s.';
COMMENT ON COLUMN staff.agent_id IS 'Sees only what is this agent''s.';
CREATE UNIQUE INDEX staff_name_once ON staff (lower(name));
CREATE UNIQUE INDEX staff_email_once ON staff (lower(email));

CREATE TABLE staff_role (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name ~ '^[[:alnum:]._-]([[:alnum:] ._-]{0,62}[[:alnum:]._-])?$'),
    permissions text[] NOT NULL DEFAULT '{}',
    CONSTRAINT staff_role_name_once UNIQUE (name),
    CONSTRAINT staff_role_permissions_are_section_and_deed CHECK (every_item_matches(permissions, '^[a-z_]+\.[a-z_]+$'))
);
COMMENT ON TABLE staff_role IS 'A set of permissions under a name. What no role grants is refused.';
COMMENT ON COLUMN staff_role.permissions IS 'section.deed, as control_plane/access/permissions.py has them; one that this release does not know grants nothing.';

CREATE TABLE staff_has_role (
    staff_id bigint NOT NULL REFERENCES staff,
    role_id  bigint NOT NULL REFERENCES staff_role,
    PRIMARY KEY (staff_id, role_id)
);
COMMENT ON TABLE staff_has_role IS 'Who has which roles; their permissions add up.';
CREATE INDEX staff_has_role_by_role ON staff_has_role (role_id);

CREATE TABLE staff_session (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id         bigint NOT NULL REFERENCES staff,
    digest           bytea NOT NULL CHECK (octet_length(digest) = 32),
    csrf_secret      bytea NOT NULL CHECK (octet_length(csrf_secret) = 32),
    created_at       timestamptz NOT NULL,
    last_seen_at     timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    address          inet,
    browser          text NOT NULL DEFAULT '' CHECK (length(browser) <= 400),
    complete         boolean NOT NULL,
    second_factor_at timestamptz,
    ended_at         timestamptz,
    ended_why        text CHECK (ended_why IN ('signed_out', 'revoked', 'password', 'disabled', 'second_factor', 'used')),
    CONSTRAINT staff_session_digest_once UNIQUE (digest),
    CONSTRAINT staff_session_ends_after_it_began CHECK (ends_at > created_at),
    CONSTRAINT staff_session_ended_has_reason CHECK ((ended_at IS NULL) = (ended_why IS NULL))
);
COMMENT ON TABLE staff_session IS 'Sessions of the console. Of the token that the browser has only the SHA-256 is kept.';
COMMENT ON COLUMN staff_session.last_seen_at IS 'Written at most once a minute.';
COMMENT ON COLUMN staff_session.ends_at IS 'The latest end, however much it is used.';
COMMENT ON COLUMN staff_session.complete IS 'False: the password was right and the second factor is waited for; opens no page.';
CREATE INDEX staff_session_by_staff ON staff_session (staff_id, created_at);
CREATE INDEX staff_session_by_end ON staff_session (ends_at);

CREATE TABLE staff_passkey (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id      bigint NOT NULL REFERENCES staff,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    credential_id bytea NOT NULL CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    public_key    bytea NOT NULL CHECK (octet_length(public_key) BETWEEN 1 AND 4096),
    sign_count    bigint NOT NULL CHECK (sign_count >= 0),
    transports    text[] NOT NULL DEFAULT '{}' CHECK (every_item_matches(transports, '^[a-z-]{1,30}$')),
    added_at      timestamptz NOT NULL,
    last_used_at  timestamptz,
    CONSTRAINT staff_passkey_credential_once UNIQUE (credential_id),
    CONSTRAINT staff_passkey_name_once UNIQUE (staff_id, name)
);
COMMENT ON TABLE staff_passkey IS 'Public keys of devices and password managers that sign their holder in.';
COMMENT ON COLUMN staff_passkey.sign_count IS 'As the authenticator last said; one that does not count says 0. A smaller one is a copy''s and refused.';

CREATE TABLE passkey_challenge (
    digest    bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    challenge bytea NOT NULL CHECK (octet_length(challenge) >= 16),
    staff_id  bigint REFERENCES staff,
    ends_at   timestamptz NOT NULL
);
COMMENT ON TABLE passkey_challenge IS 'What a passkey is asked to sign, once: who answers takes the row away.';
COMMENT ON COLUMN passkey_challenge.staff_id IS 'Who adds a passkey, or shows one as a second factor; NULL: who signs in is not known yet.';
CREATE INDEX passkey_challenge_by_end ON passkey_challenge (ends_at);

CREATE TABLE staff_recovery_code (
    staff_id bigint NOT NULL REFERENCES staff,
    digest   bytea NOT NULL CHECK (octet_length(digest) = 32),
    used_at  timestamptz,
    PRIMARY KEY (staff_id, digest)
);
COMMENT ON TABLE staff_recovery_code IS 'Each stands in for the second factor once; shown when made, kept as SHA-256.';

CREATE TYPE sign_in_outcome AS ENUM ('in', 'wrong_password', 'wrong_code', 'unlocked');
COMMENT ON TYPE sign_in_outcome IS 'How a sign-in ended: wrong_password stands for an unknown or disabled name, too; unlocked is a person who let the name try again.';

CREATE TABLE sign_in_attempt (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    name_key bytea NOT NULL CHECK (octet_length(name_key) = 8),
    staff_id bigint REFERENCES staff,
    address  inet,
    outcome  sign_in_outcome NOT NULL
);
COMMENT ON TABLE sign_in_attempt IS 'Who tried to sign in: by name and by address it says how long the next try waits.';
COMMENT ON COLUMN sign_in_attempt.name_key IS 'The beginning of the SHA-256 of the name: people type their password there.';
COMMENT ON COLUMN sign_in_attempt.address IS 'In IPv6 the /64: one line has all of it.';
CREATE INDEX sign_in_attempt_by_name ON sign_in_attempt (name_key, at);
CREATE INDEX sign_in_attempt_by_address ON sign_in_attempt (address, at);
CREATE INDEX sign_in_attempt_by_time ON sign_in_attempt (at);

CREATE TABLE rate_window (
    what     text NOT NULL CHECK (what ~ '^[a-z_]{1,40}$'),
    key      bytea NOT NULL CHECK (octet_length(key) = 32),
    begins   timestamptz NOT NULL,
    count    integer NOT NULL CHECK (count > 0),
    PRIMARY KEY (what, key)
);
COMMENT ON TABLE rate_window IS 'How often somebody did something since its window began; key is a SHA-256 of who.';
CREATE INDEX rate_window_by_begin ON rate_window (begins);

CREATE TABLE password_reset (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id bigint NOT NULL REFERENCES staff,
    digest   bytea CHECK (octet_length(digest) = 32),
    address  inet,
    asked_at timestamptz NOT NULL,
    sent_at  timestamptz,
    ends_at  timestamptz NOT NULL,
    used_at  timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_at  timestamptz NOT NULL,
    problem  text NOT NULL DEFAULT '',
    CONSTRAINT password_reset_digest_once UNIQUE (digest),
    CONSTRAINT password_reset_ends CHECK (ends_at > asked_at),
    CONSTRAINT password_reset_used_was_sent CHECK (used_at IS NULL OR digest IS NOT NULL)
);
COMMENT ON TABLE password_reset IS 'Asked for, mailed by a worker, used once. The link''s token is made when it is mailed; its SHA-256 is kept.';
CREATE INDEX password_reset_by_staff ON password_reset (staff_id, asked_at);
CREATE INDEX password_reset_to_send ON password_reset (next_at) WHERE sent_at IS NULL AND used_at IS NULL;

CREATE TABLE api_token (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id     bigint NOT NULL REFERENCES staff,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    prefix       text NOT NULL CHECK (length(prefix) BETWEEN 4 AND 20),
    permissions  text[] NOT NULL,
    made_by      text NOT NULL CHECK (made_by <> ''),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT api_token_digest_once UNIQUE (digest),
    CONSTRAINT api_token_permissions_are_section_and_deed CHECK (every_item_matches(permissions, '^[a-z_]+\.[a-z_]+$')),
    CONSTRAINT api_token_expires_after_it_was_made CHECK (expires_at > created_at)
);
COMMENT ON TABLE api_token IS 'What a program shows instead of a session. Kept as SHA-256; it is shown when made and never again.';
COMMENT ON COLUMN api_token.prefix IS 'Its first characters, by which a person tells it from others.';
COMMENT ON COLUMN api_token.permissions IS 'No more than these, and no more than its holder has.';
CREATE INDEX api_token_by_staff ON api_token (staff_id);
CREATE UNIQUE INDEX api_token_name_once ON api_token (staff_id, name) WHERE revoked_at IS NULL;

CREATE TABLE saved_view (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    staff_id   bigint NOT NULL REFERENCES staff,
    page       text NOT NULL CHECK (page ~ '^[a-z0-9_.]{1,100}$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    query      text NOT NULL CHECK (length(query) <= 2000),
    is_default boolean NOT NULL DEFAULT false,
    CONSTRAINT saved_view_name_once UNIQUE (staff_id, page, name)
);
COMMENT ON TABLE saved_view IS 'How somebody likes to see a list: filters, columns and order, as the address of the page has them.';
CREATE UNIQUE INDEX saved_view_one_default ON saved_view (staff_id, page) WHERE is_default;
GRANT SELECT, INSERT, UPDATE ON staff, staff_role, staff_session, staff_recovery_code, password_reset, api_token, rate_window TO corrente_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON staff_passkey, saved_view TO corrente_console;
GRANT SELECT, INSERT, DELETE ON staff_has_role, passkey_challenge TO corrente_console;
GRANT DELETE ON staff_role, staff_recovery_code TO corrente_console;
GRANT SELECT, INSERT ON sign_in_attempt TO corrente_console;
-- The worker mails what a password is set anew with, and takes away what is over.
GRANT SELECT (id, name, full_name, email, language, enabled) ON staff TO corrente_worker;
GRANT SELECT, UPDATE (digest, sent_at, attempts, next_at, problem, ends_at), DELETE ON password_reset TO corrente_worker;
GRANT SELECT (id, ends_at), DELETE ON staff_session TO corrente_worker;
GRANT SELECT (at), DELETE ON sign_in_attempt TO corrente_worker;
GRANT SELECT (begins), DELETE ON rate_window TO corrente_worker;
GRANT SELECT (ends_at), DELETE ON passkey_challenge TO corrente_worker;

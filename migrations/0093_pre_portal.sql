-- 0093_pre_portal: subscribers come into the portal by a link or a password, and ask for another plan.
CREATE INDEX contact_by_email ON contact (lower(email)) WHERE email IS NOT NULL;
CREATE TABLE portal_access (
    customer_id   bigint PRIMARY KEY REFERENCES customer ON DELETE CASCADE,
    email         text NOT NULL CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    password_hash text CHECK (password_hash LIKE '$argon2id$%'),
    blocked_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE portal_access IS 'Customers who have come into the portal. The first time by a link to an address of theirs; without a password each time.';
COMMENT ON COLUMN portal_access.email IS 'Where the last link went that let them in: what they sign in with.';
COMMENT ON COLUMN portal_access.blocked_at IS 'Since when the office keeps them out.';
CREATE INDEX portal_access_by_email ON portal_access (lower(email));

CREATE TABLE portal_link (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    email       text NOT NULL,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    asked_at    timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    used_at     timestamptz,
    CONSTRAINT portal_link_digest_once UNIQUE (digest),
    CONSTRAINT portal_link_ends CHECK (ends_at > asked_at)
);
COMMENT ON TABLE portal_link IS 'Links by mail that let a customer into the portal once. Their SHA-256 is kept.';
CREATE INDEX portal_link_by_end ON portal_link (ends_at);

CREATE TABLE portal_session (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    csrf_secret  bytea NOT NULL CHECK (octet_length(csrf_secret) = 32),
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    ended_at     timestamptz,
    CONSTRAINT portal_session_digest_once UNIQUE (digest),
    CONSTRAINT portal_session_ends_after_it_began CHECK (ends_at > created_at)
);
COMMENT ON TABLE portal_session IS 'Sessions of customers in the portal. Of the token that the browser has only the SHA-256 is kept.';
CREATE INDEX portal_session_by_customer ON portal_session (customer_id, created_at);
CREATE INDEX portal_session_by_end ON portal_session (ends_at);

CREATE TABLE plan_request (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract ON DELETE CASCADE,
    plan_id     bigint NOT NULL REFERENCES plan,
    note        text CHECK (length(note) BETWEEN 1 AND 1000),
    asked_at    timestamptz NOT NULL DEFAULT now(),
    asked_by    text NOT NULL CHECK (asked_by <> ''),
    answered_at timestamptz,
    answered_by text CHECK (answered_by <> ''),
    accepted    boolean,
    answer      text CHECK (length(answer) BETWEEN 1 AND 1000),
    CONSTRAINT plan_request_answered_whole CHECK (num_nulls(answered_at, answered_by, accepted) IN (0, 3))
);
COMMENT ON TABLE plan_request IS 'A customer asks for another plan. Nothing changes by it: staff change the contract, and say here that they have, or why not.';
CREATE UNIQUE INDEX plan_request_one_open ON plan_request (contract_id) WHERE answered_at IS NULL;
CREATE INDEX plan_request_open ON plan_request (id) WHERE answered_at IS NULL;

-- The portal of subscribers; the worker takes away what is over.
GRANT SELECT, INSERT, UPDATE ON portal_access, portal_link, portal_session, plan_request TO corrente_console;
GRANT SELECT (id, ends_at), DELETE ON portal_link, portal_session TO corrente_worker;

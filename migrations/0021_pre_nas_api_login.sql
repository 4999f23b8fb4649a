-- How the RouterOS API of a NAS is shown the password. Under the release before nobody reads it.
ALTER TABLE nas
    ADD COLUMN api_login text NOT NULL DEFAULT 'auto' CHECK (api_login IN ('auto', 'challenge', 'clear'));
COMMENT ON COLUMN nas.api_login IS 'How its API is shown the password. auto: in clear under TLS, else to a challenge and in clear where that fails; challenge: never in clear.';

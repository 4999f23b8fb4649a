-- How each NAS is sent changes, and its RouterOS API access. Under the release before nobody reads these.
ALTER TABLE nas
    ADD COLUMN coa_source inet,
    ADD COLUMN coa_message_authenticator boolean NOT NULL DEFAULT true,
    ADD COLUMN coa_event_timestamp boolean NOT NULL DEFAULT true,
    ADD COLUMN coa_window smallint NOT NULL DEFAULT 16 CHECK (coa_window BETWEEN 1 AND 256),
    ADD COLUMN coa_rate_per_s integer NOT NULL DEFAULT 100 CHECK (coa_rate_per_s BETWEEN 1 AND 10000),
    ADD COLUMN api_address inet,
    ADD COLUMN api_port integer CHECK (api_port BETWEEN 1 AND 65535),
    ADD COLUMN api_tls boolean NOT NULL DEFAULT true,
    ADD COLUMN api_certificate bytea CHECK (octet_length(api_certificate) = 32),
    ADD COLUMN api_username text CHECK (octet_length(api_username) BETWEEN 1 AND 253 AND api_username !~ '[[:cntrl:]]'),
    ADD COLUMN sealed_api_password bytea,
    ADD CONSTRAINT nas_coa_source_is_host CHECK (masklen(coa_source) = CASE family(coa_source) WHEN 4 THEN 32 ELSE 128 END),
    ADD CONSTRAINT nas_coa_source_reaches CHECK (family(coa_source) = family(coalesce(coa_address, source))),
    ADD CONSTRAINT nas_api_address_is_host CHECK (masklen(api_address) = CASE family(api_address) WHEN 4 THEN 32 ELSE 128 END),
    ADD CONSTRAINT nas_api_password_sealed CHECK (octet_length(sealed_api_password) > 32),
    ADD CONSTRAINT nas_api_user_has_password CHECK ((api_username IS NULL) = (sealed_api_password IS NULL));
COMMENT ON COLUMN nas.coa_source IS 'Our address that CoA leaves from: a device answers only the ones it knows. Empty: what the routing table picks.';
COMMENT ON COLUMN nas.coa_message_authenticator IS 'CoA carries a Message-Authenticator (RFC 5176 section 3.4); off only for a device that refuses it.';
COMMENT ON COLUMN nas.coa_event_timestamp IS 'CoA carries an Event-Timestamp against replay (RFC 5176 section 6.3); off for a device whose clock is wrong: it would drop all, in silence.';
COMMENT ON COLUMN nas.coa_window IS 'How many requests may wait for an answer at once.';
COMMENT ON COLUMN nas.coa_rate_per_s IS 'How many new requests may begin in a second.';
COMMENT ON COLUMN nas.api_address IS 'Where its RouterOS API listens; where CoA goes when empty.';
COMMENT ON COLUMN nas.api_port IS '8729 with TLS and 8728 without when empty.';
COMMENT ON COLUMN nas.api_certificate IS 'SHA-256 of the one certificate that is trusted; empty: whatever the system''s authorities vouch for under its address.';
COMMENT ON COLUMN nas.api_username IS 'Empty: there is no API access.';

-- The access to the command line of a NAS. Under the release before nobody reads these.
ALTER TABLE nas
    ADD COLUMN ssh_address inet,
    ADD COLUMN ssh_port integer NOT NULL DEFAULT 22 CHECK (ssh_port BETWEEN 1 AND 65535),
    ADD COLUMN ssh_username text CHECK (octet_length(ssh_username) BETWEEN 1 AND 253 AND ssh_username !~ '[[:cntrl:]]'),
    ADD COLUMN sealed_ssh_password bytea,
    ADD COLUMN ssh_host_key text CHECK (octet_length(ssh_host_key) BETWEEN 40 AND 8192 AND ssh_host_key ~ '^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$'),
    ADD CONSTRAINT nas_ssh_address_is_host CHECK (masklen(ssh_address) = CASE family(ssh_address) WHEN 4 THEN 32 ELSE 128 END),
    ADD CONSTRAINT nas_ssh_password_sealed CHECK (octet_length(sealed_ssh_password) > 32),
    ADD CONSTRAINT nas_ssh_user_has_password CHECK ((ssh_username IS NULL) = (sealed_ssh_password IS NULL));
COMMENT ON COLUMN nas.ssh_address IS 'Where its command line is reached; where CoA goes when empty.';
COMMENT ON COLUMN nas.ssh_username IS 'Empty: its command line is not used.';
COMMENT ON COLUMN nas.ssh_host_key IS 'The one host key that a person confirmed, as in known_hosts without a name. Empty: nothing is sent there.';

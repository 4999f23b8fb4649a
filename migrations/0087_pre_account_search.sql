-- Accounts are found by a part of their username and by a MAC they are bound to.
CREATE INDEX subscriber_account_username_parts ON subscriber_account USING gin (username gin_trgm_ops);
CREATE INDEX subscriber_account_macs ON subscriber_account USING gin (macs) WHERE macs <> '{}';

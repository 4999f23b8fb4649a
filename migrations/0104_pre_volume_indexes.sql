-- How many accounts are bound to a NAS is asked for each NAS that is listed.
CREATE INDEX subscriber_account_nases ON subscriber_account USING gin (nas_ids) WHERE nas_ids <> '{}';

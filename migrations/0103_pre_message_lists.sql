-- The console's list of messages is asked for by state, kind, way, address and the moment of writing.
CREATE INDEX message_by_state ON message (state, id);
CREATE INDEX message_by_kind ON message (template, id);
CREATE INDEX message_by_channel ON message (channel, id);
CREATE INDEX message_by_address ON message (lower(address)) WHERE address IS NOT NULL;
CREATE INDEX message_by_moment ON message (made_at, id);

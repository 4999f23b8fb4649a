-- A bounce that came to no address of its own finds its message by the Message-ID, and not by reading all that were ever sent.
CREATE INDEX message_reference ON message (reference) WHERE reference IS NOT NULL;

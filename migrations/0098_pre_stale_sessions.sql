-- The sessions that have been silent for too long are few, and listed by themselves.
CREATE INDEX session_stale ON session (started_at) WHERE stale;

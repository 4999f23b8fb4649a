-- What each session carries now, which lists of a million of them are read in order, and changes that a person asks for.
ALTER TABLE session ADD COLUMN rate_in_bps bigint CHECK (rate_in_bps >= 0), ADD COLUMN rate_out_bps bigint CHECK (rate_out_bps >= 0);
COMMENT ON COLUMN session.rate_in_bps IS 'From the subscriber, on average between its last two records; NULL before there were two.';
CREATE INDEX session_by_start ON session (started_at);
CREATE INDEX session_of_nas ON session (nas_id, started_at);
CREATE INDEX session_line ON session (line text_pattern_ops) WHERE line <> '';
ALTER TABLE enforcement ADD COLUMN asked_by text CHECK (asked_by <> '');
COMMENT ON COLUMN enforcement.asked_by IS 'Who asked for it by hand: such a disconnect is wanted whatever the policy says, such a change though the session runs under it.';

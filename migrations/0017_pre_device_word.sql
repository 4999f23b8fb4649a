-- What a device shows its sessions to run under is kept, and is a later word than what was held.
ALTER TABLE device_session ADD COLUMN rate_down_bps bigint, ADD COLUMN rate_up_bps bigint, ADD COLUMN address_lists text[];
COMMENT ON COLUMN device_session.rate_down_bps IS 'As the device shows the session, 0 for no limit; NULL, as the lists, where it does not say.';
ALTER TABLE device_reading ADD COLUMN policies_held text NOT NULL DEFAULT '';
COMMENT ON COLUMN device_reading.policies_held IS 'Why what it shows its sessions to run under is not believed before a person says so.';
COMMENT ON TYPE applied_source IS 'How it is known what a session runs under since its login: a change that was verified, or the device''s own word since: another Class than before, or what it showed when read.';
COMMENT ON COLUMN session.applied_version IS 'What it runs under by a later word than its login; until there is one, policy_version. A revision of zeros fits no profile that is known.';
COMMENT ON COLUMN session.applied_at IS 'When the change was verified, the device was read, or its record with another Class was received.';

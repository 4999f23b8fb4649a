-- Where nothing differs that a device is told, its session follows without a packet.
ALTER TYPE applied_source ADD VALUE 'same';
COMMENT ON TYPE applied_source IS 'How it is known what a session runs under since its login: a change that was verified, the device''s own word since (another Class than before, or what it showed when read), or nothing differs that its device is told.';

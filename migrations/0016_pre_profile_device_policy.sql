-- The name that a profile has on devices which take names instead of rates.
ALTER TABLE profile ADD COLUMN device_policy text CHECK (device_policy ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$');
COMMENT ON COLUMN profile.device_policy IS 'Under which name devices that take names instead of rates (policy maps, SLA and QoS profiles, services) have this policy ready.';

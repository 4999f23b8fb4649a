-- The port of a session as its device names it, for devices that find a session by it. Under the release before nobody reads these.
ALTER TABLE session ADD COLUMN nas_port_id text NOT NULL DEFAULT '';
ALTER TABLE closed_session ADD COLUMN nas_port_id text NOT NULL DEFAULT '';
COMMENT ON COLUMN session.nas_port_id IS 'NAS-Port-Id as the device writes it, for changes that name it; empty where it is none or no plain text.';

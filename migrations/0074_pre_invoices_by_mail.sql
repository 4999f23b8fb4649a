-- The documents of a run go to their customers by mail when it is done, where the issuer wants that. Runs that are done by now were sent by hand, or not.
ALTER TABLE issuer ADD COLUMN mails_invoices boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN issuer.mails_invoices IS 'The documents of a run are mailed by themselves when it is done; otherwise a person sends them.';
ALTER TABLE billing_run ADD COLUMN mailed_at timestamptz;
COMMENT ON COLUMN billing_run.mailed_at IS 'When the last of its documents was queued to be mailed, or nothing of it goes by itself; NULL or before its end: not yet.';
CREATE INDEX billing_run_to_mail ON billing_run (id) WHERE state = 'done' AND (mailed_at IS NULL OR mailed_at < ended_at);
SELECT set_config('corrente.actor', 'migration 0074', true);
UPDATE billing_run SET mailed_at = ended_at WHERE state = 'done';

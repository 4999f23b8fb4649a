-- When a job that runs began, and how long it may take: so that one that hangs is seen.
ALTER TABLE scheduled_job
    ADD COLUMN started_at timestamptz,
    ADD COLUMN deadline_s double precision CONSTRAINT scheduled_job_deadline_s_check CHECK (deadline_s > 0);
COMMENT ON COLUMN scheduled_job.started_at IS 'When the run that has not ended began; older than deadline_s is a job that hangs, or a worker that died with no other to go on.';
COMMENT ON COLUMN scheduled_job.deadline_s IS 'What the job may take; a statement of it that runs longer is cancelled.';

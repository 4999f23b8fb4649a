-- One worker leads. The release before knows no leader: its workers go on taking jobs one by one beside it.
CREATE TABLE scheduler_lease (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    holder   text NOT NULL DEFAULT '',
    token    bigint NOT NULL DEFAULT 0,
    since    timestamptz NOT NULL DEFAULT 'epoch',
    until    timestamptz NOT NULL DEFAULT 'epoch'
);
COMMENT ON TABLE scheduler_lease IS 'Which worker leads: it alone runs the scheduled jobs and decides what the network should be. Over when until has passed by the clock of the database; then any worker may take it.';
COMMENT ON COLUMN scheduler_lease.holder IS 'Host, process and a random number of a worker''s start; a worker that starts anew is another.';
COMMENT ON COLUMN scheduler_lease.token IS 'Grows with each change of leader. A leader''s transaction compares it with scheduler_fence before it commits, so that one that was stopped for a while writes nothing after its successor came.';
INSERT INTO scheduler_lease DEFAULT VALUES;

CREATE TABLE scheduler_fence (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    token    bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE scheduler_fence IS 'The token of the lease, in a row that changes with the leader alone: its transactions lock it before they commit, and a renewal of the lease neither waits for them nor breaks a REPEATABLE READ one.';
INSERT INTO scheduler_fence DEFAULT VALUES;

CREATE FUNCTION refuse_lease_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.token > OLD.token OR (NEW.token = OLD.token AND NEW.holder = OLD.holder) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the lease of % has token %: another holder needs a greater one', OLD.holder, OLD.token
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse_lease_token() IS 'The lease changes hands only with a greater token.';
CREATE TRIGGER scheduler_lease_token_grows BEFORE UPDATE ON scheduler_lease FOR EACH ROW EXECUTE FUNCTION refuse_lease_token();
GRANT SELECT, UPDATE ON scheduler_lease, scheduler_fence TO corrente_worker;
GRANT SELECT ON scheduler_lease TO corrente_web;
COMMENT ON TABLE scheduled_job IS 'One row a job of the leading worker: when it is due and how its last run went. failed_at is emptied by the next success.';

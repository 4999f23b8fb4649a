-- The guard's tables, the runs of automation, and how contracts stood before each change.
CREATE TABLE automation_run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name ~ '^[a-z_]{1,64}$'),
    started_by  text NOT NULL CHECK (started_by <> ''),
    started_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    undone_at   timestamptz,
    undone_by   text CHECK (undone_by <> ''),
    undo_reason text CHECK (undo_reason <> ''),
    CONSTRAINT automation_run_ends_after_start CHECK (ended_at >= started_at),
    CONSTRAINT automation_run_undone_after_start CHECK (undone_at >= started_at),
    CONSTRAINT automation_run_undo_is_signed CHECK ((undone_at IS NULL) = (undone_by IS NULL) AND (undone_at IS NULL) = (undo_reason IS NULL))
);
COMMENT ON TABLE automation_run IS 'One run of something that restricts contracts without a person: what it placed names it, and can be lifted together.';
COMMENT ON COLUMN automation_run.started_by IS 'The worker or the person that started it.';

ALTER TABLE restriction
    ADD COLUMN run_id bigint REFERENCES automation_run,
    ADD COLUMN held_since timestamptz,
    ADD CONSTRAINT restriction_held_is_of_a_run CHECK (held_since IS NULL OR run_id IS NOT NULL);
COMMENT ON COLUMN restriction.run_id IS 'The automation_run that placed it; NULL: a person did.';
COMMENT ON COLUMN restriction.held_since IS 'Beyond what automation may restrict in an hour: it does not count until a person lets it go.';
CREATE INDEX restriction_run ON restriction (run_id) WHERE run_id IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- The guard: what automation may take away, and who let more go
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE guard_state (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    live_subscribers integer NOT NULL DEFAULT 0 CHECK (live_subscribers >= 0),
    counted_at       timestamptz,
    tripped_at       timestamptz,
    tripped_reason   text CHECK (tripped_reason <> ''),
    CONSTRAINT guard_state_trip_says_why CHECK ((tripped_at IS NULL) = (tripped_reason IS NULL))
);
COMMENT ON TABLE guard_state IS 'Whoever lets a disruptive change of automation go holds this row, so that any number of workers count as one.';
COMMENT ON COLUMN guard_state.live_subscribers IS 'Subscribers online at counted_at; counted again when that is some seconds old.';
COMMENT ON COLUMN guard_state.tripped_at IS 'Since when everything disruptive waits for a person.';
INSERT INTO guard_state DEFAULT VALUES;

CREATE TABLE guard_release (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    released_by text NOT NULL CHECK (released_by <> ''),
    reason      text NOT NULL CHECK (reason <> ''),
    changes     integer NOT NULL CHECK (changes >= 0)
);
COMMENT ON TABLE guard_release IS 'A person let go what the guard held, and why. Append-only.';
CREATE TRIGGER guard_release_append_only BEFORE UPDATE OR DELETE ON guard_release FOR EACH ROW EXECUTE FUNCTION refuse_change('Releases are append-only: write a new row.');
CREATE TRIGGER guard_release_no_truncate BEFORE TRUNCATE ON guard_release FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Releases are append-only: write a new row.');

CREATE TABLE guard_pass (
    enforcement_id bigint PRIMARY KEY,
    account_id     bigint,
    at             timestamptz NOT NULL,
    release_id     bigint REFERENCES guard_release
);
COMMENT ON TABLE guard_pass IS 'Disruptive changes of automation that were let go, once each: within the share (these count for an hour), or by a person''s release.';
CREATE INDEX guard_pass_counted ON guard_pass (at) WHERE release_id IS NULL;

CREATE TABLE guard_exemption (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    reason      text NOT NULL CHECK (reason <> ''),
    placed_by   text NOT NULL CHECK (placed_by <> ''),
    since       timestamptz NOT NULL DEFAULT now(),
    until       timestamptz NOT NULL,
    ended_at    timestamptz,
    ended_by    text CHECK (ended_by <> ''),
    CONSTRAINT guard_exemption_until_after_since CHECK (until > since),
    CONSTRAINT guard_exemption_ended_after_since CHECK (ended_at >= since),
    CONSTRAINT guard_exemption_end_is_signed CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
COMMENT ON TABLE guard_exemption IS 'Contracts that automation never cuts within [since, until), and why. A person still may.';
CREATE UNIQUE INDEX guard_exemption_one ON guard_exemption (contract_id) WHERE ended_at IS NULL;

CREATE TABLE network_stop (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason    text NOT NULL CHECK (reason <> ''),
    placed_by text NOT NULL CHECK (placed_by <> ''),
    since     timestamptz NOT NULL DEFAULT now(),
    ended_at  timestamptz,
    ended_by  text CHECK (ended_by <> ''),
    CONSTRAINT network_stop_ended_after_since CHECK (ended_at >= since),
    CONSTRAINT network_stop_end_is_signed CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
COMMENT ON TABLE network_stop IS 'While one has not ended, nothing is sent to any access device.';
CREATE UNIQUE INDEX network_stop_one ON network_stop ((true)) WHERE ended_at IS NULL;

CREATE TABLE nas_maintenance (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nas_id    bigint NOT NULL REFERENCES nas ON DELETE CASCADE,
    reason    text NOT NULL CHECK (reason <> ''),
    placed_by text NOT NULL CHECK (placed_by <> ''),
    since     timestamptz NOT NULL DEFAULT now(),
    until     timestamptz,
    ended_at  timestamptz,
    ended_by  text CHECK (ended_by <> ''),
    CONSTRAINT nas_maintenance_until_after_since CHECK (until > since),
    CONSTRAINT nas_maintenance_ended_after_since CHECK (ended_at >= since),
    CONSTRAINT nas_maintenance_end_is_signed CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
COMMENT ON TABLE nas_maintenance IS 'Within [since, until) nothing is sent to that access device; no until: until a person ends it.';
CREATE UNIQUE INDEX nas_maintenance_one ON nas_maintenance (nas_id) WHERE ended_at IS NULL;

-- ---------------------------------------------------------------------------------------------------------------
-- What was: the rows that decide a policy, as they stood before each change
-- ---------------------------------------------------------------------------------------------------------------
CREATE TYPE history_kind AS ENUM ('contract', 'plan', 'profile', 'account', 'restriction', 'relief');
COMMENT ON TYPE history_kind IS 'Whose row: contract.id, plan.id, profile.id, subscriber_account.id, restriction.id, relief.id.';

CREATE TABLE row_history (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind    history_kind NOT NULL,
    key     bigint NOT NULL,
    until   timestamptz NOT NULL,
    by_role text NOT NULL DEFAULT session_user,
    content jsonb NOT NULL CHECK (jsonb_typeof(content) = 'object')
);
COMMENT ON TABLE row_history IS 'How a row stood until it was changed; the present is in its table, so what never changed costs nothing. Written by triggers, append-only, without secrets.';
COMMENT ON COLUMN row_history.until IS 'At an instant a row stood as the first of its history with a later until says, else as it stands now.';
COMMENT ON COLUMN row_history.by_role IS 'The database role of the connection that changed it; who typed stands in audit_log.';
CREATE INDEX row_history_of ON row_history (kind, key, until, id);
CREATE TRIGGER row_history_append_only BEFORE UPDATE OR DELETE ON row_history FOR EACH ROW EXECUTE FUNCTION refuse_change('History is append-only.');
CREATE TRIGGER row_history_no_truncate BEFORE TRUNCATE ON row_history FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('History is append-only.');

CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
-- Argument: the kind.
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO row_history (kind, key, until, content)
            SELECT TG_ARGV[0]::history_kind, o.id, clock_timestamp(), to_jsonb(o) - 'sealed_secret' FROM old_rows AS o;
    ELSE
        INSERT INTO row_history (kind, key, until, content)
            SELECT TG_ARGV[0]::history_kind, o.id, clock_timestamp(), to_jsonb(o) - 'sealed_secret' FROM old_rows AS o JOIN new_rows AS n USING (id)
            WHERE to_jsonb(o) - 'sealed_secret' <> to_jsonb(n) - 'sealed_secret';
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION keep_history() FROM PUBLIC;
COMMENT ON FUNCTION keep_history() IS 'One statement, one insert into row_history of the rows that it changed or deleted, as they stood.';

DO $$
DECLARE
    kept text[];
BEGIN
    FOREACH kept SLICE 1 IN ARRAY ARRAY[['contract', 'contract'], ['plan', 'plan'], ['profile', 'profile'], ['subscriber_account', 'account'],
        ['restriction', 'restriction'], ['relief', 'relief']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_history(%L)',
            kept[1] || '_history_update', kept[1], kept[2]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_history(%L)',
            kept[1] || '_history_delete', kept[1], kept[2]);
    END LOOP;
END
$$;

GRANT SELECT ON guard_state, guard_release, guard_pass, guard_exemption, network_stop, nas_maintenance, automation_run, row_history TO corrente_worker, corrente_web;
GRANT INSERT, DELETE ON guard_pass TO corrente_worker;
GRANT UPDATE ON guard_state TO corrente_worker;
GRANT INSERT, UPDATE ON automation_run TO corrente_worker;

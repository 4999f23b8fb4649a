-- What each account should have now, dated plan changes, hours with another profile, steps and top-ups of a quota.
CREATE FUNCTION window_minutes(begins time, ends time) RETURNS int4multirange LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN b < e THEN int4multirange(int4range(b, e)) ELSE int4multirange(int4range(b, 1440), int4range(0, e)) END
    FROM (SELECT (extract(epoch FROM begins) / 60)::integer AS b, (extract(epoch FROM ends) / 60)::integer AS e) AS minutes
$$;
COMMENT ON FUNCTION window_minutes(time, time) IS 'The minutes of a day that lie in a window; one that ends at or before its beginning goes over midnight.';

CREATE TABLE plan_window (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id    bigint NOT NULL REFERENCES plan ON DELETE CASCADE,
    begins     time NOT NULL,
    ends       time NOT NULL,
    profile_id bigint NOT NULL REFERENCES profile,
    CONSTRAINT plan_window_has_length CHECK (begins <> ends),
    CONSTRAINT plan_window_whole_minutes CHECK (extract(second FROM begins) = 0 AND extract(second FROM ends) = 0 AND begins < '24:00' AND ends < '24:00'),
    CONSTRAINT plan_window_one_at_a_time EXCLUDE USING gist (plan_id WITH =, (window_minutes(begins, ends)) WITH &&)
);
COMMENT ON TABLE plan_window IS 'Hours of every day in which a plan in full means another profile, such as a faster night. Clock times of the billing zone.';
COMMENT ON COLUMN plan_window.ends IS 'First minute that is no longer in it; at or before `begins`, that of the next day.';
COMMENT ON COLUMN plan_window.profile_id IS 'In the place of plan.profile_id; who is throttled or walled stays so.';

CREATE TYPE quota_action AS ENUM ('notice', 'throttle');
COMMENT ON TYPE quota_action IS 'What happens at a share of a quota: the subscriber is told, or throttled until the month ends.';

CREATE TABLE quota_step (
    plan_id bigint NOT NULL REFERENCES plan ON DELETE CASCADE,
    percent smallint NOT NULL CHECK (percent BETWEEN 1 AND 1000),
    action  quota_action NOT NULL,
    PRIMARY KEY (plan_id, percent)
);
COMMENT ON TABLE quota_step IS 'What happens at which share of the quota (profile.quota_octets and the top-ups in force). A plan without rows has a notice at 80 and throttle at 100.';
CREATE UNIQUE INDEX quota_step_one_throttle ON quota_step (plan_id) WHERE action = 'throttle';

CREATE TABLE plan_change (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id  bigint NOT NULL REFERENCES contract,
    plan_id      bigint NOT NULL REFERENCES plan,
    effective_on date NOT NULL,
    placed_by    text NOT NULL CHECK (placed_by <> ''),
    placed_at    timestamptz NOT NULL DEFAULT now(),
    applied_at   timestamptz,
    CONSTRAINT plan_change_one_a_day UNIQUE (contract_id, effective_on)
);
COMMENT ON TABLE plan_change IS 'A contract''s plan from a day on. It counts from that day''s first moment, whenever the worker writes it into the contract.';
COMMENT ON COLUMN plan_change.effective_on IS 'First day of the new plan, in the billing zone.';
COMMENT ON COLUMN plan_change.applied_at IS 'When it was written into contract.plan_id; until then the contract holds the plan before.';
CREATE INDEX plan_change_waiting ON plan_change (effective_on) WHERE applied_at IS NULL;
CREATE INDEX plan_change_waiting_plan ON plan_change (plan_id) WHERE applied_at IS NULL;
CREATE TRIGGER plan_change_applied_is_final BEFORE UPDATE OR DELETE ON plan_change FOR EACH ROW WHEN (OLD.applied_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change('An applied plan change is history: place a new one.');

CREATE TABLE data_topup (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    account_id  bigint REFERENCES subscriber_account ON DELETE CASCADE,
    octets      bigint NOT NULL CHECK (octets > 0),
    since       timestamptz NOT NULL DEFAULT now(),
    until       timestamptz NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    placed_by   text NOT NULL CHECK (placed_by <> ''),
    CONSTRAINT data_topup_until_after_since CHECK (until > since)
);
COMMENT ON TABLE data_topup IS 'Octets beyond the quota while `[since, until)` lasts, in each quota month that it touches; it lifts the throttle at once.';
COMMENT ON COLUMN data_topup.account_id IS 'The account it is for; NULL: each account of the contract.';
CREATE INDEX data_topup_contract ON data_topup (contract_id, until);
CREATE INDEX data_topup_account ON data_topup (account_id) WHERE account_id IS NOT NULL;

CREATE INDEX usage_day_by_day ON usage_day (day);

CREATE TABLE late_usage (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL
);
COMMENT ON TABLE late_usage IS 'Accounts with usage for a day that the count of quotas may have closed: counted anew at its next run, which removes the rows.';

CREATE FUNCTION note_late_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO late_usage (account_id) VALUES (NEW.account_id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_late_usage() IS 'Says that a past day of an account has more usage now.';
-- The count closes a day three days after it (control_plane/quota.py): a day apart, for zones and transactions across midnight.
CREATE TRIGGER usage_day_notes_late AFTER INSERT OR UPDATE ON usage_day FOR EACH ROW
    WHEN (NEW.day < (now() AT TIME ZONE 'UTC')::date - 1) EXECUTE FUNCTION note_late_usage();

CREATE TABLE quota_usage (
    account_id     bigint PRIMARY KEY,
    month          date NOT NULL CHECK (extract(day FROM month) = 1),
    counted_before date NOT NULL,
    octets         bigint NOT NULL CHECK (octets >= 0),
    CONSTRAINT quota_usage_within_month CHECK (counted_before BETWEEN month AND month + interval '1 month')
);
COMMENT ON TABLE quota_usage IS 'Running count of the quota month for accounts that have a quota: octets both ways in the days from `month` until before `counted_before`, which are closed. The days since are read from usage_day.';

CREATE TABLE quota_event (
    account_id bigint NOT NULL,
    month      date NOT NULL CHECK (extract(day FROM month) = 1),
    percent    smallint NOT NULL CHECK (percent BETWEEN 1 AND 1000),
    action     quota_action NOT NULL,
    octets     bigint NOT NULL CHECK (octets >= 0),
    allowed    bigint NOT NULL CHECK (allowed > 0),
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, month, percent)
);
COMMENT ON TABLE quota_event IS 'A step of the quota reached, once an account, month and step: what a notice to the subscriber is made from. Append-only.';
COMMENT ON COLUMN quota_event.allowed IS 'Quota and the top-ups then in force; octets is what was used of it.';
CREATE INDEX quota_event_at ON quota_event (at);
CREATE TRIGGER quota_event_append_only BEFORE UPDATE OR DELETE ON quota_event FOR EACH ROW EXECUTE FUNCTION refuse_change('Quota events are append-only.');
CREATE TRIGGER quota_event_no_truncate BEFORE TRUNCATE ON quota_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Quota events are append-only.');

CREATE TABLE profile_revision (
    profile_id bigint PRIMARY KEY REFERENCES profile ON DELETE CASCADE,
    revision   bytea NOT NULL CHECK (octet_length(revision) = 4)
);
COMMENT ON TABLE profile_revision IS 'Hash of what each profile gives: the first half of a policy version. Editing a profile changes one row here and none of its accounts.';

CREATE TABLE desired_policy (
    account_id       bigint PRIMARY KEY REFERENCES subscriber_account ON DELETE CASCADE,
    level            policy_level NOT NULL,
    reason           text NOT NULL CHECK (reason <> ''),
    profile_id       bigint REFERENCES profile,
    account_revision bytea NOT NULL CHECK (octet_length(account_revision) = 4),
    valid_until      timestamptz,
    changed_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT desired_policy_profile_unless_refused CHECK ((profile_id IS NULL) = (level IN ('blocked', 'none')))
);
COMMENT ON TABLE desired_policy IS 'What each account should have now. Its version is profile_revision.revision || account_revision, the octets that the hook puts into Class. An account without a row is not worked out yet, or can''t be rendered: leave its sessions alone.';
COMMENT ON COLUMN desired_policy.profile_id IS 'NULL exactly when no session may live.';
COMMENT ON COLUMN desired_policy.valid_until IS 'When the answer may change without anybody touching a row; NULL: never.';
COMMENT ON COLUMN desired_policy.changed_at IS 'When level, profile or account_revision last changed.';
CREATE INDEX desired_policy_due ON desired_policy (valid_until) WHERE valid_until IS NOT NULL;
CREATE INDEX desired_policy_profile ON desired_policy (profile_id);

DO $$
DECLARE
    watched text[];
BEGIN
    FOREACH watched SLICE 1 IN ARRAY ARRAY[['plan_window', 'plan', 'plan_id'], ['plan_change', 'contract', 'contract_id'], ['data_topup', 'contract', 'contract_id']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_change(%L, %L)',
            watched[1] || '_change_insert', watched[1], watched[2], watched[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_change(%L, %L)',
            watched[1] || '_change_update', watched[1], watched[2], watched[3]);
        EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION note_change(%L, %L)',
            watched[1] || '_change_delete', watched[1], watched[2], watched[3]);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(%L)',
            watched[1] || '_no_truncate', watched[1], 'TRUNCATE passes by the change feed, and edges would go on answering from what is gone: DELETE.');
    END LOOP;
END
$$;

GRANT SELECT ON plan_window, plan_change TO corrente_edge, corrente_worker, corrente_web;
GRANT SELECT ON quota_step, data_topup, quota_usage, quota_event, profile_revision, desired_policy TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON plan_change TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE (until) ON data_topup TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE, DELETE ON quota_usage, profile_revision, desired_policy TO corrente_worker;
GRANT INSERT ON quota_event TO corrente_worker;
GRANT INSERT ON late_usage TO corrente_edge, corrente_worker;
GRANT SELECT, DELETE ON late_usage TO corrente_worker;

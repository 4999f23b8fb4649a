-- What was done is told with where from, and each day of it is sealed; the outbox, idempotent answers and dunning cases.

CREATE TYPE audit_origin AS ENUM ('screen', 'interface', 'job', 'command');
COMMENT ON TYPE audit_origin IS 'Through what somebody acted: a page, a call of the interface, a scheduled job, the command line.';
-- In two steps: rows that are there say nothing of it, and a default with a column would rewrite them.
ALTER TABLE audit_log ADD COLUMN origin audit_origin;
ALTER TABLE audit_log ADD COLUMN request_id text CHECK (request_id ~ '^[!-~]{1,100}$');
ALTER TABLE audit_log ALTER COLUMN origin SET DEFAULT nullif(current_setting('corrente.origin', true), '')::audit_origin,
    ALTER COLUMN request_id SET DEFAULT nullif(current_setting('corrente.request_id', true), ''), ALTER COLUMN at SET DEFAULT clock_timestamp();
COMMENT ON COLUMN audit_log.at IS 'When the row was written, not when its transaction began: a day that is over gets no more rows but of transactions that have written into it.';
COMMENT ON COLUMN audit_log.origin IS 'From corrente.origin of the connection; NULL: somebody wrote into the database itself, or it was not recorded yet.';
COMMENT ON COLUMN audit_log.request_id IS 'The same on all rows of one call, command or run of a job; from corrente.request_id.';
CREATE INDEX audit_log_by_day ON audit_log (at, id);

CREATE TABLE audit_seal (
    day       date PRIMARY KEY,
    rows      bigint NOT NULL,
    previous  bytea NOT NULL CHECK (octet_length(previous) = 32),
    digest    bytea NOT NULL CHECK (octet_length(digest) = 32),
    marks     bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_seal_marks_each_row CHECK (octet_length(marks) = 8 * rows)
);
COMMENT ON TABLE audit_seal IS 'SHA-256 over the rows of a day (UTC) of the audit log in order, chained to the day before: a row that is changed, put in or taken out later shows. billing/audit_chain.py says which octets.';
COMMENT ON COLUMN audit_seal.marks IS 'The first 8 octets of each row''s own SHA-256, in order: they tell which row it is that differs.';
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal FOR EACH ROW EXECUTE FUNCTION refuse_change('A sealed day stays sealed.');
CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('A sealed day stays sealed.');

CREATE FUNCTION audit_day_key(day date) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (1635083369::bigint << 32) | (day - date '2000-01-01')
$$;
COMMENT ON FUNCTION audit_day_key(date) IS 'The advisory lock of a day of the audit log: who writes into it shares it until it commits, who seals it has it alone.';

CREATE FUNCTION refuse_sealed_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days date[] := ARRAY(SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM new_rows ORDER BY 1);
BEGIN
    -- The lock first: a day that is being sealed is sealed once we have it, and the next statement sees that.
    PERFORM pg_advisory_xact_lock_shared(audit_day_key(day)) FROM unnest(days) AS day;
    IF EXISTS (SELECT FROM audit_seal WHERE day >= days[1]) THEN
        RAISE EXCEPTION 'audit log: the % is sealed', days[1]
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Leave `at` to the database. If its clock went back, wait until it is beyond the last sealed day.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_sealed_day() IS 'No row comes into a day that is sealed, however long ago its transaction began.';
CREATE TRIGGER audit_log_day_is_open AFTER INSERT ON audit_log REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_sealed_day();

CREATE FUNCTION refuse_seal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last    audit_seal;
    written bigint;
    begins  timestamptz := (to_char(NEW.day, 'YYYY-MM-DD') || ' 00:00+00')::timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(audit_day_key(NEW.day));
    SELECT * INTO last FROM audit_seal ORDER BY day DESC LIMIT 1;
    SELECT count(*) INTO written FROM audit_log WHERE at >= begins AND at < begins + interval '24 hours';
    IF NEW.day >= (clock_timestamp() AT TIME ZONE 'UTC')::date OR NEW.day <> last.day + 1 OR NEW.previous <> coalesce(last.digest, decode(repeat('00', 32), 'hex')) OR NEW.rows <> written
            OR (last.day IS NULL AND EXISTS (SELECT FROM audit_log WHERE at < begins)) THEN
        RAISE EXCEPTION 'audit log: the % with % rows can''t be sealed after the %', NEW.day, NEW.rows, last.day
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Each day once it is over, in order, with all its rows, chained to the day before.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_seal() IS 'Days are sealed in order, each with all its rows, when it is over and no transaction that wrote into it is open.';
CREATE TRIGGER audit_seal_follows BEFORE INSERT ON audit_seal FOR EACH ROW EXECUTE FUNCTION refuse_seal();

-- ---------------------------------------------------------------------------------------------------------------
-- Dunning cases
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE dunning_case (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customer,
    currency    currency_code NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT now(),
    cleared_at  timestamptz,
    CONSTRAINT dunning_case_clears_after_opening CHECK (cleared_at >= opened_at)
);
COMMENT ON TABLE dunning_case IS 'A customer''s debt in one currency from its first overdue day until nothing is overdue. A new debt is a new case.';
CREATE UNIQUE INDEX dunning_case_one_open ON dunning_case (customer_id, currency) WHERE cleared_at IS NULL;

CREATE TABLE dunning_case_step (
    case_id bigint NOT NULL REFERENCES dunning_case,
    step    text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    ran_at  timestamptz NOT NULL DEFAULT now(),
    ran_by  text NOT NULL CHECK (ran_by <> ''),
    PRIMARY KEY (case_id, step)
);
COMMENT ON TABLE dunning_case_step IS 'What was done in a case: each step once, and none once it is cleared. Written in order of case_id.';

CREATE FUNCTION refuse_dunning_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Held until the transaction ends, so that nobody clears the case under the step. Not FOR SHARE: of two that run steps of one case and then clear it, each would wait for the other.
    PERFORM FROM dunning_case WHERE id = NEW.case_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM dunning_case WHERE id = NEW.case_id AND cleared_at IS NOT NULL) THEN
        RAISE EXCEPTION 'dunning case % is cleared: step % does not run', NEW.case_id, NEW.step
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'A new debt opens a new case.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_dunning_step() IS 'A cleared case runs no step, whoever clears it at the same time.';
CREATE TRIGGER dunning_case_step_of_open_case BEFORE INSERT ON dunning_case_step FOR EACH ROW EXECUTE FUNCTION refuse_dunning_step();
CREATE TRIGGER dunning_case_step_append_only BEFORE UPDATE OR DELETE ON dunning_case_step FOR EACH ROW EXECUTE FUNCTION refuse_change('What was done stays done.');
CREATE TRIGGER dunning_case_step_no_truncate BEFORE TRUNCATE ON dunning_case_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was done stays done.');
CREATE TRIGGER dunning_case_is_of_its_customer BEFORE UPDATE OF id, customer_id, currency, opened_at ON dunning_case FOR EACH ROW
    WHEN ((OLD.id, OLD.customer_id, OLD.currency, OLD.opened_at) IS DISTINCT FROM (NEW.id, NEW.customer_id, NEW.currency, NEW.opened_at)) EXECUTE FUNCTION refuse_change('Only cleared_at is written later.');
CREATE TRIGGER dunning_case_clears_once BEFORE UPDATE ON dunning_case FOR EACH ROW WHEN (OLD.cleared_at IS NOT NULL) EXECUTE FUNCTION refuse_change('A cleared case is history: a new debt opens a new one.');
CREATE TRIGGER dunning_case_stays BEFORE DELETE ON dunning_case FOR EACH ROW EXECUTE FUNCTION refuse_change('Clear the case.');
CREATE TRIGGER dunning_case_no_truncate BEFORE TRUNCATE ON dunning_case FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Clear the cases.');

-- ---------------------------------------------------------------------------------------------------------------
-- Interfaces: what others are told, and answers that are given once
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE contract_version (
    contract_id bigint PRIMARY KEY,
    version     bigint NOT NULL CHECK (version >= 1)
);
COMMENT ON TABLE contract_version IS 'How many events of a contract were written to the outbox. The database counts them; the row is held until the transaction ends, so versions are committed in order.';
CREATE TRIGGER contract_version_is_counted AFTER INSERT OR UPDATE OR DELETE ON contract_version FOR EACH ROW EXECUTE FUNCTION refuse_own_writing('Writing to the outbox counts it.');
CREATE TRIGGER contract_version_no_truncate BEFORE TRUNCATE ON contract_version FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Versions never go back.');

CREATE TABLE outbox (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT now(),
    event           text NOT NULL CHECK (event ~ '^[a-z_]+\.[a-z_]+$'),
    payload_version smallint NOT NULL DEFAULT 1 CHECK (payload_version >= 1),
    payload         jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    contract_id     bigint,
    version         bigint,
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at         timestamptz NOT NULL DEFAULT now(),
    problem         text NOT NULL DEFAULT '',
    sent_at         timestamptz,
    CONSTRAINT outbox_version_once UNIQUE (contract_id, version),
    CONSTRAINT outbox_contract_has_version CHECK ((contract_id IS NULL) = (version IS NULL)),
    CONSTRAINT outbox_sent_was_tried CHECK (sent_at IS NULL OR attempts >= 1)
);
COMMENT ON TABLE outbox IS 'What others are told, written in the transaction that decides. Delivered at least once; the events of a contract in order of version.';
COMMENT ON COLUMN outbox.payload_version IS 'The form of the payload of this event; another form gets the next number.';
COMMENT ON COLUMN outbox.version IS 'Grows by one a contract; given by the database. Who has applied a version ignores older ones.';
COMMENT ON COLUMN outbox.next_at IS 'Not claimed before: a claim moves it, so that what its claimer never marked is claimed again.';
CREATE INDEX outbox_waiting ON outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_waiting_of_contract ON outbox (contract_id, version) WHERE sent_at IS NULL AND contract_id IS NOT NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version IS NOT NULL THEN
        RAISE EXCEPTION 'outbox: version % of contract % was given by its writer', NEW.version, NEW.contract_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Leave it out: the database counts it.';
    END IF;
    INSERT INTO contract_version AS c (contract_id, version) VALUES (NEW.contract_id, 1)
        ON CONFLICT (contract_id) DO UPDATE SET version = c.version + 1 RETURNING version INTO NEW.version;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION count_version() IS 'Gives an event its contract''s next version. Ids do not tell an order: they are taken before a writer waits for another.';
CREATE TRIGGER outbox_counts_version BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.contract_id IS NOT NULL) EXECUTE FUNCTION count_version();

CREATE FUNCTION refuse_outbox_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sent_at IS NOT NULL OR to_jsonb(NEW) - '{attempts,next_at,problem,sent_at}'::text[] <> to_jsonb(OLD) - '{attempts,next_at,problem,sent_at}'::text[] THEN
        RAISE EXCEPTION 'outbox %: what was told stays as it was', OLD.id
            USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Write another event.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION refuse_outbox_change() IS 'Of an event only its delivery moves, until it is sent.';
CREATE TRIGGER outbox_stays BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION refuse_outbox_change();

CREATE FUNCTION refuse_disorder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM outbox WHERE contract_id = NEW.contract_id AND version < NEW.version AND sent_at IS NULL) THEN
        RAISE EXCEPTION 'outbox %: an earlier event of contract % is not sent yet', NEW.id, NEW.contract_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Send the events of a contract in order of version.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_disorder() IS 'The events of a contract are sent in order.';
CREATE TRIGGER outbox_in_order AFTER UPDATE ON outbox FOR EACH ROW WHEN (OLD.sent_at IS NULL AND NEW.sent_at IS NOT NULL AND NEW.contract_id IS NOT NULL) EXECUTE FUNCTION refuse_disorder();
CREATE TRIGGER outbox_kept BEFORE DELETE ON outbox FOR EACH ROW WHEN (OLD.sent_at IS NULL OR OLD.sent_at > now() - interval '3 days') EXECUTE FUNCTION refuse_change('What was not sent stays, and what was sent for three days.');
CREATE TRIGGER outbox_no_truncate BEFORE TRUNCATE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('What was not sent stays.');

CREATE TABLE idempotency_key (
    caller    text NOT NULL CHECK (caller <> ''),
    route     text NOT NULL CHECK (route <> ''),
    key       text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    body_hash bytea NOT NULL CHECK (octet_length(body_hash) = 32),
    status    smallint CHECK (status BETWEEN 200 AND 599),
    answer    bytea,
    made_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, route, key),
    CONSTRAINT idempotency_key_answer_has_status CHECK ((status IS NULL) = (answer IS NULL))
);
COMMENT ON TABLE idempotency_key IS 'What a caller was answered to a call that it may repeat. Written in the transaction of the call''s effect: both are there or neither.';
COMMENT ON COLUMN idempotency_key.body_hash IS 'SHA-256 of what was asked: the same key with another body is refused.';
CREATE INDEX idempotency_key_by_age ON idempotency_key (made_at);

CREATE FUNCTION refuse_unanswered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM idempotency_key WHERE caller = NEW.caller AND route = NEW.route AND key = NEW.key AND status IS NULL) THEN
        RAISE EXCEPTION 'idempotency key % of % on % has no answer', NEW.key, NEW.caller, NEW.route
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Keep the answer in the transaction of the effect, or take both back.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION refuse_unanswered() IS 'A key is committed with its answer: one without would answer nobody for ever.';
CREATE CONSTRAINT TRIGGER idempotency_key_is_answered AFTER INSERT ON idempotency_key DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status IS NULL) EXECUTE FUNCTION refuse_unanswered();
CREATE TRIGGER idempotency_key_answer_is_final BEFORE UPDATE ON idempotency_key FOR EACH ROW
    WHEN (OLD.status IS NOT NULL OR (OLD.caller, OLD.route, OLD.key, OLD.body_hash, OLD.made_at) IS DISTINCT FROM (NEW.caller, NEW.route, NEW.key, NEW.body_hash, NEW.made_at))
    EXECUTE FUNCTION refuse_change('What was answered is answered again.');
CREATE TRIGGER idempotency_key_kept BEFORE DELETE ON idempotency_key FOR EACH ROW WHEN (OLD.made_at > now() - interval '24 hours') EXECUTE FUNCTION refuse_change('Answers are kept for a day.');
CREATE TRIGGER idempotency_key_no_truncate BEFORE TRUNCATE ON idempotency_key FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Answers are kept for a day.');

DO $$
DECLARE
    deed text[];
BEGIN
    FOREACH deed SLICE 1 IN ARRAY ARRAY[['insert', 'NEW TABLE AS new_rows'], ['update', 'OLD TABLE AS old_rows NEW TABLE AS new_rows'], ['delete', 'OLD TABLE AS old_rows']] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON dunning_case REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION note_money(%L, %L)',
            'dunning_case_money_' || deed[1], upper(deed[1]), deed[2], 'id', '');
    END LOOP;
END
$$;
CREATE TRIGGER dunning_case_step_money_insert AFTER INSERT ON dunning_case_step REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('case_id,step');

GRANT SELECT ON dunning_case, dunning_case_step, outbox, contract_version TO corrente_worker, corrente_web;
GRANT INSERT ON dunning_case, dunning_case_step, outbox TO corrente_worker, corrente_web;
GRANT UPDATE (cleared_at) ON dunning_case TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON contract_version TO corrente_worker, corrente_web;
GRANT UPDATE (attempts, next_at, problem, sent_at), DELETE ON outbox TO corrente_worker;
GRANT SELECT, INSERT, UPDATE (status, answer) ON idempotency_key TO corrente_web;
GRANT SELECT, DELETE ON idempotency_key TO corrente_worker;
-- Who writes into the audit log is asked whether the day is open.
GRANT SELECT ON audit_seal TO corrente_worker, corrente_web, corrente_lookup;
GRANT INSERT ON audit_seal TO corrente_worker;

-- Dunning is kept: policies with versions, exclusions, disputes, plans of instalments, formal notices, promises, what is looked at next.
CREATE INDEX contract_terms_payer ON contract_terms (payer_id) WHERE payer_id IS NOT NULL;

-- A case is of an issuer. Nobody has written one so far but by hand: those are of the issuer of what is open, else of the first.
ALTER TABLE dunning_case ADD COLUMN issuer_id bigint REFERENCES issuer;
ALTER TABLE dunning_case DISABLE TRIGGER USER;
UPDATE dunning_case AS c SET issuer_id = coalesce((SELECT min(o.issuer_id) FROM open_document AS o WHERE o.customer_id = c.customer_id AND o.currency = c.currency), (SELECT min(id) FROM issuer));
ALTER TABLE dunning_case ENABLE TRIGGER USER;
ALTER TABLE dunning_case ALTER COLUMN issuer_id SET NOT NULL;
COMMENT ON TABLE dunning_case IS 'A customer''s debt to one issuer in one currency, from the first day on which more than the policy''s threshold is overdue until no more than that is. A new debt is a new case.';
DROP INDEX dunning_case_one_open;
CREATE UNIQUE INDEX dunning_case_one_open ON dunning_case (customer_id, issuer_id, currency) WHERE cleared_at IS NULL;
DROP TRIGGER dunning_case_is_of_its_customer ON dunning_case;
CREATE TRIGGER dunning_case_is_of_its_customer BEFORE UPDATE OF id, customer_id, currency, opened_at, issuer_id ON dunning_case FOR EACH ROW
    WHEN ((OLD.id, OLD.customer_id, OLD.currency, OLD.opened_at, OLD.issuer_id) IS DISTINCT FROM (NEW.id, NEW.customer_id, NEW.currency, NEW.opened_at, NEW.issuer_id)) EXECUTE FUNCTION refuse_change('Only cleared_at is written later.');
ALTER TABLE dunning_case_step ADD COLUMN contracts bigint[] NOT NULL DEFAULT '{}', ADD COLUMN reason text CHECK (reason <> '');
COMMENT ON COLUMN dunning_case_step.reason IS 'Why it ran, with the figures of that moment.';

-- ---------------------------------------------------------------------------------------------------------------
-- Dunning: policies, what holds them back, what was said and promised
-- ---------------------------------------------------------------------------------------------------------------
CREATE TABLE dunning_policy (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id bigint NOT NULL REFERENCES issuer,
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    CONSTRAINT dunning_policy_name_once UNIQUE (issuer_id, name)
);
COMMENT ON TABLE dunning_policy IS 'How an issuer pursues debts. An issuer without one pursues nobody.';

CREATE TABLE dunning_policy_version (
    policy_id bigint NOT NULL REFERENCES dunning_policy,
    version   integer NOT NULL CHECK (version >= 1),
    since     date NOT NULL,
    data      jsonb CHECK (jsonb_typeof(data) = 'object'),
    reason    text NOT NULL CHECK (reason <> ''),
    made_by   text NOT NULL CHECK (made_by <> ''),
    made_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (policy_id, version)
);
COMMENT ON TABLE dunning_policy_version IS 'What a policy says from a day on: of those whose day has come the newest counts. Append-only.';
COMMENT ON COLUMN dunning_policy_version.data IS 'As billing/dunning/policy_data.py reads it; NULL: switched off.';

CREATE TYPE dunning_exclusion_kind AS ENUM ('whitelist', 'essential', 'not_before');
COMMENT ON TYPE dunning_exclusion_kind IS 'Whitelist: left alone. Essential: a contract that is told and never limited. Not before: neither limit nor fee before its end.';

CREATE TABLE dunning_exclusion (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        dunning_exclusion_kind NOT NULL,
    customer_id bigint REFERENCES customer,
    contract_id bigint REFERENCES contract,
    since       date NOT NULL,
    until       date,
    reason      text NOT NULL CHECK (reason <> ''),
    placed_by   text NOT NULL CHECK (placed_by <> ''),
    placed_at   timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    ended_by    text CHECK (ended_by <> ''),
    end_reason  text CHECK (end_reason <> ''),
    CONSTRAINT dunning_exclusion_of_one CHECK (num_nonnulls(customer_id, contract_id) = 1),
    CONSTRAINT dunning_exclusion_until_after_since CHECK (until > since),
    CONSTRAINT dunning_exclusion_of_its_kind CHECK (CASE kind WHEN 'essential' THEN contract_id IS NOT NULL WHEN 'not_before' THEN customer_id IS NOT NULL AND until IS NOT NULL ELSE true END),
    CONSTRAINT dunning_exclusion_end_is_signed CHECK (num_nulls(ended_at, ended_by, end_reason) IN (0, 3))
);
COMMENT ON TABLE dunning_exclusion IS 'Who is left alone and why, of the days [since, until) or for good, until a person ends it.';
CREATE INDEX dunning_exclusion_customer ON dunning_exclusion (customer_id) WHERE ended_at IS NULL;
CREATE INDEX dunning_exclusion_contract ON dunning_exclusion (contract_id) WHERE ended_at IS NULL;

CREATE TABLE dunning_dispute (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL REFERENCES document,
    amount      numeric(16, 3) NOT NULL CHECK (amount > 0),
    reason      text NOT NULL CHECK (reason <> ''),
    opened_at   timestamptz NOT NULL DEFAULT now(),
    opened_by   text NOT NULL CHECK (opened_by <> ''),
    closed_at   timestamptz,
    closed_by   text CHECK (closed_by <> ''),
    outcome     text CHECK (outcome <> ''),
    CONSTRAINT dunning_dispute_close_is_signed CHECK (num_nulls(closed_at, closed_by, outcome) IN (0, 3))
);
COMMENT ON TABLE dunning_dispute IS 'What of an invoice is contested, or asked of the bank: open, it does not count as debt.';
CREATE INDEX dunning_dispute_document ON dunning_dispute (document_id) WHERE closed_at IS NULL;

CREATE TABLE instalment_plan (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    customer_id bigint NOT NULL REFERENCES customer,
    currency    currency_code NOT NULL,
    grace_days  smallint NOT NULL DEFAULT 5 CHECK (grace_days BETWEEN 0 AND 60),
    reason      text NOT NULL CHECK (reason <> ''),
    made_by     text NOT NULL CHECK (made_by <> ''),
    made_at     timestamptz NOT NULL DEFAULT now(),
    ended_on    date,
    ended_by    text CHECK (ended_by <> ''),
    end_reason  text CHECK (end_reason <> ''),
    CONSTRAINT instalment_plan_end_is_signed CHECK (num_nulls(ended_on, ended_by, end_reason) IN (0, 3))
);
COMMENT ON TABLE instalment_plan IS 'Agreed days on which documents are paid in parts; ended when all is paid, when a person says so, or when it is broken: then their own days count again.';
COMMENT ON COLUMN instalment_plan.grace_days IS 'An instalment that is later by more than these breaks it.';
CREATE INDEX instalment_plan_customer ON instalment_plan (customer_id) WHERE ended_on IS NULL;

CREATE TABLE instalment_plan_part (
    plan_id bigint NOT NULL REFERENCES instalment_plan,
    due_on  date NOT NULL,
    amount  numeric(16, 3) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (plan_id, due_on)
);
COMMENT ON TABLE instalment_plan_part IS 'How much is due when.';

CREATE TABLE instalment_plan_document (
    plan_id     bigint NOT NULL REFERENCES instalment_plan,
    document_id bigint NOT NULL REFERENCES document,
    PRIMARY KEY (plan_id, document_id)
);
COMMENT ON TABLE instalment_plan_document IS 'Which invoices are paid so.';
CREATE INDEX instalment_plan_document_of ON instalment_plan_document (document_id);

CREATE TABLE formal_notice (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id      bigint NOT NULL REFERENCES dunning_case,
    step         text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    channel      text NOT NULL CHECK (channel ~ '^[a-z_]{1,40}$'),
    documents    bigint[] NOT NULL CHECK (cardinality(documents) BETWEEN 1 AND 1000),
    amount       numeric(16, 3) NOT NULL CHECK (amount > 0),
    sent_at      timestamptz NOT NULL DEFAULT now(),
    sent_by      text NOT NULL CHECK (sent_by <> ''),
    delivered_at timestamptz,
    delivered_by text CHECK (delivered_by <> ''),
    proof_id     bigint REFERENCES attachment,
    CONSTRAINT formal_notice_delivered_after_sent CHECK (delivered_at >= sent_at),
    CONSTRAINT formal_notice_delivery_is_signed CHECK ((delivered_at IS NULL) = (delivered_by IS NULL))
);
COMMENT ON TABLE formal_notice IS 'That a customer was put on notice of these invoices, and when that came: from its delivery the law counts.';
COMMENT ON COLUMN formal_notice.delivered_by IS 'Who says so: a person, or the channel that had it confirmed.';
CREATE INDEX formal_notice_case ON formal_notice (case_id);
CREATE INDEX formal_notice_under_way ON formal_notice (sent_at) WHERE delivered_at IS NULL;

CREATE TABLE dunning_confirmation (
    case_id      bigint NOT NULL REFERENCES dunning_case,
    step         text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    confirmed_by text NOT NULL CHECK (confirmed_by <> ''),
    PRIMARY KEY (case_id, step)
);
COMMENT ON TABLE dunning_confirmation IS 'A person let a step of a case go that waits for that. Append-only.';

CREATE TABLE dunning_reminder (
    document_id bigint NOT NULL REFERENCES document,
    due_on      date NOT NULL,
    step        text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    sent_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, due_on, step)
);
COMMENT ON TABLE dunning_reminder IS 'Of which due day a document''s customer was reminded before it came; it is of no case, as nothing is owed yet. Append-only.';

CREATE TYPE promise_state AS ENUM ('open', 'kept', 'broken');
COMMENT ON TYPE promise_state IS 'Of a promise to pay. What was refused never was one.';
CREATE TYPE promise_asked_by AS ENUM ('portal', 'app', 'operator');
COMMENT ON TYPE promise_asked_by IS 'Where it was given.';

CREATE TABLE promise (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id       bigint NOT NULL REFERENCES dunning_case,
    amount        numeric(16, 3) NOT NULL CHECK (amount > 0),
    made_at       timestamptz NOT NULL DEFAULT now(),
    until         timestamptz NOT NULL,
    respite_until timestamptz NOT NULL,
    asked_by      promise_asked_by NOT NULL,
    made_by       text NOT NULL CHECK (made_by <> ''),
    state         promise_state NOT NULL DEFAULT 'open',
    ended_at      timestamptz,
    proof_id      bigint REFERENCES attachment,
    reviewed      boolean,
    reviewed_by   text CHECK (reviewed_by <> ''),
    reviewed_at   timestamptz,
    CONSTRAINT promise_until_after_made CHECK (until > made_at),
    CONSTRAINT promise_respite_after_made CHECK (respite_until >= made_at),
    CONSTRAINT promise_ends_with_its_state CHECK ((state = 'open') = (ended_at IS NULL)),
    CONSTRAINT promise_review_is_signed CHECK (num_nulls(reviewed, reviewed_by, reviewed_at) IN (0, 3)),
    CONSTRAINT promise_review_is_of_a_proof CHECK (reviewed IS NULL OR proof_id IS NOT NULL)
);
COMMENT ON TABLE promise IS 'A promise to pay what a case owes: while its respite lasts nothing is made worse, and its reliefs open the lines.';
COMMENT ON COLUMN promise.until IS 'When the promised hours are over.';
COMMENT ON COLUMN promise.respite_until IS 'When the lines are limited again: the first moment after that at which anything may be cut.';
COMMENT ON COLUMN promise.reviewed IS 'What a person found of the proof of payment: valid or not.';
CREATE UNIQUE INDEX promise_one_open ON promise (case_id) WHERE state = 'open';
CREATE INDEX promise_case ON promise (case_id);
CREATE INDEX promise_to_review ON promise (made_at) WHERE proof_id IS NOT NULL AND reviewed IS NULL;

CREATE TABLE promise_relief (
    relief_id  bigint PRIMARY KEY REFERENCES relief ON DELETE CASCADE,
    promise_id bigint NOT NULL REFERENCES promise
);
COMMENT ON TABLE promise_relief IS 'Which reliefs a promise gave: they end with it.';
CREATE INDEX promise_relief_promise ON promise_relief (promise_id);

CREATE TABLE dunning_look (
    customer_id bigint NOT NULL REFERENCES customer,
    issuer_id   bigint NOT NULL REFERENCES issuer,
    currency    currency_code NOT NULL,
    next_at     timestamptz NOT NULL,
    PRIMARY KEY (customer_id, issuer_id, currency)
);
COMMENT ON TABLE dunning_look IS 'Who is to be looked at again before the next day''s pass: a queue, which may be emptied; the pass looks at everybody.';
CREATE INDEX dunning_look_due ON dunning_look (next_at);

CREATE TABLE dunning_pass (
    issuer_id bigint NOT NULL REFERENCES issuer,
    day       date NOT NULL,
    begun_at  timestamptz NOT NULL DEFAULT now(),
    done_at   timestamptz,
    run_id    bigint REFERENCES automation_run,
    result    text NOT NULL DEFAULT '',
    PRIMARY KEY (issuer_id, day),
    CONSTRAINT dunning_pass_done_after_begun CHECK (done_at >= begun_at)
);
COMMENT ON TABLE dunning_pass IS 'On which days all of an issuer''s debts were looked at. One that did not come to its end is made up for.';

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['dunning_policy_version', 'dunning_confirmation', 'dunning_reminder', 'instalment_plan_part', 'instalment_plan_document'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''What was said stays: say something new.'')', kept || '_append_only', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['dunning_policy', 'dunning_exclusion', 'dunning_dispute', 'instalment_plan', 'formal_notice', 'promise'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change(''It is evidence: end it.'')', kept || '_stays', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['dunning_policy', 'dunning_policy_version', 'dunning_exclusion', 'dunning_dispute', 'instalment_plan', 'instalment_plan_part', 'instalment_plan_document', 'formal_notice',
        'dunning_confirmation', 'dunning_reminder', 'promise'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(''It is evidence.'')', kept || '_no_truncate', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['dunning_policy', 'dunning_exclusion', 'dunning_dispute', 'instalment_plan', 'formal_notice', 'promise'] LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(''id'')', kept || '_money_insert', kept);
        EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money(''id'')', kept || '_money_update', kept);
    END LOOP;
END
$$;
CREATE TRIGGER dunning_policy_version_money_insert AFTER INSERT ON dunning_policy_version REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('policy_id,version');
CREATE TRIGGER dunning_confirmation_money_insert AFTER INSERT ON dunning_confirmation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_money('case_id,step');
CREATE TRIGGER dunning_exclusion_ends_once BEFORE UPDATE ON dunning_exclusion FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION refuse_change('An ended exclusion is history: place a new one.');
CREATE TRIGGER dunning_dispute_closes_once BEFORE UPDATE ON dunning_dispute FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION refuse_change('A closed dispute is history: open a new one.');
CREATE TRIGGER instalment_plan_ends_once BEFORE UPDATE ON instalment_plan FOR EACH ROW WHEN (OLD.ended_on IS NOT NULL) EXECUTE FUNCTION refuse_change('An ended plan is history: agree on a new one.');
CREATE TRIGGER formal_notice_stays_as_sent BEFORE UPDATE ON formal_notice FOR EACH ROW
    WHEN ((OLD.id, OLD.case_id, OLD.step, OLD.channel, OLD.documents, OLD.amount, OLD.sent_at, OLD.sent_by) IS DISTINCT FROM (NEW.id, NEW.case_id, NEW.step, NEW.channel, NEW.documents, NEW.amount, NEW.sent_at, NEW.sent_by))
    EXECUTE FUNCTION refuse_change('What was sent stays as it was: only its delivery is said later.');
CREATE TRIGGER promise_stays_as_made BEFORE UPDATE ON promise FOR EACH ROW
    WHEN ((OLD.id, OLD.case_id, OLD.amount, OLD.made_at, OLD.until, OLD.asked_by, OLD.made_by) IS DISTINCT FROM (NEW.id, NEW.case_id, NEW.amount, NEW.made_at, NEW.until, NEW.asked_by, NEW.made_by))
    EXECUTE FUNCTION refuse_change('A promise stays as it was made: what becomes of it is its state.');

GRANT SELECT ON dunning_policy, dunning_policy_version, dunning_exclusion, dunning_dispute, instalment_plan, instalment_plan_part, instalment_plan_document, formal_notice, dunning_confirmation, dunning_reminder,
    promise, promise_relief, dunning_look, dunning_pass TO corrente_worker, corrente_web;
GRANT INSERT ON formal_notice, dunning_reminder, dunning_confirmation, promise, promise_relief, instalment_plan, instalment_plan_part, instalment_plan_document, dunning_dispute TO corrente_worker, corrente_web;
GRANT INSERT ON dunning_policy, dunning_policy_version, dunning_exclusion TO corrente_web;
GRANT UPDATE (delivered_at, delivered_by, proof_id) ON formal_notice TO corrente_worker, corrente_web;
GRANT UPDATE (state, ended_at, respite_until, proof_id, reviewed, reviewed_by, reviewed_at) ON promise TO corrente_worker, corrente_web;
GRANT UPDATE (ended_on, ended_by, end_reason) ON instalment_plan TO corrente_worker, corrente_web;
GRANT UPDATE (closed_at, closed_by, outcome) ON dunning_dispute TO corrente_web;
GRANT UPDATE (ended_at, ended_by, end_reason) ON dunning_exclusion TO corrente_web;
GRANT INSERT, UPDATE, DELETE ON dunning_look TO corrente_worker, corrente_web;
GRANT INSERT, UPDATE ON dunning_pass TO corrente_worker;

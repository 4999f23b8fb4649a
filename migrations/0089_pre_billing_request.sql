-- The console asks for billing runs; a job of the worker's does what is asked.
CREATE TYPE billing_request_act AS ENUM ('prepare', 'issue');
COMMENT ON TYPE billing_request_act IS 'What the worker is asked for: to work a run out, or to issue one that was confirmed.';

CREATE TABLE billing_request (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act       billing_request_act NOT NULL,
    issuer_id bigint NOT NULL REFERENCES issuer,
    run_date  date NOT NULL,
    filter    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(filter) = 'object'),
    run_id    bigint REFERENCES billing_run,
    asked_by  text NOT NULL CHECK (asked_by <> ''),
    asked_at  timestamptz NOT NULL DEFAULT now(),
    begun_at  timestamptz,
    payers    integer NOT NULL DEFAULT 0 CHECK (payers >= 0),
    of_payers integer CHECK (of_payers >= 0),
    ended_at  timestamptz,
    problem   text NOT NULL DEFAULT '',
    CONSTRAINT billing_request_issues_a_run CHECK (act = 'prepare' OR run_id IS NOT NULL)
);
COMMENT ON TABLE billing_request IS 'What a page asks of the billing run, which no page may wait for; the job asked_billing does it and says how far it is.';
COMMENT ON COLUMN billing_request.payers IS 'How many are done, of so many.';
COMMENT ON COLUMN billing_request.problem IS 'Why it ended without what was asked for.';
CREATE UNIQUE INDEX billing_request_one_at_a_time ON billing_request (issuer_id, run_date, filter) WHERE ended_at IS NULL;
CREATE INDEX billing_request_of_run ON billing_request (run_id, id) WHERE run_id IS NOT NULL;
GRANT SELECT, UPDATE (run_id, begun_at, payers, of_payers, ended_at, problem) ON billing_request TO corrente_worker;
GRANT SELECT, INSERT ON billing_request TO corrente_console;

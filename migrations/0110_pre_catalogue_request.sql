-- Pages ask for price changes and promotions; a job of the worker's gives them to the contracts, batch by batch.
CREATE TYPE catalogue_request_act AS ENUM ('price_change', 'promotion', 'promotion_undo');
COMMENT ON TYPE catalogue_request_act IS 'What the worker is asked to give contracts, or to take back from them.';

CREATE TABLE catalogue_request (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act          catalogue_request_act NOT NULL,
    what         jsonb NOT NULL CHECK (jsonb_typeof(what) = 'object'),
    asked_by     text NOT NULL CHECK (asked_by <> ''),
    asked_at     timestamptz NOT NULL DEFAULT now(),
    begun_at     timestamptz,
    through      bigint NOT NULL DEFAULT 0,
    contracts    integer NOT NULL DEFAULT 0 CHECK (contracts >= 0),
    of_contracts integer CHECK (of_contracts >= 0),
    changed      integer NOT NULL DEFAULT 0 CHECK (changed >= 0),
    ended_at     timestamptz,
    problem      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE catalogue_request IS 'A price change or a promotion that somebody confirmed; the job asked_catalogue gives it to the contracts and says how far it is.';
COMMENT ON COLUMN catalogue_request.through IS 'The last contract that is done: written with what it was given, so that whoever goes on begins behind it.';
COMMENT ON COLUMN catalogue_request.contracts IS 'How many are done, of so many.';
COMMENT ON COLUMN catalogue_request.changed IS 'How many items or contracts came out otherwise.';
COMMENT ON COLUMN catalogue_request.problem IS 'Why it ended before all was done.';
CREATE UNIQUE INDEX catalogue_request_one_at_a_time ON catalogue_request (act, what) WHERE ended_at IS NULL;
GRANT SELECT, UPDATE (begun_at, through, contracts, of_contracts, changed, ended_at, problem) ON catalogue_request TO corrente_worker;
GRANT SELECT, INSERT ON catalogue_request TO corrente_console;
GRANT USAGE ON SEQUENCE contract_item_id_seq TO corrente_worker;
GRANT DELETE ON discount TO corrente_worker;

CREATE TABLE contract_draft (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_by     text NOT NULL CHECK (made_by <> ''),
    begun_at    timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    answers     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(answers) = 'object'),
    contract_id bigint REFERENCES contract
);
COMMENT ON TABLE contract_draft IS 'What was typed so far on the way to a contract, step by step; with its contract it is over. It never holds a password.';
CREATE INDEX contract_draft_open ON contract_draft (made_by, changed_at) WHERE contract_id IS NULL;

CREATE TABLE contract_signature (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract_id bigint NOT NULL REFERENCES contract,
    signer      text NOT NULL CHECK (signer <> ''),
    signed_at   timestamptz NOT NULL DEFAULT now(),
    address     inet,
    browser     text NOT NULL,
    drawing     bytea NOT NULL CHECK (octet_length(drawing) BETWEEN 1 AND 500000),
    paper       bytea NOT NULL CHECK (octet_length(paper) BETWEEN 1 AND 20000000),
    sha256      bytea GENERATED ALWAYS AS (sha256(paper)) STORED,
    taken_by    text NOT NULL CHECK (taken_by <> '')
);
COMMENT ON TABLE contract_signature IS 'Who signed what on a screen, when, and on which device: the drawing and the very paper that was signed with its digest. Append-only: it is evidence.';
CREATE INDEX contract_signature_contract ON contract_signature (contract_id);
CREATE TRIGGER contract_signature_append_only BEFORE UPDATE OR DELETE ON contract_signature FOR EACH ROW EXECUTE FUNCTION refuse_change('A signature is evidence: it stays as it was given.');
GRANT SELECT, INSERT, UPDATE ON contract_draft TO corrente_console;
GRANT SELECT, INSERT ON contract_signature TO corrente_console;

-- What a step of dunning wrote to a customer is kept as it stood that day: a reminder or a formal notice is printed from it, and says the same later.
CREATE TABLE dunning_letter (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id   bigint NOT NULL REFERENCES dunning_case,
    step      text NOT NULL CHECK (step ~ '^[a-z0-9_]{1,40}$'),
    is_formal boolean NOT NULL,
    dated     date NOT NULL,
    language  spoken_language NOT NULL,
    issuer    jsonb NOT NULL CHECK (jsonb_typeof(issuer) = 'object'),
    customer  jsonb NOT NULL CHECK (jsonb_typeof(customer) = 'object'),
    said      jsonb NOT NULL CHECK (jsonb_typeof(said) = 'object'),
    CONSTRAINT dunning_letter_once UNIQUE (case_id, step)
);
COMMENT ON TABLE dunning_letter IS 'The reminder or formal notice of a step that told its customer: who wrote to whom, what was open of which document, and the days that it names, as they stood then. Printed again it says the same. Append-only.';
COMMENT ON COLUMN dunning_letter.said IS 'Parts of documents with what was open, by when to pay, from when on the line may be limited, the law, the contracts concerned.';
CREATE TRIGGER dunning_letter_append_only BEFORE UPDATE OR DELETE ON dunning_letter FOR EACH ROW EXECUTE FUNCTION refuse_change('What was written stays: write the next step.');
CREATE TRIGGER dunning_letter_no_truncate BEFORE TRUNCATE ON dunning_letter FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('It is evidence.');
GRANT SELECT ON dunning_letter TO corrente_worker, corrente_web;
GRANT INSERT ON dunning_letter TO corrente_worker;

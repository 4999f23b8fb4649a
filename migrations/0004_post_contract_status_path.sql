-- A status that skips a step is refused. The release before wrote a new contract as pending and then set its status.
CREATE FUNCTION refuse_contract_status() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paths  CONSTANT jsonb := '{"draft": ["proposal", "cancelled"], "proposal": ["pending", "cancelled"],
        "pending": ["trial", "active", "free", "cancelled"], "trial": ["active", "free", "ended"], "active": ["free", "ended"],
        "free": ["active", "ended"], "ended": ["active"], "cancelled": []}';
    onward jsonb := paths -> OLD.status::text;
BEGIN
    IF onward ? NEW.status::text THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'contract % is % and can''t become %', OLD.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
            HINT = CASE onward WHEN '[]' THEN 'Make a new contract.'
                ELSE 'From here: ' || (SELECT string_agg(word, ', ') FROM jsonb_array_elements_text(onward) AS word) || '.' END;
END
$$;
COMMENT ON FUNCTION refuse_contract_status() IS 'The paths of a contract''s commercial status. A contract may begin with any status: a take-over brings active ones.';
CREATE TRIGGER contract_status_path BEFORE UPDATE OF status ON contract FOR EACH ROW WHEN (OLD.status <> NEW.status)
    EXECUTE FUNCTION refuse_contract_status();

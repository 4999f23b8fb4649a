-- Who answers a quote or an order stands in the audit log, whoever writes it.
CREATE FUNCTION note_answer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    writer text := coalesce(current_setting('corrente.actor', true), '');
BEGIN
    IF writer = '' THEN
        RAISE EXCEPTION '%: % by nobody; this transaction does not say who writes', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'First, in the same transaction: SELECT set_config(''corrente.actor'', ''maria'', true).';
    END IF;
    INSERT INTO audit_log (actor, action, subject, detail)
        VALUES (writer, 'document.update', 'document ' || NEW.id, jsonb_build_object('before', jsonb_build_object('state', OLD.state), 'after', jsonb_build_object('state', NEW.state)));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_answer() IS 'The audit log of quotes and orders that are answered: all that is ever changed of an issued document.';
CREATE TRIGGER document_money_answer AFTER UPDATE ON document FOR EACH ROW WHEN (OLD.state = 'issued' AND NEW.state <> 'issued') EXECUTE FUNCTION note_answer();

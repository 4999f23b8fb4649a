-- A period that a stop leaves out is a charge of nothing that names the stop; a charge that a run leaves waiting names the
-- first run that did; a customer that is billed after all is no error of its run any more.

ALTER TABLE charge ADD COLUMN stop_id bigint REFERENCES billing_stop,
    ADD CONSTRAINT charge_stopped_is_nothing CHECK (stop_id IS NULL OR (kind = 'period' AND full_price = 0 AND covered));
COMMENT ON COLUMN charge.stop_id IS 'The period was left out for good: it is recorded here, so that no time of an item is without its charge.';
COMMENT ON COLUMN charge.run_id IS 'Which run made it, or let it wait first. A run of a later day puts it on a document however little it is.';

CREATE OR REPLACE FUNCTION refuse_charge_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.document_id IS NULL AND NOT OLD.covered AND NEW.run_id IS NOT DISTINCT FROM coalesce(OLD.run_id, NEW.run_id)
            AND to_jsonb(NEW) - '{document_id,line_number,covered,run_id}'::text[] = to_jsonb(OLD) - '{document_id,line_number,covered,run_id}'::text[] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'charge % stays as it is', OLD.id
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Give it back by a charge of kind credit.';
END
$$;
COMMENT ON FUNCTION refuse_charge_change() IS 'A charge comes to stand on a line, or to nothing, once, and a run that lets it wait marks it once; nothing else of it changes.';

GRANT UPDATE (run_id) ON charge TO corrente_worker, corrente_web;
GRANT UPDATE, DELETE ON billing_error TO corrente_worker, corrente_web;
GRANT USAGE ON SEQUENCE charge_id_seq TO corrente_worker, corrente_web;

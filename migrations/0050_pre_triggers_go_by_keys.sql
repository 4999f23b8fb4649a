-- Triggers reach rows by their keys alone: a plan that is made while a table is empty stays for the session, and read all of it for each batch of a run.

ALTER FUNCTION refuse_empty_entry() SET enable_seqscan = off;
ALTER FUNCTION open_documents() SET enable_seqscan = off;
ALTER FUNCTION open_documents() SET enable_hashjoin = off;
ALTER FUNCTION open_documents() SET enable_mergejoin = off;
ALTER FUNCTION settle_documents() SET enable_seqscan = off;
ALTER FUNCTION settle_documents() SET enable_hashjoin = off;
ALTER FUNCTION settle_documents() SET enable_mergejoin = off;
ALTER FUNCTION refuse_settlement_beyond() SET enable_seqscan = off;
ALTER FUNCTION refuse_settlement_beyond() SET enable_hashjoin = off;
ALTER FUNCTION refuse_settlement_beyond() SET enable_mergejoin = off;

CREATE OR REPLACE FUNCTION refuse_credit_beyond() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong record;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows WHERE corrects_id IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM charge WHERE id IN (SELECT corrects_id FROM new_rows) ORDER BY id FOR UPDATE;
    SELECT c.id, c.net, sum(given.net) AS credited INTO wrong FROM charge AS c JOIN charge AS given ON given.corrects_id = c.id
        WHERE c.id IN (SELECT corrects_id FROM new_rows) GROUP BY c.id, c.net HAVING c.net + sum(given.net) < 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'charge % is % and % of it would be given back', wrong.id, wrong.net, -wrong.credited
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'Never more than is left of it.';
    END IF;
    RETURN NULL;
END
$$;

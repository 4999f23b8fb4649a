-- A contract that is another agent's now for days that were: each agent has rows of the same money, one what was earned, the other what is taken back.
ALTER TABLE commission DROP CONSTRAINT commission_once, ADD CONSTRAINT commission_once UNIQUE (rule_id, allocation_id, contract_id, agent_id);
CREATE OR REPLACE FUNCTION refuse_commission() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- Who works out commissions holds the contract's rows of that agent; the money must not go meanwhile unseen.
DECLARE
    wrong bigint;
BEGIN
    SELECT n.id INTO wrong FROM new_rows AS n JOIN allocation AS l ON l.id = n.allocation_id
        WHERE n.invoice_id IS DISTINCT FROM l.invoice_id OR (l.withdraws_id IS NULL) <> (n.cause = 'paid')
            OR (l.withdraws_id IS NOT NULL AND -n.amount IS DISTINCT FROM (SELECT c.amount FROM commission AS c WHERE c.allocation_id = l.withdraws_id AND c.rule_id = n.rule_id AND c.contract_id = n.contract_id AND c.agent_id = n.agent_id))
        ORDER BY n.id LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'commission % is not what its money says', wrong
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME, HINT = 'What is withdrawn takes back what was earned of it, to the cent.';
    END IF;
    RETURN NULL;
END
$$;

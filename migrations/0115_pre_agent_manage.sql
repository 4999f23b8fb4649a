-- Agents have pages of their own: who managed collectors and cash manages agents, too.
UPDATE staff_role SET permissions = ARRAY(SELECT unnest(permissions || '{agent.manage}'::text[]) ORDER BY 1)
    WHERE 'cash.manage' = ANY (permissions) AND NOT 'agent.manage' = ANY (permissions);

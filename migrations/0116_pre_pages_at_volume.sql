-- Whether a collector collects from everyone is asked once a statement, not once for each customer; who lives where, with one look at the addresses.
CREATE VIEW own_scope WITH (security_barrier) AS
    SELECT k.id AS collector_id, k.issuer_id, s.kind, s.customer_id, s.value
    FROM collector AS k JOIN issuer AS i ON i.id = k.issuer_id JOIN collector_scope AS s ON s.collector_id = k.id
    WHERE k.id = nullif(current_setting('corrente.collector', true), '')::bigint AND k.active AND coalesce(s.through >= (now() AT TIME ZONE i.zone)::date, true);
COMMENT ON VIEW own_scope IS 'What the collector whom the transaction names may collect today, part by part; none of one who is not active.';

CREATE OR REPLACE VIEW collectable_customer WITH (security_barrier) AS
    SELECT k.id AS collector_id, k.issuer_id, c.id AS customer_id, c.name AS customer, c.language
    FROM collector AS k CROSS JOIN customer AS c
    WHERE k.id = nullif(current_setting('corrente.collector', true), '')::bigint AND k.active AND (
        EXISTS (SELECT FROM own_scope AS s WHERE s.kind = 'everyone')
        OR EXISTS (SELECT FROM own_scope AS s WHERE s.kind = 'customer' AND s.customer_id = c.id)
        OR EXISTS (SELECT FROM own_scope AS s JOIN contract_terms AS t ON t.billing_group = s.value AND t.issuer_id = s.issuer_id AND t.payer_id IS NULL JOIN contract AS n ON n.id = t.contract_id
            WHERE s.kind = 'group' AND n.customer_id = c.id)
        OR EXISTS (SELECT FROM own_scope AS s JOIN contract_terms AS t ON t.billing_group = s.value AND t.issuer_id = s.issuer_id WHERE s.kind = 'group' AND t.payer_id = c.id)
        OR EXISTS (SELECT FROM own_scope AS s JOIN address AS a ON CASE s.kind WHEN 'city' THEN lower(a.city) = lower(s.value)
            WHEN 'province' THEN lower(a.province) = lower(s.value) WHEN 'postal_code' THEN starts_with(a.postal_code, s.value) ELSE false END WHERE a.customer_id = c.id));

-- What waits for a person is listed in the order it was wanted, a page at a time.
CREATE INDEX enforcement_wanted ON enforcement (id) WHERE closed_at IS NULL AND disruptive;

-- Silent sessions are counted by access device without a look at each.
DROP INDEX session_stale;
CREATE INDEX session_stale ON session (started_at, nas_id) WHERE stale;

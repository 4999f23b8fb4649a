-- Whether one customer is a collector's is asked for that customer, and not for all of a city.
CREATE OR REPLACE VIEW collectable_customer WITH (security_barrier) AS
    SELECT k.id AS collector_id, k.issuer_id, c.id AS customer_id, c.name AS customer, c.language
    FROM collector AS k JOIN issuer AS i ON i.id = k.issuer_id CROSS JOIN customer AS c
    WHERE k.id = nullif(current_setting('corrente.collector', true), '')::bigint AND k.active AND EXISTS (
        SELECT FROM collector_scope AS s WHERE s.collector_id = k.id AND coalesce(s.through >= (now() AT TIME ZONE i.zone)::date, true) AND CASE s.kind
            WHEN 'everyone' THEN true
            WHEN 'customer' THEN s.customer_id = c.id
            WHEN 'group' THEN EXISTS (SELECT FROM contract AS n JOIN contract_terms AS t ON t.contract_id = n.id WHERE n.customer_id = c.id AND t.payer_id IS NULL AND t.billing_group = s.value AND t.issuer_id = k.issuer_id)
                OR EXISTS (SELECT FROM contract_terms AS t WHERE t.payer_id = c.id AND t.billing_group = s.value AND t.issuer_id = k.issuer_id)
            ELSE EXISTS (SELECT FROM address AS a WHERE a.customer_id = c.id
                AND CASE s.kind WHEN 'city' THEN lower(a.city) = lower(s.value) WHEN 'province' THEN lower(a.province) = lower(s.value) ELSE starts_with(a.postal_code, s.value) END)
        END);
CREATE OR REPLACE VIEW collectable_document WITH (security_barrier) AS
    SELECT c.collector_id, o.document_id, d.label, d.document_date, o.due_on, o.open, d.payable, o.currency, c.customer_id, c.customer, a.address, p.phone
    FROM collectable_customer AS c JOIN open_document AS o ON o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id
        CROSS JOIN LATERAL (SELECT i.label, i.document_date, i.payable FROM document AS i WHERE i.id = o.document_id LIMIT 1) AS d
        LEFT JOIN LATERAL (SELECT concat_ws(', ', concat_ws(' ', w.street, w.house_number), w.city) AS address FROM address AS w WHERE w.customer_id = c.customer_id
            ORDER BY w.kind = 'service' DESC, w.kind = 'billing' DESC, w.id LIMIT 1) AS a ON true
        LEFT JOIN LATERAL (SELECT coalesce(n.mobile, n.phone) AS phone FROM contact AS n WHERE n.customer_id = c.customer_id AND coalesce(n.mobile, n.phone) IS NOT NULL
            ORDER BY n.role = 'collections' DESC, n.role = 'main' DESC, n.id LIMIT 1) AS p ON true
    WHERE o.open > 0;

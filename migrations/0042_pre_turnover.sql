-- What was sold in a month is read from sums that issuing writes, not from a month's lines.

CREATE TABLE turnover (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_id  bigint NOT NULL,
    dated      date NOT NULL,
    product_id bigint,
    account_id bigint NOT NULL,
    currency   currency_code NOT NULL,
    net        numeric(18, 3) NOT NULL
);
COMMENT ON TABLE turnover IS 'What each issuing added, by day, product and account; a credit note takes away. Only added to, so that no run waits for another''s sum; a month is the sum of some hundred rows.';
CREATE INDEX turnover_dated ON turnover (issuer_id, dated);

CREATE FUNCTION count_turnover() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO turnover (issuer_id, dated, product_id, account_id, currency, net)
        SELECT n.issuer_id, n.document_date, l.product_id, l.account_id, n.currency, sum(CASE n.kind WHEN 'credit_note' THEN -l.net ELSE l.net END)
        FROM new_rows AS n JOIN document_line AS l ON l.document_id = n.id WHERE n.state = 'issued' AND n.kind IN ('invoice', 'credit_note')
        GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION count_turnover() IS 'What was just issued is sold.';
CREATE TRIGGER document_turnover AFTER UPDATE ON document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_turnover();
INSERT INTO turnover (issuer_id, dated, product_id, account_id, currency, net)
    SELECT d.issuer_id, d.document_date, l.product_id, l.account_id, d.currency, sum(CASE d.kind WHEN 'credit_note' THEN -l.net ELSE l.net END)
    FROM document AS d JOIN document_line AS l ON l.document_id = d.id WHERE d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;
CREATE TRIGGER turnover_is_counted AFTER INSERT OR UPDATE OR DELETE ON turnover FOR EACH STATEMENT EXECUTE FUNCTION refuse_own_writing('Issuing documents counts it.');

GRANT SELECT, INSERT ON turnover TO corrente_worker, corrente_web;

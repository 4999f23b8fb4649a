-- What somebody does beside the rules, he says why.
ALTER TABLE audit_log ADD CONSTRAINT audit_log_reason_where_required CHECK (origin IS NULL OR action !~ '\.(lift|exempt|whitelist|write_off|make_free|override_price)$' OR coalesce(detail ->> 'reason', '') <> '');
COMMENT ON COLUMN audit_log.action IS 'noun.verb, such as account.reveal_secret. Secrets that are shown, service given back or given for nothing by hand, debts that are let go and prices of one''s own need detail.reason.';

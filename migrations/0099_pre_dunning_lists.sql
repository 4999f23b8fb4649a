-- Debtors and the log of cuts are listed a page at a time.
CREATE INDEX dunning_case_open ON dunning_case (id) WHERE cleared_at IS NULL;
CREATE INDEX restriction_of_dunning ON restriction (since, id) WHERE origin = 'dunning';
-- Who may change policies does it from a page, too.
GRANT SELECT, INSERT, UPDATE ON dunning_policy TO corrente_console;
GRANT SELECT, INSERT ON dunning_policy_version TO corrente_console;

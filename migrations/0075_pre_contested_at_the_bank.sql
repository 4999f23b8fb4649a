-- What a payer contests at the bank is withheld from dunning until the provider says how it ended.
ALTER TYPE payment_event_kind ADD VALUE 'dispute_lost';
ALTER TABLE dunning_dispute ADD COLUMN reference text CHECK (reference <> '');
COMMENT ON COLUMN dunning_dispute.reference IS 'What a payment provider calls it, by whose word it is closed; NULL: a person opened it.';
CREATE INDEX dunning_dispute_reference ON dunning_dispute (reference) WHERE closed_at IS NULL AND reference IS NOT NULL;
GRANT UPDATE (closed_at, closed_by, outcome) ON dunning_dispute TO corrente_worker;
COMMENT ON TABLE dunning_dispute IS 'What of an invoice is contested, with us or at the bank: open, it does not count as debt.';
COMMENT ON COLUMN formal_notice.sent_at IS 'When it was written; when it went out is said by its message.';

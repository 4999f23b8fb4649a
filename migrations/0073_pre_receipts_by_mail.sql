-- Who pays is sent a receipt, by the methods that say so. What is debited was announced by its invoice.
ALTER TABLE payment_method ADD COLUMN mails_receipt boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN payment_method.mails_receipt IS 'Who pays by it and has an address is sent a receipt, in the transaction that records the payment.';
SELECT set_config('corrente.actor', 'migration 0073', true);
UPDATE payment_method SET mails_receipt = false WHERE kind = 'direct_debit';

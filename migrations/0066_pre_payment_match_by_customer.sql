-- What a promise received is read by its customer, in the transaction of each payment, and not from all payments.
CREATE INDEX payment_match_customer ON payment_match (customer_id) WHERE customer_id IS NOT NULL;

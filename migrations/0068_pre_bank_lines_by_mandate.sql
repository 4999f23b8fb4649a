-- What a debit's return took back is found by its mandate, and not among all payments of its amount.
CREATE INDEX bank_line_mandate ON bank_line ((told ->> 'mandate')) WHERE state = 'recorded' AND told ->> 'mandate' <> '';

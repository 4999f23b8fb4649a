-- An issuer may have its documents fall due on bank days only; those there are stay as they were.
ALTER TABLE issuer ADD COLUMN bank_days text CHECK (bank_days ~ '^[A-Z]{2}(-.{1,40})?$');
COMMENT ON COLUMN issuer.bank_days IS 'Due days move on to the next bank day: none of Saturday, Sunday and this calendar''s holidays, such as IT or IT-TO; NULL: they stay where the terms put them.';

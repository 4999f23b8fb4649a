-- Customers without an e-mail address come into the portal by a letter, and who never came in can be kept out, too.
ALTER TABLE portal_access ALTER COLUMN email DROP NOT NULL;
ALTER TABLE portal_access ADD COLUMN came_in_at timestamptz;
UPDATE portal_access SET came_in_at = created_at;
ALTER TABLE portal_link ALTER COLUMN email DROP NOT NULL;
COMMENT ON TABLE portal_access IS 'Customers who have come into the portal, or are kept out of it. The first time by a link to an address of theirs or in a letter; without a password each time.';
COMMENT ON COLUMN portal_access.email IS 'Where the last link went that let them in: what they sign in with. NULL: by their number.';
COMMENT ON COLUMN portal_access.came_in_at IS 'The first time; NULL: never.';
COMMENT ON TABLE portal_link IS 'Links that let a customer into the portal once. Their SHA-256 is kept.';
COMMENT ON COLUMN portal_link.email IS 'Where it was mailed to; NULL: it stands in a letter.';

-- All that an edited profile gave before, not its rates alone. The release before writes rows without it.
ALTER TABLE known_revision ADD COLUMN content jsonb CHECK (jsonb_typeof(content) = 'object');
COMMENT ON COLUMN known_revision.content IS 'All that it gives, by the names of profile''s columns; NULL: noted by a release that kept the rates alone, and not in force since.';
COMMENT ON TABLE known_revision IS 'What each profile gave under each revision that was ever in force: by it the smallest change is found, and whether it takes something away, after the profile was edited or deleted.';
GRANT UPDATE (content) ON known_revision TO corrente_worker;

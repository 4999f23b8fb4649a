-- What a run restricted beyond the share, and by whose word it was let go.
ALTER TABLE restriction ADD COLUMN release_id bigint REFERENCES guard_release;
COMMENT ON COLUMN restriction.release_id IS 'By which word of a person a held one was let go; from then on it is that person''s.';
CREATE INDEX restriction_held ON restriction (run_id) WHERE held_since IS NOT NULL AND lifted_at IS NULL;

-- What a change that was sent and not confirmed says of its session, and what edited profiles gave before.
ALTER TABLE enforcement ADD COLUMN settled_at timestamptz;
COMMENT ON COLUMN enforcement.settled_at IS 'From then on it tells nothing of what its session runs under: never sent, or a later word came, or the session is over. The reconciler writes it.';
CREATE INDEX enforcement_unsettled ON enforcement (session_key) WHERE settled_at IS NULL AND state <> 'verified';
CREATE TABLE known_revision (
    revision      bytea NOT NULL CHECK (octet_length(revision) = 4),
    profile_id    bigint NOT NULL,
    rate_down_bps bigint,
    rate_up_bps   bigint,
    since         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (revision, profile_id)
);
COMMENT ON TABLE known_revision IS 'What each profile gave under each revision that was ever in force: whether a change takes something away is judged by it after the profile was edited or deleted.';
GRANT SELECT, INSERT ON known_revision TO corrente_worker;
GRANT SELECT ON known_revision TO corrente_web;

-- Enforcements: changes on their way to live sessions, and every packet of theirs.
CREATE TYPE policy_level AS ENUM ('full', 'throttle', 'walled', 'blocked', 'none');
COMMENT ON TYPE policy_level IS 'What an account gets on the network; blocked and none: no session may live.';

CREATE TYPE enforcement_state AS ENUM ('queued', 'sent', 'acked', 'nacked', 'unanswered', 'verified', 'unverifiable', 'gave_up', 'superseded');
COMMENT ON TYPE enforcement_state IS 'Open: queued, sent (no answer known yet), acked (not yet verified), nacked and unanswered (will be tried again). The others are closed.';
CREATE TYPE enforcement_method AS ENUM ('coa', 'disconnect', 'routeros_api', 'cli');
COMMENT ON TYPE enforcement_method IS 'How a device is told, in the order a vendor''s ladder may name them.';

CREATE TABLE enforcement (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_key     uuid NOT NULL,
    nas_id          bigint NOT NULL REFERENCES nas,
    account_id      bigint,
    acct_session_id text NOT NULL,
    username        text COLLATE "C" NOT NULL,
    level           policy_level NOT NULL,
    reason          text NOT NULL CHECK (reason <> ''),
    from_version    bytea CHECK (octet_length(from_version) = 8),
    desired_version bytea CHECK (octet_length(desired_version) = 8),
    profile_id      bigint,
    disruptive      boolean NOT NULL,
    held_since      timestamptz,
    held_reason     text NOT NULL DEFAULT '',
    state           enforcement_state NOT NULL DEFAULT 'queued',
    method          enforcement_method NOT NULL,
    attempt         smallint NOT NULL DEFAULT 0 CHECK (attempt BETWEEN 0 AND 1000),
    error_cause     integer CHECK (error_cause BETWEEN 0 AND 65535),
    problem         text NOT NULL DEFAULT '',
    next_at         timestamptz DEFAULT now(),
    taken_by        text,
    taken_until     timestamptz,
    wanted_at       timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    answered_at     timestamptz,
    closed_at       timestamptz,
    tries           smallint NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 1000),
    identity_detail smallint NOT NULL DEFAULT 0 CHECK (identity_detail BETWEEN 0 AND 2),
    unsure          boolean NOT NULL DEFAULT false,
    alarmed_at      timestamptz,
    CONSTRAINT enforcement_version_with_profile CHECK ((desired_version IS NULL) = (profile_id IS NULL)),
    CONSTRAINT enforcement_held_says_why CHECK ((held_since IS NULL) = (held_reason = '')),
    CONSTRAINT enforcement_closed_when_over CHECK ((closed_at IS NOT NULL) = (state IN ('verified', 'unverifiable', 'gave_up', 'superseded'))),
    CONSTRAINT enforcement_open_has_next CHECK (closed_at IS NOT NULL OR next_at IS NOT NULL),
    CONSTRAINT enforcement_sent_has_time CHECK (state IN ('queued', 'gave_up', 'superseded') OR sent_at IS NOT NULL),
    CONSTRAINT enforcement_answer_has_time CHECK (state NOT IN ('acked', 'nacked') OR answered_at IS NOT NULL),
    CONSTRAINT enforcement_failure_says_why CHECK (state NOT IN ('nacked', 'unanswered', 'unverifiable', 'gave_up', 'superseded') OR problem <> ''),
    CONSTRAINT enforcement_taken_until CHECK ((taken_by IS NULL) = (taken_until IS NULL))
);
COMMENT ON TABLE enforcement IS 'One change to deliver to one session, from the moment it was wanted to the proof that it holds. The row is the job.';
COMMENT ON COLUMN enforcement.session_key IS 'session.session_key; the session may be closed meanwhile.';
COMMENT ON COLUMN enforcement.desired_version IS 'Profile and account revision the session shall run under; NULL: the session must end.';
COMMENT ON COLUMN enforcement.disruptive IS 'Takes something away from the subscriber; what restores is never held by the guard and goes first.';
COMMENT ON COLUMN enforcement.held_reason IS 'Why it waits for a person: the guard, maintenance of the NAS, the global stop.';
COMMENT ON COLUMN enforcement.attempt IS 'Exchanges begun in all, by every method; the rules limit it.';
COMMENT ON COLUMN enforcement.tries IS 'Exchanges begun by this method with this much identity.';
COMMENT ON COLUMN enforcement.identity_detail IS 'Which attributes name the session: 0 what the vendor matches best, 1 fuller, 2 fewest.';
COMMENT ON COLUMN enforcement.unsure IS 'An earlier packet of this change was not answered, and may have had its effect: then "session not found" means done.';
COMMENT ON COLUMN enforcement.next_at IS 'When an open one is due: to be sent, or, when acked, to have been verified.';
COMMENT ON COLUMN enforcement.taken_by IS 'The worker that sends it now; after taken_until that worker is taken for dead and what it sent for unanswered.';
COMMENT ON COLUMN enforcement.wanted_at IS 'When the policy changed that this delivers.';
COMMENT ON COLUMN enforcement.alarmed_at IS 'When a person was asked to look: the device does not do what it acknowledged, or its configuration is wrong.';
CREATE UNIQUE INDEX enforcement_one_open ON enforcement (session_key) WHERE state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered');
CREATE INDEX enforcement_due ON enforcement (disruptive, next_at) WHERE closed_at IS NULL;
CREATE INDEX enforcement_of_session ON enforcement (session_key, id);
CREATE INDEX enforcement_of_nas ON enforcement (nas_id, disruptive, next_at) WHERE closed_at IS NULL;
CREATE INDEX enforcement_alarms ON enforcement (alarmed_at) WHERE alarmed_at IS NOT NULL;
CREATE INDEX enforcement_by_closing ON enforcement (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE enforcement_packet (
    enforcement_id bigint NOT NULL,
    at             timestamptz NOT NULL,
    direction      text NOT NULL CHECK (direction IN ('sent', 'received')),
    code           smallint NOT NULL CHECK (code BETWEEN 0 AND 255),
    identifier     smallint NOT NULL CHECK (identifier BETWEEN 0 AND 255),
    peer           text NOT NULL CHECK (peer <> ''),
    attributes     text NOT NULL,
    error_cause    integer CHECK (error_cause BETWEEN 0 AND 65535),
    -- One attribute a line, so a value that speaks of passwords is none.
    CONSTRAINT enforcement_packet_no_secret CHECK (attributes !~* '(^|\n)[a-z0-9-]*(password|secret|ms-?chap|mppe|authenticator)[a-z0-9-]*\s*[:+]?=(?!\s*\*)')
) PARTITION BY RANGE (at);
COMMENT ON TABLE enforcement_packet IS 'Every packet sent for an enforcement and every answer accepted, by month. Append-only; code 0 is a call that is no RADIUS.';
COMMENT ON COLUMN enforcement_packet.enforcement_id IS 'enforcement.id, without a foreign key: to make a month would then lock that table. Packets are written while their enforcement is held.';
COMMENT ON COLUMN enforcement_packet.attributes IS 'One `Name = value` a line as on the wire, what must stay secret as ***.';
CREATE INDEX enforcement_packet_of ON enforcement_packet (enforcement_id, at);
CREATE TRIGGER enforcement_packet_append_only BEFORE UPDATE OR DELETE ON enforcement_packet FOR EACH ROW EXECUTE FUNCTION refuse_change('Packets are evidence: they go with their month''s partition.');
CREATE TRIGGER enforcement_packet_no_truncate BEFORE TRUNCATE ON enforcement_packet FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('Packets are evidence: they go with their month''s partition.');

CREATE TABLE nas_silence (
    nas_id  bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    since   timestamptz NOT NULL DEFAULT now(),
    tries   smallint NOT NULL DEFAULT 1 CHECK (tries BETWEEN 1 AND 1000),
    next_at timestamptz NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nas_silence IS 'NASes that answer no change request: one of their enforcements is sent as a probe at next_at, the others wait; an answer or their accounting ends it.';

CREATE FUNCTION note_enforcement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY corrente_enforcement;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_enforcement() IS 'A hint to the workers beside their poll.';
CREATE TRIGGER enforcement_change_insert AFTER INSERT ON enforcement FOR EACH STATEMENT EXECUTE FUNCTION note_enforcement();
GRANT SELECT, INSERT, UPDATE, DELETE ON enforcement, nas_silence TO corrente_worker;
GRANT SELECT, INSERT ON enforcement_packet TO corrente_worker;
GRANT SELECT ON enforcement, enforcement_packet, nas_silence TO corrente_web;
SELECT make_month(current_date), make_month((current_date + interval '1 month')::date);

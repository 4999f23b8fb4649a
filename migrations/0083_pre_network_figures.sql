-- Who was online minute by minute, how logins were answered, and when each NAS last spoke: counted once, however many look.
CREATE TABLE online_minute (
    at          timestamptz PRIMARY KEY CHECK (extract(epoch FROM at) % 60 = 0),
    subscribers integer NOT NULL CHECK (subscribers >= 0),
    sessions    integer NOT NULL CHECK (sessions >= 0),
    stale       integer NOT NULL CHECK (stale >= 0)
);
COMMENT ON TABLE online_minute IS 'How many were online, counted once a minute by a job. Stale sessions count for themselves alone. A minute without a row: no worker ran.';
CREATE TABLE login_minute (
    at       timestamptz NOT NULL CHECK (extract(epoch FROM at) % 60 = 0),
    outcome  text NOT NULL CHECK (outcome IN ('accept', 'reject')),
    reason   text NOT NULL CHECK (reason <> ''),
    attempts integer NOT NULL CHECK (attempts > 0),
    PRIMARY KEY (at, outcome, reason)
);
COMMENT ON TABLE login_minute IS 'Logins by minute, answer and reason, from login_attempt; the last hour is counted anew each minute, for attempts come late.';
CREATE TABLE nas_word (
    nas_id     bigint PRIMARY KEY REFERENCES nas ON DELETE CASCADE,
    sessions   integer NOT NULL CHECK (sessions >= 0),
    heard_at   timestamptz,
    counted_at timestamptz NOT NULL
);
COMMENT ON TABLE nas_word IS 'How many sessions each NAS has, and when its accounting was last received, counted once a minute.';
COMMENT ON COLUMN nas_word.heard_at IS 'Stays when its sessions are gone. NULL: nothing was ever heard.';
CREATE TABLE drift_sweep (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at        timestamptz NOT NULL,
    sessions  integer NOT NULL CHECK (sessions >= 0),
    by_reason jsonb NOT NULL CHECK (jsonb_typeof(by_reason) = 'object')
);
COMMENT ON TABLE drift_sweep IS 'How many sessions the last look at all of them found in drift, in all and by reason.';
GRANT SELECT, INSERT, UPDATE, DELETE ON online_minute, login_minute, nas_word, drift_sweep TO corrente_worker;

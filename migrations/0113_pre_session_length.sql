-- How long sessions of the console last is set on its settings page; what lasts longer than that ends.
CREATE TABLE staff_session_length (
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    idle_minutes integer NOT NULL CHECK (idle_minutes BETWEEN 5 AND 1440),
    most_hours   integer NOT NULL CHECK (most_hours BETWEEN 1 AND 720),
    CONSTRAINT staff_session_length_idle_ends_first CHECK (idle_minutes <= most_hours * 60)
);
COMMENT ON TABLE staff_session_length IS 'How long sessions of the console last, where somebody has set it: the one row. Without it 8 hours without a click, 7 days in any case.';
ALTER TABLE staff_session DROP CONSTRAINT staff_session_ended_why_check;
ALTER TABLE staff_session ADD CONSTRAINT staff_session_ended_why_check CHECK (ended_why IN ('signed_out', 'revoked', 'password', 'disabled', 'second_factor', 'used', 'too_long'));
GRANT SELECT, INSERT, UPDATE (idle_minutes, most_hours) ON staff_session_length TO corrente_console;

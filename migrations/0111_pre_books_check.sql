-- The check of the books is asked for in the console; a job of the worker's does it and keeps what it found.
CREATE TABLE books_check (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chosen   text[] NOT NULL DEFAULT '{}',
    asked_by text NOT NULL CHECK (asked_by <> ''),
    asked_at timestamptz NOT NULL DEFAULT now(),
    begun_at timestamptz,
    attempt  integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    ended_at timestamptz,
    given_up boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE books_check IS 'A check of the books that somebody asked for; the job asked_checks does it and keeps what it found.';
COMMENT ON COLUMN books_check.chosen IS 'The names of the checks that are meant; none: all.';
COMMENT ON COLUMN books_check.attempt IS 'How often it was begun. Only who began it last writes what comes of it.';
COMMENT ON COLUMN books_check.given_up IS 'It was begun again and again and came to no end.';
CREATE UNIQUE INDEX books_check_one_at_a_time ON books_check ((true)) WHERE ended_at IS NULL;

CREATE TABLE books_check_result (
    check_id   bigint NOT NULL REFERENCES books_check,
    place      integer NOT NULL CHECK (place > 0),
    name       text NOT NULL,
    invariants text NOT NULL,
    rows_done  bigint NOT NULL DEFAULT 0,
    rows_of    bigint NOT NULL DEFAULT 0,
    findings   integer NOT NULL DEFAULT 0 CHECK (findings >= 0),
    begun_at   timestamptz,
    ended_at   timestamptz,
    PRIMARY KEY (check_id, place)
);
COMMENT ON TABLE books_check_result IS 'One of the checks: how far it is, and how much it found wrong.';
COMMENT ON COLUMN books_check_result.place IS 'In which order they are done, from 1.';

CREATE TABLE books_check_finding (
    check_id bigint NOT NULL,
    place    integer NOT NULL,
    number   integer NOT NULL CHECK (number > 0),
    subject  text NOT NULL,
    message  text NOT NULL,
    PRIMARY KEY (check_id, place, number),
    FOREIGN KEY (check_id, place) REFERENCES books_check_result ON DELETE CASCADE
);
COMMENT ON TABLE books_check_finding IS 'Something wrong in the books; of each check the first ones are kept.';
GRANT SELECT, UPDATE (begun_at, attempt, ended_at, given_up) ON books_check TO corrente_worker;
GRANT SELECT, INSERT, DELETE, UPDATE (rows_done, rows_of, findings, begun_at, ended_at) ON books_check_result TO corrente_worker;
GRANT SELECT, INSERT, DELETE ON books_check_finding TO corrente_worker;
GRANT SELECT, INSERT ON books_check TO corrente_console;
GRANT SELECT ON books_check_result, books_check_finding TO corrente_console;

"""Checks of the books that were asked for: how far the worker is with each, and what it found.

A check reads one state of the database, so one that was interrupted begins again; only who began it last writes what comes of it.

Next: checks/catalogue.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.store.checks.check import Check

Connection = psycopg.Connection[Any]
# By which the worker hears that something is asked for.
CHANNEL: Final = "corrente_books_check"


@dataclass(frozen=True, slots=True)
class AskedCheck:
    """One that was asked for: `chosen` these checks, all of them when empty; `findings` are wrong so far, in `wrong` of `checks` checks,
    of which `done` are over.
    """

    id: int
    chosen: Sequence[str]
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    attempt: int
    ended_at: datetime | None
    given_up: bool
    checks: int
    done: int
    wrong: int
    findings: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One of its checks: `rows_done` of `rows_of` rows are looked at, `findings` of them are wrong."""

    place: int
    name: str
    invariants: str
    rows_done: int
    rows_of: int
    findings: int
    begun_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptFinding:
    """Something that is wrong, the `number`th of its check."""

    place: int
    number: int
    name: str
    subject: str
    message: str


_ASK: Final = """
INSERT INTO books_check (chosen, asked_by) VALUES (%s, %s) ON CONFLICT ((true)) WHERE ended_at IS NULL DO NOTHING RETURNING id
"""
_UNDER_WAY: Final = "SELECT id FROM books_check WHERE ended_at IS NULL"
_LOOK: Final = """
SELECT c.id, c.chosen, c.asked_by, c.asked_at, c.begun_at, c.attempt, c.ended_at, c.given_up, r.checks, r.done, r.wrong, r.findings
FROM books_check c CROSS JOIN LATERAL (
    SELECT count(*) AS checks, count(ended_at) AS done, count(*) FILTER (WHERE findings > 0) AS wrong, coalesce(sum(findings), 0)::bigint AS findings
    FROM books_check_result WHERE check_id = c.id
) AS r
"""
_ONE: Final = f"{_LOOK} WHERE c.id = %s"
_LIST: Final = f"{_LOOK} WHERE c.id < %s ORDER BY c.id DESC LIMIT %s"
_LAST: Final = (
    f"{_LOOK} WHERE c.ended_at IS NOT NULL AND NOT c.given_up AND c.chosen = '{{}}' ORDER BY c.id DESC LIMIT 1"
)
_RESULTS: Final = """
SELECT place, name, invariants, rows_done, rows_of, findings, begun_at, ended_at FROM books_check_result WHERE check_id = %s ORDER BY place
"""
_FINDINGS: Final = """
SELECT f.place, f.number, r.name, f.subject, f.message FROM books_check_finding f JOIN books_check_result r USING (check_id, place)
WHERE f.check_id = %(check)s AND (f.place, f.number) > (%(place)s, %(number)s) AND (%(name)s::text IS NULL OR r.name = %(name)s)
ORDER BY f.place, f.number LIMIT %(limit)s
"""
_FIRST: Final = """
SELECT f.place, f.number, r.name, f.subject, f.message FROM books_check_finding f JOIN books_check_result r USING (check_id, place)
WHERE f.check_id = %s AND f.number <= %s ORDER BY f.place, f.number
"""
_BEGIN: Final = """
UPDATE books_check SET begun_at = clock_timestamp(), attempt = attempt + 1 WHERE id = %s AND ended_at IS NULL RETURNING attempt
"""
_HOLD: Final = "SELECT FROM books_check WHERE id = %s AND attempt = %s AND ended_at IS NULL FOR NO KEY UPDATE"
_NOTE: Final = """
UPDATE books_check_result SET begun_at = coalesce(begun_at, clock_timestamp()), rows_done = %(done)s, rows_of = %(of)s, findings = %(findings)s,
    ended_at = CASE WHEN %(over)s THEN clock_timestamp() END WHERE check_id = %(check)s AND place = %(place)s
"""
_KEEP: Final = "INSERT INTO books_check_finding (check_id, place, number, subject, message) VALUES (%s, %s, %s, %s, %s)"


class SupersededError(Exception):
    """Another worker has begun it since: what this one finds is not kept."""


def ask_for(connection: Connection, only: Sequence[str], *, by: str) -> tuple[int, bool]:
    """Ask for it in the caller's transaction; its number and True, or that of the one that is under way and False."""
    made = connection.execute(_ASK, (list(only), by)).fetchone()
    row = made or connection.execute(_UNDER_WAY).fetchone()
    assert row is not None, "the one that was in the way is there"
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    return int(row[0]), made is not None


def load_check(connection: Connection, number: int) -> AskedCheck | None:
    """One of them."""
    with connection.cursor(row_factory=class_row(AskedCheck)) as cursor:
        return cursor.execute(_ONE, (number,)).fetchone()


def load_checks(connection: Connection, *, before: int, limit: int) -> list[AskedCheck]:
    """Those with lesser numbers, the newest first."""
    with connection.cursor(row_factory=class_row(AskedCheck)) as cursor:
        return cursor.execute(_LIST, (before, limit)).fetchall()


def load_last_whole(connection: Connection) -> AskedCheck | None:
    """The newest that has looked at everything."""
    with connection.cursor(row_factory=class_row(AskedCheck)) as cursor:
        return cursor.execute(_LAST).fetchone()


def load_waiting(connection: Connection) -> int | None:
    """The one that is not over."""
    row = connection.execute(_UNDER_WAY).fetchone()
    return None if row is None else int(row[0])


def load_results(connection: Connection, number: int) -> list[CheckResult]:
    """Its checks, in their order."""
    with connection.cursor(row_factory=class_row(CheckResult)) as cursor:
        return cursor.execute(_RESULTS, (number,)).fetchall()


def load_findings(
    connection: Connection, number: int, *, name: str | None, after: tuple[int, int], limit: int
) -> list[KeptFinding]:
    """What it found and kept, all of it or of one check, behind a place and number."""
    given = {"check": number, "name": name, "place": after[0], "number": after[1], "limit": limit}
    with connection.cursor(row_factory=class_row(KeptFinding)) as cursor:
        return cursor.execute(_FINDINGS, given).fetchall()


def load_first_findings(connection: Connection, number: int, *, each: int) -> list[KeptFinding]:
    """The first so many of each check."""
    with connection.cursor(row_factory=class_row(KeptFinding)) as cursor:
        return cursor.execute(_FIRST, (number, each)).fetchall()


def begin_check(connection: Connection, number: int, checks: Sequence[Check]) -> int | None:
    """It begins, from nothing, whatever an interrupted one has found; how often it was begun. None where it is over.

    The connection is in autocommit.
    """
    with connection.transaction():
        row = connection.execute(_BEGIN, (number,)).fetchone()
        if row is None:
            return None
        connection.execute("DELETE FROM books_check_result WHERE check_id = %s", (number,))
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO books_check_result (check_id, place, name, invariants) VALUES (%s, %s, %s, %s)",
                [(number, place, one.name, one.invariants) for place, one in enumerate(checks, 1)],
            )
        return int(row[0])


def note_check(
    connection: Connection,
    number: int,
    *,
    attempt: int,
    place: int,
    done: int,
    of: int,
    findings: int,
    kept: Sequence[tuple[int, str, str]],
) -> None:
    """How far one of its checks is, and what of its findings is kept: number, subject and message. Raises: SupersededError."""
    with connection.transaction():
        _hold(connection, number, attempt)
        given = {"done": done, "of": of, "findings": findings, "over": done >= of, "check": number, "place": place}
        connection.execute(_NOTE, given)
        with connection.cursor() as cursor:
            cursor.executemany(_KEEP, [(number, place, *one) for one in kept])


def end_check(connection: Connection, number: int, *, attempt: int, given_up: bool = False) -> None:
    """It is over. Raises: SupersededError."""
    with connection.transaction():
        _hold(connection, number, attempt)
        connection.execute(
            "UPDATE books_check SET ended_at = clock_timestamp(), given_up = %s WHERE id = %s", (given_up, number)
        )


def _hold(connection: Connection, number: int, attempt: int) -> None:
    if connection.execute(_HOLD, (number, attempt)).fetchone() is None:
        raise SupersededError(f"check {number} was begun again")

"""The audit log: its rows for who looks, a day sealed, and the whole chain verified row by row.

A day is sealed when it is over (UTC) and no transaction that has written into it is open: who writes shares the day's
advisory lock until it commits, and the sealer takes it alone or comes again. What would be written into a sealed day later
is refused by the database (schema.sql: refuse_sealed_day()).

Memory stays flat: rows are streamed. Units: days are UTC.
Source: billing model section 20.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as TimeOfDay
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from billing.audit_chain import GENESIS, DayHash, Difference, Head, Row, Seal, differences, row_digest

Connection = psycopg.Connection[Any]
Progress = Callable[[date, int], None]

_FETCHED_AT_ONCE: Final = 10_000
# Of a day that differs so many rows are named: who has changed a million is found out by the first ones.
DIFFERENCES_NAMED: Final = 20
# So often progress is told.
_TOLD_EVERY: Final = 50_000
_ROWS: Final = """
SELECT id, (extract(epoch FROM at) * 1000000)::bigint, actor, action, subject, origin::text, request_id, detail::text FROM audit_log
WHERE at >= %s AND at < %s ORDER BY at, id
"""
_SEALS: Final = "SELECT day, rows, previous, digest, sha256(marks) FROM audit_seal WHERE day >= %s ORDER BY day"
_NEXT: Final = "SELECT max(day) + 1, (SELECT min(at AT TIME ZONE 'UTC')::date FROM audit_log) FROM audit_seal"
_SEAL: Final = "INSERT INTO audit_seal (day, rows, previous, digest, marks) VALUES (%s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log as people read it."""

    id: int
    at: datetime
    actor: str
    origin: str | None
    action: str
    subject: str
    request_id: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are looked for; None is any. `action` and `subject` also by their beginning."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    origin: str | None = None


class Busy:
    """A transaction that has written into the day is still open: it is sealed later."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not agree on a day, and which rows if they are known. `more` differ beyond those."""

    day: date
    words: str
    rows: tuple[Difference, ...] = ()
    more: bool = False


@dataclass(slots=True)
class Report:
    """What a verification has seen: days and rows that were sealed, rows that are not sealed yet, and what is wrong."""

    days: int = 0
    rows: int = 0
    unsealed: int = 0
    head: Head | None = None
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A seal without its marks, which are megabytes and are read only where a day differs."""

    day: date
    rows: int
    previous: bytes
    digest: bytes
    marks_hash: bytes


def note(
    connection: Connection, *, actor: str, action: str, subject: str, detail: Mapping[str, object] | None = None
) -> None:
    """Write one row, in the transaction of the deed. `action` is noun.verb; `detail` never holds a secret."""
    connection.execute(
        "INSERT INTO audit_log (actor, action, subject, detail) VALUES (%s, %s, %s, %s::jsonb)",
        (actor, action, subject, json.dumps(dict(detail or {}), default=str)),
    )


# A text says nothing where it is not asked for: the planner has then the index of what is asked.
_CONDITIONS: Final = {
    "actor": "actor = %(actor)s",
    "action": "starts_with(action, %(action)s)",
    "subject": "starts_with(subject, %(subject)s)",
    "request_id": "request_id = %(request_id)s",
    "since": "at >= %(since)s",
    "until": "at < %(until)s",
    "origin": "origin::text = %(origin)s",
}


def load_entries(
    connection: Connection, wanted: Wanted, *, limit: int, after: tuple[datetime, int] | None = None
) -> list[Entry]:
    """The newest rows of that kind, the newest first; `after` a row, by its time and number, those before it."""
    asked = {name: value for name in _CONDITIONS if (value := getattr(wanted, name)) is not None}
    conditions = [_CONDITIONS[name] for name in asked]
    if after is not None:
        conditions.append("(at, id) < (%(after_at)s, %(after_id)s)")
        asked |= {"after_at": after[0], "after_id": after[1]}
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    rows = connection.execute(
        "SELECT id, at, actor, origin::text, action, subject, request_id, detail FROM audit_log "  # noqa: S608 - conditions of our own
        f"{where}ORDER BY at DESC, id DESC LIMIT %(limit)s",
        {**asked, "limit": limit},
    ).fetchall()
    return [Entry(*row) for row in rows]


def load_entry(connection: Connection, number: int) -> Entry | None:
    """One row, None when there is no such."""
    row = connection.execute(
        "SELECT id, at, actor, origin::text, action, subject, request_id, detail FROM audit_log WHERE id = %s",
        (number,),
    ).fetchone()
    return None if row is None else Entry(*row)


def load_head(connection: Connection) -> Head | None:
    """The last sealed day, None when none is."""
    row = connection.execute("SELECT day, digest FROM audit_seal ORDER BY day DESC LIMIT 1").fetchone()
    return None if row is None else Head(*row)


def next_day(connection: Connection, *, before: date) -> date | None:
    """The first day before that one that is to be sealed; the first of all is the log's own first day."""
    row = connection.execute(_NEXT).fetchone()
    assert row is not None, "an aggregate has one row"
    day: date | None = row[0] or row[1]
    return day if day is not None and day < before else None


def seal_day(connection: Connection, day: date) -> Seal | Busy:
    """Seal the day after the last sealed one, in the caller's transaction.

    Raises: psycopg's IntegrityError when it is not that day, or not over.
    """
    free = connection.execute("SELECT pg_try_advisory_xact_lock(audit_day_key(%s))", (day,)).fetchone()
    assert free is not None
    if not free[0]:
        return Busy()
    head = load_head(connection)
    hashed = DayHash(day, GENESIS if head is None else head.digest)
    for row in _rows(connection, day, day + timedelta(days=1)):
        hashed.put(row)
    made = hashed.seal()
    connection.execute(_SEAL, (made.day, made.rows, made.previous, made.digest, made.marks))
    return made


def verify(
    connection: Connection, *, heads: tuple[Head, ...] = (), since: date | None = None, progress: Progress | None = None
) -> Report:
    """Work out every sealed day anew and compare it with its seal, and the seals with heads that were written down.

    In one REPEATABLE READ transaction of the caller's, so that what is written meanwhile makes no difference. With `since`
    the days before it are taken as they are.
    """
    report = Report()
    expected: date | None = None
    previous: bytes | None = None
    known = {head.day: head for head in heads}
    for row in connection.execute(_SEALS, (since or date.min,)).fetchall():
        sealed = _Sealed(*row)
        if expected is not None and sealed.day != expected:
            report.findings.append(Finding(expected, "has no seal: it was taken out"))
        if sealed.previous != (previous or GENESIS) and (previous is not None or since is None):
            report.findings.append(Finding(sealed.day, "its seal does not follow on the day before"))
        _verify_day(connection, report, sealed, progress)
        kept = known.pop(sealed.day, None)
        if kept is not None and kept.digest != sealed.digest:
            words = (
                f"its digest is {sealed.digest.hex()}, and {kept.digest.hex()} was kept: days up to it were sealed anew"
            )
            report.findings.append(Finding(sealed.day, words))
        expected, previous, report.head = sealed.day + timedelta(days=1), sealed.digest, Head(sealed.day, sealed.digest)
        report.days += 1
    for head in known.values():
        if since is None or head.day >= since:
            report.findings.append(Finding(head.day, "has no seal, and one was kept: seals were taken out"))
    _count_around(connection, report, since)
    return report


def _verify_day(connection: Connection, report: Report, sealed: _Sealed, progress: Progress | None) -> None:
    hashed = DayHash(sealed.day, sealed.previous)
    for number, row in enumerate(_rows(connection, sealed.day, sealed.day + timedelta(days=1)), start=1):
        hashed.put(row)
        if progress is not None and number % _TOLD_EVERY == 0:
            progress(sealed.day, report.rows + number)
    found = hashed.seal()
    report.rows += found.rows
    if progress is not None:
        progress(sealed.day, report.rows)
    marks_differ = sha256(found.marks).digest() != sealed.marks_hash
    if found.digest == sealed.digest and found.rows == sealed.rows and not marks_differ:
        return
    rows = list(islice(_differences(connection, sealed.day), DIFFERENCES_NAMED + 1)) if marks_differ else []
    count = f"{sealed.rows:,} rows were sealed and {found.rows:,} are there"
    words = count if found.rows != sealed.rows else f"its {found.rows:,} rows do not give its digest"
    if found.digest == sealed.digest:
        words = "its rows are as they were sealed, and the marks of its seal were changed"
        rows = []
    report.findings.append(Finding(sealed.day, words, tuple(rows[:DIFFERENCES_NAMED]), len(rows) > DIFFERENCES_NAMED))


def _differences(connection: Connection, day: date) -> Iterator[Difference]:
    row = connection.execute("SELECT marks FROM audit_seal WHERE day = %s", (day,)).fetchone()
    assert row is not None
    rows = _rows(connection, day, day + timedelta(days=1))
    return differences(row[0], ((one[0], row_digest(one)) for one in rows))


def _count_around(connection: Connection, report: Report, since: date | None) -> None:
    """Rows after the last seal are still open; before the first one there is none."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM audit_log WHERE at >= coalesce(%s, '-infinity'::timestamptz)),"
        " (SELECT count(*) FROM audit_log WHERE at < (SELECT min(day)::text || ' 00:00+00' FROM audit_seal)::timestamptz)",
        (None if report.head is None else _midnight(report.head.day + timedelta(days=1)),),
    ).fetchone()
    assert row is not None
    report.unsealed = row[0]
    if row[1] and since is None:
        first = connection.execute("SELECT min(day) FROM audit_seal").fetchone()
        assert first is not None
        report.findings.append(Finding(first[0], f"{row[1]:,} rows are from before the first sealed day"))


def _rows(connection: Connection, since: date, until: date) -> Iterator[Row]:
    """The rows of these days in order, streamed."""
    with connection.cursor(name="audit_rows", row_factory=tuple_row) as cursor:
        cursor.itersize = _FETCHED_AT_ONCE
        cursor.execute(_ROWS, (_midnight(since), _midnight(until)))
        yield from cursor


def _midnight(day: date) -> datetime:
    return datetime.combine(day, TimeOfDay(), tzinfo=UTC)

"""Links by which a password is set anew, in the database: asked for by a page, mailed by a worker, used once.

Units: *_s seconds.
Source: schema.sql's section on staff.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

Connection = psycopg.Connection[Any]
# On which a worker hears that somebody waits; see control_plane/jobs/waking.py.
CHANNEL: Final = "corrente_password_reset"
_PROBLEM_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Whom:
    """To whom a link would be mailed."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Held:
    """A link that is open, held until the transaction ends."""

    id: int
    staff_id: int


@dataclass(frozen=True, slots=True)
class Due:
    """A link to be mailed, the taker's for a while."""

    id: int
    name: str
    full_name: str
    email: str
    language: str | None
    attempts: int


def load_whom(connection: Connection, text: str) -> Whom | None:
    """Who signs in under that name or has that e-mail address, may sign in and can be written to."""
    row = connection.execute(
        "SELECT id, name FROM staff WHERE (lower(name) = lower(%(text)s) OR lower(email) = lower(%(text)s)) AND enabled AND email IS NOT NULL"
        " ORDER BY lower(name) = lower(%(text)s) DESC LIMIT 1",
        {"text": text},
    ).fetchone()
    return None if row is None else Whom(*row)


def add_reset(connection: Connection, staff_id: int, *, line: str | None, now: datetime, ends_at: datetime) -> None:
    """Ask for a link, and wake who mails it with the commit."""
    connection.execute(
        "INSERT INTO password_reset (staff_id, address, asked_at, ends_at, next_at) VALUES (%s, %s, %s, %s, %s)",
        (staff_id, line, now, ends_at, now),
    )
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))


def is_open(connection: Connection, digest: bytes, *, now: datetime) -> bool:
    """Whether that link can be used."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM password_reset AS r JOIN staff AS p ON p.id = r.staff_id"
        " WHERE r.digest = %s AND r.used_at IS NULL AND r.ends_at > %s AND p.enabled)",
        (digest, now),
    ).fetchone()
    return bool(row and row[0])


def hold_reset(connection: Connection, digest: bytes, *, now: datetime) -> Held | None:
    """That link if it can be used; who comes with it at the same time waits, and finds it used."""
    row = connection.execute(
        "SELECT id, staff_id FROM password_reset WHERE digest = %s AND used_at IS NULL AND ends_at > %s FOR NO KEY UPDATE",
        (digest, now),
    ).fetchone()
    return None if row is None else Held(*row)


def note_used(connection: Connection, reset_id: int, *, now: datetime) -> None:
    """It is worth nothing any more."""
    connection.execute("UPDATE password_reset SET used_at = %s WHERE id = %s", (now, reset_id))


def take_due(connection: Connection, *, now: datetime, lease_s: float, limit: int) -> list[Due]:
    """Links that are to be mailed, the taker's for that long. Those that nobody could mail in their time are over."""
    rows = connection.execute(
        "UPDATE password_reset AS r SET attempts = r.attempts + 1, next_at = %(now)s + make_interval(secs => %(lease_s)s) FROM staff AS p"
        " WHERE p.id = r.staff_id AND r.id = ANY (ARRAY(SELECT id FROM password_reset WHERE sent_at IS NULL AND used_at IS NULL"
        " AND next_at <= %(now)s AND ends_at > %(now)s ORDER BY next_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED))"
        " AND p.enabled AND p.email IS NOT NULL RETURNING r.id, p.name, p.full_name, p.email, p.language::text, r.attempts",
        {"now": now, "lease_s": lease_s, "limit": limit},
    ).fetchall()
    return [Due(*row) for row in rows]


def keep_digest(connection: Connection, reset_id: int, digest: bytes, *, ends_at: datetime) -> None:
    """The link that is about to be mailed, and until when it can be used; an earlier one of the same is worth nothing."""
    connection.execute("UPDATE password_reset SET digest = %s, ends_at = %s WHERE id = %s", (digest, ends_at, reset_id))


def note_sent(connection: Connection, reset_id: int, *, now: datetime) -> None:
    """A server answers for it now."""
    connection.execute("UPDATE password_reset SET sent_at = %s, problem = '' WHERE id = %s", (now, reset_id))


def note_problem(connection: Connection, reset_id: int, problem: str, *, next_at: datetime) -> None:
    """It was not sent; the next try is then."""
    connection.execute(
        "UPDATE password_reset SET problem = %s, next_at = %s WHERE id = %s",
        (problem[:_PROBLEM_CHARACTERS], next_at, reset_id),
    )

"""Sessions of staff in the database, and the tokens of programs: who comes in with what they show.

Units: *_s seconds.
Source: schema.sql's section on staff.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import psycopg
from psycopg.rows import class_row

from control_plane.access.person import Staff
from control_plane.access.tokens import digest_of
from control_plane.store.staff import LACKING, STAFF_COLUMNS, permissions_of, staff_of

Connection = psycopg.Connection[Any]
EndedWhy = Literal["signed_out", "revoked", "password", "disabled", "second_factor", "used", "too_long"]

# Between the password and the second factor.
STEP_S: Final = 300
_SEEN_EVERY_S: Final = 60
_BROWSER_CHARACTERS: Final = 400


@dataclass(frozen=True, slots=True)
class SessionLength:
    """How long a session lasts: without a click, and in any case."""

    idle_minutes: int
    most_hours: int


# Unless somebody has set another one: the next working day begins with a sign-in.
USUAL_LENGTH: Final = SessionLength(idle_minutes=8 * 60, most_hours=7 * 24)


@dataclass(frozen=True, slots=True)
class Entered:
    """Who a request is from, by its session."""

    session_id: int
    csrf_secret: bytes
    staff: Staff
    must_change_password: bool
    lacks_second_factor: bool
    second_factor_at: datetime | None


@dataclass(frozen=True, slots=True)
class Half:
    """Somebody whose password was right and whose second factor is waited for."""

    session_id: int
    staff_id: int


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its holder and administrators see it."""

    id: int
    staff_id: int
    name: str
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime
    address: str | None
    browser: str
    second_factor_at: datetime | None
    ended_at: datetime | None
    ended_why: str | None


@dataclass(frozen=True, slots=True)
class Program:
    """Who a call of the interface is from, by its token."""

    token_id: int
    token_name: str
    staff: Staff


_LENGTH: Final = f"""
SELECT coalesce(max(idle_minutes), {USUAL_LENGTH.idle_minutes}), coalesce(max(most_hours), {USUAL_LENGTH.most_hours}) FROM staff_session_length"""
_LASTS: Final = f"lasts (idle, most) AS (SELECT make_interval(mins => l.idle), make_interval(hours => l.most) FROM ({_LENGTH}) AS l (idle, most))"
# Of a row of sessions called `s` beside `lasts`: whether it can be used still. What was begun in the moment in which the length was
# set has the end that held then.
_LIVE: Final = "s.ended_at IS NULL AND s.ends_at > %(now)s AND s.created_at > %(now)s - lasts.most AND s.last_seen_at > %(now)s - lasts.idle"
# One statement: the session by its digest, its holder and what they may in this moment. Who holds the row for longer, as a long
# request does, is not waited for: that it was seen is written by the next one.
_ENTER: Final = f"""
WITH {_LASTS}, entered AS (
    SELECT s.id, s.staff_id, s.csrf_secret, s.second_factor_at FROM staff_session AS s, lasts WHERE s.digest = %(digest)s AND s.complete AND {_LIVE}
), seen AS (
    UPDATE staff_session SET last_seen_at = %(now)s WHERE id = (
        SELECT s.id FROM staff_session AS s WHERE s.id = (SELECT id FROM entered)
            AND s.last_seen_at <= %(now)s - make_interval(secs => %(seen_s)s) FOR NO KEY UPDATE SKIP LOCKED)
)
SELECT e.id, e.csrf_secret, e.second_factor_at, {LACKING}, {STAFF_COLUMNS} FROM entered AS e JOIN staff AS p ON p.id = e.staff_id WHERE p.enabled
"""
_TOKEN: Final = f"""
WITH shown AS (
    SELECT id, staff_id, name, permissions, last_used_at FROM api_token
    WHERE digest = %(digest)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
), used AS (
    UPDATE api_token SET last_used_at = %(now)s WHERE id = (
        SELECT t.id FROM api_token AS t WHERE t.id = (SELECT id FROM shown)
            AND (t.last_used_at IS NULL OR t.last_used_at <= %(now)s - make_interval(secs => %(seen_s)s)) FOR NO KEY UPDATE SKIP LOCKED)
)
SELECT t.id, t.name, t.permissions, {STAFF_COLUMNS} FROM shown AS t JOIN staff AS p ON p.id = t.staff_id WHERE p.enabled
"""
_LIST: Final = """
SELECT s.id, s.staff_id, p.name, s.created_at, s.last_seen_at, s.ends_at, host(s.address) AS address, s.browser, s.second_factor_at,
    s.ended_at, s.ended_why
FROM staff_session AS s JOIN staff AS p ON p.id = s.staff_id"""


def load_length(connection: Connection) -> SessionLength:
    """How long sessions last now."""
    row = connection.execute(_LENGTH).fetchone()
    assert row is not None
    return SessionLength(*row)


def hold_length(connection: Connection) -> SessionLength:
    """The same; until the transaction ends nobody else sets it."""
    # The row is there from now on, as without it, so that it can be held.
    usual = (USUAL_LENGTH.idle_minutes, USUAL_LENGTH.most_hours)
    connection.execute(
        "INSERT INTO staff_session_length (idle_minutes, most_hours) VALUES (%s, %s) ON CONFLICT DO NOTHING", usual
    )
    row = connection.execute("SELECT idle_minutes, most_hours FROM staff_session_length FOR UPDATE").fetchone()
    assert row is not None
    return SessionLength(*row)


def save_length(connection: Connection, length: SessionLength) -> None:
    """Let sessions last so long from now on; the caller holds the length."""
    connection.execute(
        "UPDATE staff_session_length SET idle_minutes = %s, most_hours = %s", (length.idle_minutes, length.most_hours)
    )


def close_too_long(connection: Connection, *, now: datetime) -> None:
    """End what lasts too long by the length that is set, so that another length lets none of it in again."""
    connection.execute(
        f"WITH {_LASTS} UPDATE staff_session AS s SET ended_at = %(now)s, ended_why = 'too_long' FROM lasts"
        f" WHERE s.complete AND s.ended_at IS NULL AND NOT ({_LIVE})",
        {"now": now},
    )


def move_ends(connection: Connection) -> None:
    """Give those who are in the latest end by the length that is set."""
    connection.execute(
        f"WITH {_LASTS} UPDATE staff_session AS s SET ends_at = s.created_at + lasts.most FROM lasts WHERE s.complete AND s.ended_at IS NULL"
    )


def session_for(connection: Connection, token: str, *, now: datetime) -> Entered | None:
    """Who has that session, with what they may now; None where it is over, or was never.

    One statement. What is permitted is read anew each time: a role that is taken away is gone at the next request. Who lacks a
    second factor that a role demands is permitted nothing until they have one; their tokens (`token_for`) go on.
    """
    digest = digest_of(token)
    if digest is None:
        return None
    given = {"digest": digest, "now": now, "seen_s": _SEEN_EVERY_S}
    row = connection.execute(_ENTER, given).fetchone()
    if row is None:
        return None
    number, csrf_secret, second_factor_at, lacks_second_factor, *columns = row
    staff = staff_of(tuple(columns))
    return Entered(
        number,
        bytes(csrf_secret),
        staff.limited_to(frozenset()) if lacks_second_factor else staff,
        must_change_password=columns[-1],
        lacks_second_factor=lacks_second_factor,
        second_factor_at=second_factor_at,
    )


def token_for(connection: Connection, bearer: str, *, now: datetime) -> Program | None:
    """Whose token that is. It may what it was made for and its holder may still; who has to change their password may nothing."""
    digest = digest_of(bearer)
    if digest is None:
        return None
    row = connection.execute(_TOKEN, {"digest": digest, "now": now, "seen_s": _SEEN_EVERY_S}).fetchone()
    if row is None:
        return None
    return Program(row[0], row[1], staff_of(row[3:]).limited_to(permissions_of(row[2])))


def begin_session(
    connection: Connection,
    staff_id: int,
    *,
    digest: bytes,
    csrf_secret: bytes,
    address: str | None,
    browser: str,
    complete: bool,
    second_factor_at: datetime | None,
    now: datetime,
    lasts_s: int,
) -> int:
    """Write a new session, or with `complete` false the step before it; returns its number."""
    row = connection.execute(
        "INSERT INTO staff_session (staff_id, digest, csrf_secret, created_at, last_seen_at, ends_at, address, browser, complete,"
        " second_factor_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            staff_id,
            digest,
            csrf_secret,
            now,
            now,
            now + timedelta(seconds=lasts_s),
            address,
            "".join(letter for letter in browser if letter.isprintable())[:_BROWSER_CHARACTERS],
            complete,
            second_factor_at,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def load_half(connection: Connection, token: str, *, now: datetime) -> Half | None:
    """Who waits between password and second factor."""
    return _half(connection, token, now=now, lock="")


def hold_half(connection: Connection, token: str, *, now: datetime) -> Half | None:
    """The same, held until the transaction ends, so that one step is used once."""
    return _half(connection, token, now=now, lock=" FOR NO KEY UPDATE")


def _half(connection: Connection, token: str, *, now: datetime, lock: str) -> Half | None:
    digest = digest_of(token)
    if digest is None:
        return None
    row = connection.execute(
        f"SELECT id, staff_id FROM staff_session WHERE digest = %s AND NOT complete AND ended_at IS NULL AND ends_at > %s{lock}",
        (digest, now),
    ).fetchone()
    return None if row is None else Half(*row)


def load_sessions(connection: Connection, *, now: datetime, staff_id: int | None = None) -> list[Session]:
    """The sessions that can be used now, of one person or of all; the one used last first."""
    of_one = "" if staff_id is None else " AND s.staff_id = %(staff_id)s"
    with connection.cursor(row_factory=class_row(Session)) as cursor:
        return cursor.execute(
            f"WITH {_LASTS} {_LIST}, lasts WHERE s.complete AND {_LIVE}{of_one} ORDER BY s.last_seen_at DESC, s.id DESC",
            {"now": now, "staff_id": staff_id},
        ).fetchall()


def load_session(connection: Connection, session_id: int) -> Session | None:
    """The one of that number, over or not."""
    with connection.cursor(row_factory=class_row(Session)) as cursor:
        return cursor.execute(f"{_LIST} WHERE s.complete AND s.id = %s", (session_id,)).fetchone()


def close_session(
    connection: Connection, session_id: int, *, why: EndedWhy, now: datetime, staff_id: int | None = None
) -> bool:
    """End one, of that person alone where one is given; false where it was over or is somebody else's."""
    mine = "" if staff_id is None else " AND staff_id = %(staff_id)s"
    given = {"id": session_id, "why": why, "now": now, "staff_id": staff_id}
    statement = (
        f"UPDATE staff_session SET ended_at = %(now)s, ended_why = %(why)s WHERE id = %(id)s AND ended_at IS NULL{mine}"
    )
    return connection.execute(statement, given).rowcount == 1


def close_sessions(
    connection: Connection, staff_id: int, *, why: EndedWhy, now: datetime, but: int | None = None
) -> int:
    """End all of a person, steps of a sign-in too, but perhaps the one that asks for it; returns how many."""
    return connection.execute(
        "UPDATE staff_session SET ended_at = %s, ended_why = %s WHERE staff_id = %s AND ended_at IS NULL AND id IS DISTINCT FROM %s",
        (now, why, staff_id, but),
    ).rowcount

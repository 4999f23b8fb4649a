"""Tries to sign in, and how often somebody did something: what back-off and rate limits go by.

Who looks at them and writes one holds the name and the line meanwhile: tries that come together are looked at one after the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import psycopg

from control_plane.access.back_off import BY_ADDRESS_S, BY_NAME_S, KNOWN_S, Failures

Connection = psycopg.Connection[Any]
Outcome = Literal["in", "wrong_password", "wrong_code", "unlocked"]

# Advisory locks of ours; the second number says of whom. Names before lines, so that nobody waits in a ring.
_NAMES: Final = 0x73746E61
_LINES: Final = 0x73746C69


def hold_tries(connection: Connection, key: bytes, line: str | None) -> None:
    """Until the transaction ends nobody else tries this name, nor from this line."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_NAMES, _number(key)))
    if line is not None:
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LINES, _number(line.encode())))


def _number(what: bytes) -> int:
    return int.from_bytes(hashlib.sha256(what).digest()[:4], "big", signed=True)


def failures_by_name(connection: Connection, key: bytes, line: str | None, *, now: datetime) -> Failures:
    """Tries of that name that failed since it last got in, was unlocked, or a day ago.

    Of a line from which the name has got in lately its own alone: who guesses from elsewhere does not keep its holder out.
    """
    row = connection.execute(
        "SELECT count(*), max(at) FROM sign_in_attempt WHERE name_key = %(key)s AND outcome IN ('wrong_password', 'wrong_code')"
        " AND at > %(now)s - make_interval(secs => %(s)s) AND id > coalesce((SELECT max(id) FROM sign_in_attempt"
        " WHERE name_key = %(key)s AND outcome IN ('in', 'unlocked')), 0)"
        " AND (address = %(line)s::inet OR NOT EXISTS (SELECT FROM sign_in_attempt WHERE name_key = %(key)s AND outcome = 'in'"
        " AND address = %(line)s::inet AND at > %(now)s - make_interval(secs => %(known_s)s)))",
        {"key": key, "line": line, "now": now, "s": BY_NAME_S, "known_s": KNOWN_S},
    ).fetchone()
    assert row is not None
    return Failures(*row)


def failures_by_line(connection: Connection, line: str | None, *, now: datetime) -> Failures:
    """Tries from that line that failed in the last hour; somebody who got in from there changes nothing."""
    if line is None:
        return Failures()
    row = connection.execute(
        "SELECT count(*), max(at) FROM sign_in_attempt WHERE address = %s AND outcome IN ('wrong_password', 'wrong_code')"
        " AND at > %s - make_interval(secs => %s)",
        (line, now, BY_ADDRESS_S),
    ).fetchone()
    assert row is not None
    return Failures(*row)


def note_try(
    connection: Connection, key: bytes, *, staff_id: int | None, line: str | None, outcome: Outcome, now: datetime
) -> None:
    """Write down how one ended."""
    connection.execute(
        "INSERT INTO sign_in_attempt (at, name_key, staff_id, address, outcome) VALUES (%s, %s, %s, %s, %s)",
        (now, key, staff_id, line, outcome),
    )


@dataclass(frozen=True, slots=True)
class Turns:
    """How often somebody did something since `begins`, this time included."""

    count: int
    begins: datetime


def count_turn(connection: Connection, what: str, who: str, *, per_s: int, now: datetime) -> Turns:
    """Count one more of `who` doing `what` in a window of that length, which begins with the first.

    One statement on one row: calls that come together are counted one after the other.
    """
    row = connection.execute(
        "INSERT INTO rate_window AS w (what, key, begins, count) VALUES (%(what)s, %(key)s, %(now)s, 1)"
        " ON CONFLICT (what, key) DO UPDATE SET"
        " begins = CASE WHEN w.begins <= %(now)s - make_interval(secs => %(s)s) THEN %(now)s ELSE w.begins END,"
        " count = CASE WHEN w.begins <= %(now)s - make_interval(secs => %(s)s) THEN 1 ELSE least(w.count, 1000000) + 1 END"
        " RETURNING count, begins",
        {"what": what, "key": hashlib.sha256(who.encode()).digest(), "now": now, "s": per_s},
    ).fetchone()
    assert row is not None
    return Turns(*row)


def take_turn(connection: Connection, what: str, who: str, *, limit: int, per_s: int, now: datetime) -> bool:
    """Count one more; false where `who` has done `what` more than `limit` times in a window of that length."""
    return count_turn(connection, what, who, per_s=per_s, now=now).count <= limit


def forget_turns(connection: Connection, what: str, who: str) -> None:
    """Begin to count anew: they were who they said."""
    key = hashlib.sha256(who.encode()).digest()
    connection.execute("UPDATE rate_window SET begins = 'epoch' WHERE what = %s AND key = %s", (what, key))

"""Subscribers' access to the portal in the database: who may come in, links by mail, sessions.

Of a link and of a session's token the SHA-256 alone is kept.
Units: *_s seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from billing.store.push_devices import forget_devices

Connection = psycopg.Connection[Any]

# A subscriber looks in from the telephone at home: a session nobody uses ends after a week, and each after two months.
IDLE_S: Final = 7 * 86_400
MOST_S: Final = 60 * 86_400
LINK_S: Final = 30 * 60
# A letter is days on its way, and lies on a table for a while.
LETTER_S: Final = 30 * 86_400
_SEEN_EVERY_S: Final = 300
# More customers of one address are found by their number.
_MOST_OF_AN_ADDRESS: Final = 5
_LONGEST_NUMBER: Final = 18

_ENTER: Final = """
WITH entered AS (
    SELECT id, customer_id, csrf_secret, last_seen_at FROM portal_session
    WHERE digest = %(digest)s AND ended_at IS NULL AND ends_at > %(now)s AND last_seen_at > %(now)s - make_interval(secs => %(idle_s)s)
), seen AS (
    UPDATE portal_session SET last_seen_at = %(now)s WHERE id = (
        SELECT s.id FROM portal_session AS s WHERE s.id = (SELECT id FROM entered)
            AND s.last_seen_at <= %(now)s - make_interval(secs => %(seen_s)s) FOR NO KEY UPDATE SKIP LOCKED)
)
SELECT e.id, e.customer_id, c.name, c.language::text, e.csrf_secret, a.password_hash IS NOT NULL, (SELECT i.name FROM issuer AS i ORDER BY i.id LIMIT 1)
FROM entered AS e JOIN customer AS c ON c.id = e.customer_id JOIN portal_access AS a ON a.customer_id = c.id WHERE a.blocked_at IS NULL
"""
_ACCESSES: Final = """
SELECT customer_id, email, password_hash FROM portal_access WHERE blocked_at IS NULL AND password_hash IS NOT NULL
    AND (customer_id = %(number)s OR lower(email) = lower(%(email)s)) ORDER BY customer_id LIMIT %(limit)s
"""
_OF_ADDRESS: Final = """
SELECT DISTINCT ON (k.customer_id) k.customer_id, k.id, k.email FROM contact AS k LEFT JOIN portal_access AS a ON a.customer_id = k.customer_id
WHERE lower(k.email) = lower(%s) AND k.contract_id IS NULL AND a.blocked_at IS NULL ORDER BY k.customer_id, k.id LIMIT %s
"""
_USE_LINK: Final = """
UPDATE portal_link SET used_at = %(now)s WHERE digest = %(digest)s AND used_at IS NULL AND ends_at > %(now)s
    AND NOT EXISTS (SELECT FROM portal_access AS a WHERE a.customer_id = portal_link.customer_id AND a.blocked_at IS NOT NULL)
RETURNING customer_id, email
"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A customer who has signed in to the portal. `operator` is whose portal it is."""

    session_id: int
    customer_id: int
    name: str
    language: str
    csrf_secret: bytes
    has_password: bool
    operator: str


@dataclass(frozen=True, slots=True)
class Access:
    """What a customer signs in with."""

    customer_id: int
    email: str | None
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class AccessKept:
    """Under which address a customer comes in (None: their number alone), since when, and since when the office keeps them out, if it does."""

    email: str | None
    has_password: bool
    blocked_at: datetime | None
    came_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class PortalSession:
    """A customer's time in the portal; `is_over` where nothing is done in it any more."""

    id: int
    created_at: datetime
    last_seen_at: datetime
    is_over: bool


def subscriber_for(connection: Connection, digest: bytes, *, now: datetime) -> Subscriber | None:
    """Whose session that is; None where it is over, was never, or the customer is kept out."""
    given = {"digest": digest, "now": now, "idle_s": IDLE_S, "seen_s": _SEEN_EVERY_S}
    row = connection.execute(_ENTER, given).fetchone()
    if row is None:
        return None
    number, customer, name, language, secret, has_password, operator = row
    return Subscriber(number, customer, name, language, bytes(secret), has_password, operator or "")


def find_accesses(connection: Connection, name: str) -> list[Access]:
    """Who may sign in under a name with a password: a mail address in any case of letters, or a customer's number."""
    number = int(name) if name.isascii() and name.isdigit() and len(name) < _LONGEST_NUMBER else None
    rows = connection.execute(_ACCESSES, {"number": number, "email": name, "limit": _MOST_OF_AN_ADDRESS})
    return [Access(*row) for row in rows]


def find_customers_of(connection: Connection, email: str) -> list[tuple[int, int, str]]:
    """Customers that are reached at an address and are not kept out: number, contact, the address as it is kept."""
    return [tuple(row) for row in connection.execute(_OF_ADDRESS, (email, _MOST_OF_AN_ADDRESS))]


def add_link(
    connection: Connection, customer_id: int, *, email: str | None, digest: bytes, now: datetime, lasts_s: int = LINK_S
) -> int:
    """A link that lets the customer in once; returns its number. Without an address it stands in a letter."""
    row = connection.execute(
        "INSERT INTO portal_link (customer_id, email, digest, asked_at, ends_at)"
        " VALUES (%s, %s, %s, %s, %s + make_interval(secs => %s)) RETURNING id",
        (customer_id, email, digest, now, now, lasts_s),
    ).fetchone()
    assert row is not None
    return int(row[0])


def end_letters(connection: Connection, customer_id: int, *, now: datetime) -> None:
    """Let no older letter let the customer in any more: one that was lost is worth nothing once another is printed."""
    connection.execute(
        "UPDATE portal_link SET used_at = %s WHERE customer_id = %s AND email IS NULL AND used_at IS NULL",
        (now, customer_id),
    )


def is_link(connection: Connection, digest: bytes, *, now: datetime) -> bool:
    """Whether the link would let somebody in; looking uses nothing up."""
    row = connection.execute(
        "SELECT FROM portal_link WHERE digest = %s AND used_at IS NULL AND ends_at > %s", (digest, now)
    ).fetchone()
    return row is not None


def use_link(connection: Connection, digest: bytes, *, now: datetime) -> tuple[int, str | None] | None:
    """Use it up: whose it was, and the address that it was mailed to, None for a letter's. None for one that is used, over, or none."""
    row = connection.execute(_USE_LINK, {"digest": digest, "now": now}).fetchone()
    return None if row is None else (row[0], row[1])


def open_access(connection: Connection, customer_id: int, *, email: str | None, now: datetime) -> None:
    """Let a customer in from now on, under an address that they have shown to be theirs, or their number; a block stays."""
    connection.execute(
        "INSERT INTO portal_access AS a (customer_id, email, came_in_at) VALUES (%s, %s, %s) ON CONFLICT (customer_id) DO UPDATE"
        " SET email = coalesce(EXCLUDED.email, a.email), came_in_at = coalesce(a.came_in_at, EXCLUDED.came_in_at)",
        (customer_id, email, now),
    )


def save_password(connection: Connection, customer_id: int, password_hash: str) -> None:
    """What a customer signs in with from now on."""
    connection.execute(
        "UPDATE portal_access SET password_hash = %s WHERE customer_id = %s", (password_hash, customer_id)
    )


def begin_session(
    connection: Connection, customer_id: int, *, digest: bytes, csrf_secret: bytes, now: datetime
) -> None:
    """Write a new session."""
    connection.execute(
        "INSERT INTO portal_session (customer_id, digest, csrf_secret, created_at, last_seen_at, ends_at)"
        " VALUES (%(customer)s, %(digest)s, %(secret)s, %(now)s, %(now)s, %(now)s + make_interval(secs => %(most_s)s))",
        {"customer": customer_id, "digest": digest, "secret": csrf_secret, "now": now, "most_s": MOST_S},
    )


def end_sessions(
    connection: Connection, customer_id: int, *, now: datetime, only: int | None = None, but: int | None = None
) -> int:
    """End a customer's sessions: one, all but one, or all of them; how many. What was asked for in them on devices ends, too."""
    forget_devices(connection, customer_id, only=only, but=but)
    return connection.execute(
        "UPDATE portal_session SET ended_at = %s WHERE customer_id = %s AND ended_at IS NULL"
        " AND (%s::bigint IS NULL OR id = %s) AND (%s::bigint IS NULL OR id <> %s)",
        (now, customer_id, only, only, but, but),
    ).rowcount


def load_access_of(connection: Connection, customer_id: int) -> AccessKept | None:
    """A customer's access; None for who has never come in and was never kept out."""
    row = connection.execute(
        "SELECT email, password_hash IS NOT NULL, blocked_at, came_in_at FROM portal_access WHERE customer_id = %s",
        (customer_id,),
    ).fetchone()
    return None if row is None else AccessKept(*row)


def load_sessions_of(connection: Connection, customer_id: int, *, now: datetime, limit: int) -> list[PortalSession]:
    """A customer's newest sessions, over or not."""
    rows = connection.execute(
        "SELECT id, created_at, last_seen_at, ended_at IS NOT NULL OR ends_at <= %(now)s OR last_seen_at <= %(now)s - make_interval(secs => %(idle)s)"
        " FROM portal_session WHERE customer_id = %(customer)s ORDER BY created_at DESC, id DESC LIMIT %(limit)s",
        {"now": now, "idle": IDLE_S, "customer": customer_id, "limit": limit},
    )
    return [PortalSession(*row) for row in rows]


def save_block(connection: Connection, customer_id: int, blocked_at: datetime | None) -> bool:
    """Keep a customer out since then, whether they ever came in or not, or let them in again; False where that is so already."""
    if blocked_at is not None:
        connection.execute(
            "INSERT INTO portal_access (customer_id) VALUES (%s) ON CONFLICT (customer_id) DO NOTHING", (customer_id,)
        )
    return (
        connection.execute(
            "UPDATE portal_access SET blocked_at = %s WHERE customer_id = %s AND (blocked_at IS NULL) <> (%s::timestamptz IS NULL)",
            (blocked_at, customer_id, blocked_at),
        ).rowcount
        == 1
    )

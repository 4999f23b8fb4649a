"""What people and the worker's rounds ask of e-invoices beside their way: accounts made and stopped, lists, messages, logins.

Units: *_s seconds.
Source: schema.sql's section on e-invoices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]

_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said or done about an e-invoice."""

    at: datetime
    direction: str
    operation: str
    http_status: int | None
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An e-invoice as it is listed."""

    id: int
    label: str
    document_date: date
    account: str
    kind: str
    series: str
    number: int | None
    state: str
    handover: str
    authority_code: str | None
    problem: str
    contradiction: str
    since: datetime
    next_try: datetime | None


_LIST: Final = """
SELECT e.id, d.label, d.document_date, a.name, e.kind::text, e.series, e.number, e.state::text, e.handover::text, e.authority_code, e.problem,
    e.contradiction, e.since, e.next_try
FROM einvoice AS e JOIN document AS d ON d.id = e.document_id JOIN einvoice_account AS a ON a.id = e.account_id
"""
_OPEN: Final = (
    *("draft", "prepared", "sending", "pending", "unknown", "rejected_fixable", "rejected_final", "blocked"),
    *("cancel_requested", "cancel_refused"),
)
_COUNT: Final = "SELECT account_id, state::text, count(*) FROM einvoice GROUP BY 1, 2 ORDER BY 1, 2"
_COUNT_OPEN: Final = "SELECT account_id, state::text, count(*) FROM einvoice WHERE state = ANY (%s::einvoice_state[]) GROUP BY 1, 2 ORDER BY 1, 2"
_NEEDS_A_PERSON: Final = "(e.state IN ('rejected_fixable', 'rejected_final', 'blocked') OR (e.state = 'draft' AND e.next_try IS NULL) OR e.contradiction <> '')"


def take_account_id(connection: Connection) -> int:
    """The number of an account to be: its secret is sealed for it before the row is written."""
    row = connection.execute("SELECT nextval('einvoice_account_id_seq')").fetchone()
    assert row is not None, "a sequence has a next number"
    return int(row[0])


def add_account(
    connection: Connection,
    account_id: int,
    *,
    issuer_id: int,
    name: str,
    provider: str,
    environment: str,
    settings: Mapping[str, str],
    sealed: bytes,
    series: str,
    from_on: date,
    by: str,
) -> None:
    """Write an account: what its issuer issues from then on is queued."""
    connection.execute(
        "INSERT INTO einvoice_account (id, issuer_id, name, provider, environment, settings, sealed_secret, series, from_on, made_by)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s::einvoice_environment, %s, %s, %s, %s, %s)",
        (account_id, issuer_id, name, provider, environment, Jsonb(dict(settings)), sealed, series, from_on, by),
    )


def change_secret(connection: Connection, account_id: int, *, sealed: bytes) -> None:
    """Sign with another key or log in with another password from now on; logins made with the old one are dropped."""
    connection.execute("UPDATE einvoice_account SET sealed_secret = %s WHERE id = %s", (sealed, account_id))
    connection.execute("DELETE FROM auth_ticket WHERE account_id = %s", (account_id,))


def switch(connection: Connection, account_id: int, *, enabled: bool) -> None:
    """Queue and send, or neither. What is with the authority already is asked about only while it is on."""
    connection.execute("UPDATE einvoice_account SET enabled = %s WHERE id = %s", (enabled, account_id))


def block(connection: Connection, account_id: int, *, why: str) -> None:
    """The authority takes nothing of this account until a person has mended it."""
    connection.execute(
        "UPDATE einvoice_account SET blocked_at = coalesce(blocked_at, clock_timestamp()), blocked_reason = %s WHERE id = %s",
        (why[:_TEXT] or "blocked", account_id),
    )


def unblock(connection: Connection, account_id: int) -> int:
    """Go on; what had run into it is sent again, with the octets that it had. Returns how many."""
    connection.execute(
        "UPDATE einvoice_account SET blocked_at = NULL, blocked_reason = '', failures = 0, next_try = clock_timestamp() WHERE id = %s",
        (account_id,),
    )
    return connection.execute(
        "UPDATE einvoice SET state = 'prepared', problem = '', tries = 0, since = clock_timestamp(), next_try = clock_timestamp()"
        " WHERE account_id = %s AND state = 'blocked'",
        (account_id,),
    ).rowcount


def rest(connection: Connection, account_id: int, *, pause_s: float) -> None:
    """Nobody answered: ask nothing for a while."""
    connection.execute(
        "UPDATE einvoice_account SET failures = failures + 1, next_try = clock_timestamp() + make_interval(secs => %s) WHERE id = %s",
        (pause_s, account_id),
    )


def answers(connection: Connection, account_id: int) -> None:
    """Somebody answered."""
    connection.execute("UPDATE einvoice_account SET failures = 0 WHERE id = %s AND failures > 0", (account_id,))


_SERIES: Final = """
SELECT kind::text, series, last_number, range_from, range_to, valid_to FROM einvoice_series WHERE account_id = %s ORDER BY kind, series
"""
_HELD_SERIES: Final = f"{_SERIES} FOR UPDATE"


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """How far one of an account's series is counted, and within which range of the authority's; None: within none."""

    kind: str
    series: str
    last_number: int
    first: int | None
    last: int | None
    valid_to: date | None


def load_series(connection: Connection, account_id: int) -> list[NumberSeries]:
    """The series of an account that have counted, or were given a range."""
    return [NumberSeries(*row) for row in connection.execute(_SERIES, (account_id,))]


def hold_series(connection: Connection, account_id: int) -> list[NumberSeries]:
    """The same, kept from others until the transaction ends: those that are there, and that another comes."""
    connection.execute("SELECT FROM einvoice_account WHERE id = %s FOR NO KEY UPDATE", (account_id,))
    return [NumberSeries(*row) for row in connection.execute(_HELD_SERIES, (account_id,))]


def allow_range(
    connection: Connection, account_id: int, kind: str, series: str, *, first: int, last: int, valid_to: date | None
) -> None:
    """The range of numbers that an authority gave for a series."""
    connection.execute(
        "INSERT INTO einvoice_series (account_id, kind, series, range_from, range_to, valid_to) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (account_id, kind, series) DO UPDATE SET range_from = EXCLUDED.range_from, range_to = EXCLUDED.range_to,"
        " valid_to = EXCLUDED.valid_to",
        (account_id, kind, series, first, last, valid_to),
    )


def load_list(
    connection: Connection,
    *,
    account_id: int | None = None,
    state: str | None = None,
    only_waiting: bool = False,
    before: int | None = None,
    limit: int = 100,
) -> list[Listed]:
    """The newest e-invoices, from the one before `before` on; `only_waiting`: those that need a person."""
    rows = connection.execute(
        f"{_LIST} WHERE (%(account)s::bigint IS NULL OR e.account_id = %(account)s)"
        " AND (%(state)s::text IS NULL OR e.state = %(state)s::einvoice_state)"
        " AND (%(before)s::bigint IS NULL OR e.id < %(before)s)"
        f" AND (NOT %(waiting)s OR {_NEEDS_A_PERSON}) ORDER BY e.id DESC LIMIT %(limit)s",
        {"account": account_id, "state": state, "waiting": only_waiting, "before": before, "limit": limit},
    ).fetchall()
    return [Listed(*row) for row in rows]


def load_one(connection: Connection, einvoice_id: int) -> tuple[Listed, list[Said], list[tuple[str, bytes, int]]]:
    """One e-invoice, what was said about it, and its files: kind, digest, octets."""
    row = connection.execute(f"{_LIST} WHERE e.id = %s", (einvoice_id,)).fetchone()
    assert row is not None, f"e-invoice {einvoice_id} is there"
    said = connection.execute(
        "SELECT at, direction::text, operation, http_status, code, text FROM einvoice_event WHERE einvoice_id = %s ORDER BY id",
        (einvoice_id,),
    ).fetchall()
    files = connection.execute(
        "SELECT kind, digest, octet_length(content) FROM einvoice_artifact WHERE einvoice_id = %s ORDER BY at, kind",
        (einvoice_id,),
    ).fetchall()
    return Listed(*row), [Said(*one) for one in said], [(kind, bytes(digest), size) for kind, digest, size in files]


def find_listed(connection: Connection, einvoice_id: int) -> Listed | None:
    """One e-invoice by its number, or None."""
    row = connection.execute(f"{_LIST} WHERE e.id = %s", (einvoice_id,)).fetchone()
    return None if row is None else Listed(*row)


def load_file(connection: Connection, einvoice_id: int, kind: str) -> bytes | None:
    """The newest file of that kind."""
    row = connection.execute(
        "SELECT content FROM einvoice_artifact WHERE einvoice_id = %s AND kind = %s ORDER BY at DESC LIMIT 1",
        (einvoice_id, kind),
    ).fetchone()
    return None if row is None else bytes(row[0])


def count_states(connection: Connection, *, only_open: bool = False) -> dict[int, dict[str, int]]:
    """How many e-invoices each account has in each state; `only_open` leaves out those that are done with, which are nearly all."""
    counts: dict[int, dict[str, int]] = {}
    rows = connection.execute(_COUNT_OPEN, [list(_OPEN)]) if only_open else connection.execute(_COUNT)
    for account, state, number in rows.fetchall():
        counts.setdefault(account, {})[state] = number
    return counts


def count_overdue(connection: Connection, account_id: int, *, pending_for_s: float) -> int:
    """How many have been waiting for an answer, or in doubt, for longer than is usual there."""
    row = connection.execute(
        "SELECT count(*) FROM einvoice WHERE account_id = %s AND state IN ('pending', 'unknown', 'cancel_requested')"
        " AND since < clock_timestamp() - make_interval(secs => %s)",
        (account_id, pending_for_s),
    ).fetchone()
    assert row is not None, "an aggregate has one row"
    return int(row[0])


def keep_message(connection: Connection, account_id: int, content: bytes) -> bool:
    """Keep what an authority told, before anybody reads it; False when it was told before."""
    return (
        connection.execute(
            "INSERT INTO einvoice_message (account_id, digest, content) VALUES (%s, %s, %s) ON CONFLICT ON CONSTRAINT einvoice_message_once DO NOTHING",
            (account_id, hashlib.sha256(content).digest(), content),
        ).rowcount
        == 1
    )


def take_messages(connection: Connection, account_id: int, *, limit: int) -> list[tuple[int, bytes]]:
    """Messages that nobody has read, in the order in which they came, held for the transaction."""
    rows = connection.execute(
        "SELECT id, content FROM einvoice_message WHERE account_id = %s AND done_at IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
        (account_id, limit),
    ).fetchall()
    return [(number, bytes(content)) for number, content in rows]


def end_message(connection: Connection, message_id: int, *, verdict: str) -> None:
    """It was read, with this result."""
    connection.execute(
        "UPDATE einvoice_message SET done_at = clock_timestamp(), verdict = %s WHERE id = %s",
        (verdict[:_TEXT], message_id),
    )


def load_ticket(connection: Connection, account_id: int, service: str, *, now: datetime) -> bytes | None:
    """A login that is still valid, sealed."""
    row = connection.execute(
        "SELECT sealed_token FROM auth_ticket WHERE account_id = %s AND service = %s AND expires > %s",
        (account_id, service, now),
    ).fetchone()
    return None if row is None else bytes(row[0])


def keep_ticket(connection: Connection, account_id: int, service: str, *, sealed: bytes, expires: datetime) -> None:
    """Keep a login."""
    connection.execute(
        "INSERT INTO auth_ticket (account_id, service, sealed_token, expires) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (account_id, service) DO UPDATE SET sealed_token = EXCLUDED.sealed_token, expires = EXCLUDED.expires",
        (account_id, service, sealed, expires),
    )


def drop_ticket(connection: Connection, account_id: int, service: str) -> None:
    """Forget a login that is not taken any more."""
    connection.execute("DELETE FROM auth_ticket WHERE account_id = %s AND service = %s", (account_id, service))

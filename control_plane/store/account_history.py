"""What happened on an account's line over time: logins and past sessions a page after another, usage by day, month and hour.

Each is read from the newest on by an index of its partitions, behind the last row that was shown. The caller owns the transaction.

Units: octets; days of the billing zone; instants aware UTC.
Next: history.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class LoginRow:
    """One login that was asked for, and the answer; `key` tells those of one moment apart."""

    at: datetime
    key: str
    outcome: str
    reason: str
    nas: str | None
    source: IPv4Address | IPv6Address | IPv4Interface | IPv6Interface | None
    mac: str
    line: str
    detail: str


@dataclass(frozen=True, slots=True)
class PastSessionRow:
    """One session that is over. `octets_in` came from the subscriber."""

    session_key: UUID
    nas: str
    acct_session_id: str
    started_at: datetime
    ended_at: datetime
    ended_by: str
    terminate_cause: str | None
    session_time_s: int
    octets_in: int
    octets_out: int
    address: str | None
    mac: str
    line: str


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Octets of one day, of one month (its first day), as far as the devices have reported."""

    day: date
    octets_in: int
    octets_out: int


_LOGINS: Final = """
SELECT l.at, encode(l.attempt_key, 'hex') AS key, l.outcome, l.reason, n.name AS nas, l.source, l.mac, l.line, l.detail
FROM login_attempt l LEFT JOIN nas n ON n.id = l.nas_id
WHERE l.username = %(username)s AND (%(outcome)s::text IS NULL OR l.outcome = %(outcome)s) {behind}
ORDER BY l.at DESC, l.attempt_key DESC LIMIT %(limit)s
"""
_BEHIND_LOGIN: Final = "AND l.at <= %(at)s AND (l.at, l.attempt_key) < (%(at)s, decode(%(key)s, 'hex'))"
_SESSIONS: Final = """
SELECT s.session_key, coalesce(n.name, s.nas_id::text) AS nas, s.acct_session_id, s.started_at, s.ended_at, s.ended_by::text AS ended_by,
    s.terminate_cause, s.session_time_s, s.octets_in, s.octets_out,
    coalesce(host(s.framed_ipv4), host(s.framed_ipv6_address), s.framed_ipv6_prefix::text, s.delegated_ipv6_prefix::text) AS address,
    s.mac, s.line
FROM closed_session s LEFT JOIN nas n ON n.id = s.nas_id WHERE s.account_id = %(account)s {behind}
ORDER BY s.ended_at DESC, s.session_key DESC LIMIT %(limit)s
"""
_BEHIND_SESSION: Final = "AND s.ended_at <= %(at)s AND (s.ended_at, s.session_key) < (%(at)s, %(key)s::uuid)"
_DAYS: Final = """
SELECT day, octets_in, octets_out FROM usage_day WHERE account_id = %(account)s AND day BETWEEN %(first)s AND %(last)s ORDER BY day
"""
_MONTHS: Final = """
SELECT date_trunc('month', day)::date AS day, sum(octets_in)::bigint AS octets_in, sum(octets_out)::bigint AS octets_out
FROM usage_day WHERE account_id = %(account)s AND day BETWEEN %(first)s AND %(last)s GROUP BY 1 ORDER BY 1
"""


def load_logins_behind(
    connection: Connection, username: str, *, behind: tuple[datetime, str] | None, outcome: str | None, limit: int
) -> list[LoginRow]:
    """Logins asked for under a username, the newest first, from behind that row on; of one outcome if asked."""
    at, key = behind or (None, None)
    given = {"username": username, "outcome": outcome, "at": at, "key": key, "limit": limit}
    with connection.cursor(row_factory=class_row(LoginRow)) as cursor:
        return cursor.execute(_LOGINS.format(behind=_BEHIND_LOGIN if behind else ""), given).fetchall()


def load_sessions_behind(
    connection: Connection, account_id: int, *, behind: tuple[datetime, str] | None, limit: int
) -> list[PastSessionRow]:
    """Sessions that are over, the last one first, from behind that row on."""
    at, key = behind or (None, None)
    given = {"account": account_id, "at": at, "key": key, "limit": limit}
    with connection.cursor(row_factory=class_row(PastSessionRow)) as cursor:
        return cursor.execute(_SESSIONS.format(behind=_BEHIND_SESSION if behind else ""), given).fetchall()


def load_usage_days(connection: Connection, account_id: int, *, first: date, last: date) -> list[UsageRow]:
    """Usage of each day with any, from the first to the last."""
    return _usage(connection, _DAYS, account_id, first, last)


def load_usage_months(connection: Connection, account_id: int, *, first: date, last: date) -> list[UsageRow]:
    """The same by month."""
    return _usage(connection, _MONTHS, account_id, first, last)


def _usage(connection: Connection, statement: str, account_id: int, first: date, last: date) -> list[UsageRow]:
    with connection.cursor(row_factory=class_row(UsageRow)) as cursor:
        return cursor.execute(statement, {"account": account_id, "first": first, "last": last}).fetchall()

"""What happened on an account's line: live sessions, logins, usage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class SessionView:
    """One live session. `octets_in` came from the subscriber. `received_at` is when the device last spoke of it."""

    session_key: UUID
    nas: str
    acct_session_id: str
    started_at: datetime
    received_at: datetime
    session_time_s: int
    octets_in: int
    octets_out: int
    framed_ipv4: IPv4Address | None
    framed_ipv6_address: IPv6Address | None
    framed_ipv6_prefix: IPv6Network | None
    delegated_ipv6_prefix: IPv6Network | None
    nat_address: IPv4Address | None
    nat_first_port: int | None
    nat_last_port: int | None
    mac: str
    line: str
    stale: bool
    policy_version: bytes | None


@dataclass(frozen=True, slots=True)
class LoginView:
    """One login that was asked for, and the answer."""

    at: datetime
    outcome: str
    reason: str
    nas: str | None
    source: IPv4Address | IPv6Address | IPv4Network | IPv6Network | None
    mac: str
    line: str
    detail: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Octets of the civil day and month in the billing zone, as far as the devices have reported."""

    day_in: int
    day_out: int
    month_in: int
    month_out: int


_SESSIONS: Final = """
SELECT s.session_key, n.name AS nas, s.acct_session_id, s.started_at, s.received_at, s.session_time_s, s.octets_in, s.octets_out,
    s.framed_ipv4, s.framed_ipv6_address, s.framed_ipv6_prefix, s.delegated_ipv6_prefix, s.nat_address, s.nat_first_port,
    s.nat_last_port, s.mac, s.line, s.stale, s.policy_version
FROM session s JOIN nas n ON n.id = s.nas_id WHERE s.account_id = %s ORDER BY s.started_at
"""
_LOGINS: Final = """
SELECT l.at, l.outcome, l.reason, n.name AS nas, l.source, l.mac, l.line, l.detail
FROM login_attempt l LEFT JOIN nas n ON n.id = l.nas_id WHERE l.username = %s ORDER BY l.at DESC LIMIT %s
"""
_USAGE: Final = """
SELECT coalesce(sum(octets_in) FILTER (WHERE day = %(today)s), 0)::bigint AS day_in,
    coalesce(sum(octets_out) FILTER (WHERE day = %(today)s), 0)::bigint AS day_out,
    coalesce(sum(octets_in), 0)::bigint AS month_in, coalesce(sum(octets_out), 0)::bigint AS month_out
FROM usage_day WHERE account_id = %(account)s AND day BETWEEN %(first)s AND %(today)s
"""


def load_sessions(connection: Connection, account_id: int) -> list[SessionView]:
    """The account's live sessions, the oldest first."""
    with connection.cursor(row_factory=class_row(SessionView)) as cursor:
        return cursor.execute(_SESSIONS, (account_id,)).fetchall()


def load_logins(connection: Connection, username: str, *, limit: int) -> list[LoginView]:
    """The last logins asked for under a username, the newest first."""
    with connection.cursor(row_factory=class_row(LoginView)) as cursor:
        return cursor.execute(_LOGINS, (username, limit)).fetchall()


def load_usage(connection: Connection, account_id: int, *, today: date) -> Usage:
    """Usage of `today` and of its month so far."""
    with connection.cursor(row_factory=class_row(Usage)) as cursor:
        usage = cursor.execute(
            _USAGE, {"account": account_id, "today": today, "first": today.replace(day=1)}
        ).fetchone()
    assert usage is not None
    return usage

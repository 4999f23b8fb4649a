"""Logins and what was answered, as pages list them: newest first, read on from the attempt before.

Of everybody they are listed for a day at most, which is a range of the key; of one username as far back as they are kept.

The caller owns the transaction.

Units: instants are aware UTC.
Next: network_figures.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class LoginFilter:
    """Which logins: since when, and all that is given must hold. `username` is one whole name."""

    since: datetime | None
    outcome: str = ""
    reason: str = ""
    nas: str = ""
    username: str = ""


@dataclass(frozen=True, slots=True)
class LoginRow:
    """One login. `key` tells it from others of the same moment."""

    at: datetime
    key: str
    outcome: str
    reason: str
    username: str
    account_id: int | None
    customer_id: int | None
    customer: str | None
    nas: str | None
    source: str | None
    mac: str
    line: str
    detail: str


_ROWS: Final = """
SELECT l.at, encode(l.attempt_key, 'hex') AS key, l.outcome, l.reason, l.username, a.id AS account_id, c.customer_id, k.name AS customer, n.name AS nas,
    host(l.source) AS source, l.mac, l.line, l.detail
FROM (SELECT * FROM login_attempt l WHERE {condition} ORDER BY l.at DESC, l.attempt_key DESC LIMIT %(limit)s) AS l
LEFT JOIN nas n ON n.id = l.nas_id LEFT JOIN subscriber_account a ON a.id = l.account_id LEFT JOIN contract c ON c.id = a.contract_id
LEFT JOIN customer k ON k.id = c.customer_id ORDER BY l.at DESC, l.attempt_key DESC
"""
_PARTS: Final = {
    "since": "l.at >= %(since)s",
    "outcome": "l.outcome = %(outcome)s",
    "reason": "l.reason = %(reason)s",
    "nas": "l.nas_id = (SELECT id FROM nas WHERE name = %(nas)s)",
    "username": "l.username = %(username)s",
}


def load_logins(
    connection: Connection, asked: LoginFilter, *, after: tuple[datetime, str] | None, limit: int
) -> list[LoginRow]:
    """One page; `after` is the moment and the key of the login before it."""
    values: dict[str, Any] = {name: value for name in _PARTS if (value := getattr(asked, name))}
    parts = ["true", *(_PARTS[name] for name in values)]
    if after is not None:
        parts.append("(l.at, l.attempt_key) < (%(after)s, decode(%(after_key)s, 'hex'))")
        values |= {"after": after[0], "after_key": after[1]}
    statement = _ROWS.format(condition=" AND ".join(parts))
    with connection.cursor(row_factory=class_row(LoginRow)) as cursor:
        return cursor.execute(statement, {**values, "limit": limit}).fetchall()

"""Enforcements as a person looks at them. The caller owns the transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from nas_drivers.policy import Method

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """One enforcement with its NAS's name. Versions are hex."""

    id: int
    username: str
    nas: str
    nas_id: int
    session_key: UUID
    acct_session_id: str
    level: str
    reason: str
    from_version: bytes | None
    desired_version: bytes | None
    profile_id: int | None
    profile: str | None
    disruptive: bool
    state: str
    method: str
    attempt: int
    error_cause: int | None
    problem: str
    held_since: datetime | None
    held_reason: str
    wanted_at: datetime
    created_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    next_at: datetime | None
    alarmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedPacket:
    """One packet of an enforcement."""

    at: datetime
    direction: str
    code: int
    identifier: int
    peer: str
    attributes: str
    error_cause: int | None


_LISTED: Final = """
SELECT e.id, e.username, n.name AS nas, e.nas_id, e.session_key, e.acct_session_id, e.level::text, e.reason, e.from_version,
    e.desired_version, e.profile_id, p.name AS profile, e.disruptive, e.state::text, e.method::text, e.attempt, e.error_cause,
    e.problem, e.held_since, e.held_reason, e.wanted_at, e.created_at, e.sent_at, e.answered_at, e.closed_at, e.next_at, e.alarmed_at
FROM enforcement e JOIN nas n ON n.id = e.nas_id LEFT JOIN profile p ON p.id = e.profile_id
"""
# One that was told and then came right, or whose session had a later one, is nobody's work any more.
_ALARMING: Final = """
e.alarmed_at IS NOT NULL AND e.state NOT IN ('verified', 'superseded')
    AND EXISTS (SELECT FROM session s WHERE s.session_key = e.session_key)
    AND NOT EXISTS (SELECT FROM enforcement x WHERE x.session_key = e.session_key AND x.id > e.id
        AND x.state IN ('verified', 'unverifiable'))
"""
_AGAIN: Final = """
INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, from_version, desired_version,
    profile_id, disruptive, method, wanted_at, asked_by)
SELECT e.session_key, e.nas_id, e.account_id, e.acct_session_id, e.username, e.level, e.reason, e.from_version, e.desired_version,
    e.profile_id, e.disruptive, %(method)s::enforcement_method, e.wanted_at, e.asked_by
FROM enforcement e WHERE e.id = %(id)s AND EXISTS (SELECT FROM session s WHERE s.session_key = e.session_key)
ON CONFLICT (session_key) WHERE state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered') DO NOTHING RETURNING id
"""


def load_enforcements(
    connection: Connection,
    *,
    username: str | None = None,
    nas: str | None = None,
    state: str | None = None,
    alarms: bool = False,
    open_only: bool = False,
    held_only: bool = False,
    before: int | None = None,
    limit: int,
) -> list[Listed]:
    """The newest first, from behind that number on; with `alarms` those that a person must still look at."""
    # Only what is asked for stands in the question, so that the planner takes its index.
    asked = {
        "e.username = %(username)s": username is not None,
        "e.nas_id = (SELECT id FROM nas WHERE name = %(nas)s)": nas is not None,
        "e.state = %(state)s::enforcement_state": state is not None,
        "e.id < %(before)s": before is not None,
        "e.closed_at IS NULL": open_only,
        "e.held_since IS NOT NULL AND e.closed_at IS NULL": held_only,
        _ALARMING: alarms,
    }
    some = " AND ".join(words for words, is_asked in asked.items() if is_asked) or "true"
    given = {"username": username, "nas": nas, "state": state, "before": before, "limit": limit}
    with connection.cursor(row_factory=class_row(Listed)) as cursor:
        return cursor.execute(f"{_LISTED} WHERE {some} ORDER BY e.id DESC LIMIT %(limit)s", given).fetchall()


def load_enforcement(connection: Connection, number: int) -> Listed | None:
    """The one of that number."""
    with connection.cursor(row_factory=class_row(Listed)) as cursor:
        return cursor.execute(_LISTED + "WHERE e.id = %s", (number,)).fetchone()


def load_packets(connection: Connection, number: int) -> list[ListedPacket]:
    """Its packets in the order of time."""
    with connection.cursor(row_factory=class_row(ListedPacket)) as cursor:
        return cursor.execute(
            "SELECT at, direction, code, identifier, peer, attributes, error_cause FROM enforcement_packet "
            "WHERE enforcement_id = %s ORDER BY at, direction DESC",
            (number,),
        ).fetchall()


def save_due_now(connection: Connection, number: int) -> bool:
    """Make an open one due now, unless a worker has it; whether there was one to."""
    return bool(
        connection.execute(
            "UPDATE enforcement SET next_at = now() WHERE id = %s AND closed_at IS NULL AND state <> 'acked' "
            "AND (taken_until IS NULL OR taken_until <= now())",
            (number,),
        ).rowcount
    )


def save_again(connection: Connection, number: int, method: Method) -> int | None:
    """Open the same change anew; None when its session is over or has an open one."""
    row = connection.execute(_AGAIN, {"id": number, "method": method.value}).fetchone()
    return None if row is None else int(row[0])

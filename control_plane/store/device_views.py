"""The lists read from devices, as the database keeps them, and the sessions that accounting has of the same NAS.

The caller owns the transaction.

Units: instants are aware UTC.
Next: control_loop/device_views.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from control_plane.accounting.session_state import key_by_start
from control_plane.control_loop.two_views import GRACE_S, Contradicted, Gives, HeldSession, ListedSession, OwnSession
from nas_drivers.device_session import DeviceSession
from nas_drivers.errors import printable

Connection = psycopg.Connection[Any]

_MAC: Final = re.compile(r"[0-9a-f]{12}")
# Beyond it a device's words are no rate; far below what a bigint holds.
_RATE_MAX_BPS: Final = 10**15
_TEMPORARY: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS device_list (
    acct_session_id text, username text, framed_ipv4 inet, mac text, since timestamptz, own_key uuid,
    rate_down_bps bigint, rate_up_bps bigint, address_lists text[]
) ON COMMIT DELETE ROWS
"""
_FORGET: Final = """
DELETE FROM device_session x WHERE x.nas_id = %s AND NOT EXISTS (
    SELECT FROM device_list l WHERE l.acct_session_id = x.acct_session_id AND l.username = x.username)
"""
# What stays keeps the time and the key it was first listed with.
_KEEP: Final = """
INSERT INTO device_session AS x (nas_id, acct_session_id, username, framed_ipv4, mac, since, own_key, rate_down_bps, rate_up_bps, address_lists)
SELECT DISTINCT ON (acct_session_id) %s, acct_session_id, username, framed_ipv4, mac, since, own_key, rate_down_bps, rate_up_bps, address_lists
FROM device_list ORDER BY acct_session_id, since DESC
ON CONFLICT (nas_id, acct_session_id) DO UPDATE SET rate_down_bps = EXCLUDED.rate_down_bps, rate_up_bps = EXCLUDED.rate_up_bps,
    address_lists = EXCLUDED.address_lists
WHERE (x.rate_down_bps, x.rate_up_bps, x.address_lists) IS DISTINCT FROM (EXCLUDED.rate_down_bps, EXCLUDED.rate_up_bps, EXCLUDED.address_lists)
"""
_READ: Final = """
INSERT INTO device_reading (nas_id, tried_at, read_at, sessions) VALUES (%(nas)s, %(at)s, %(at)s, %(count)s)
ON CONFLICT (nas_id) DO UPDATE SET tried_at = %(at)s, read_at = %(at)s, sessions = %(count)s, problem = '', held = '',
    policies_held = ''
"""
_NOT_READ: Final = """
INSERT INTO device_reading (nas_id, tried_at, problem) VALUES (%(nas)s, %(at)s, %(problem)s)
ON CONFLICT (nas_id) DO UPDATE SET tried_at = %(at)s, problem = %(problem)s
"""
# In whole seconds as session_reads.py has it, so that one that speaks meanwhile is known to have spoken.
_OWN: Final = """
SELECT uuid_send(session_key), acct_session_id, username, started_at, to_timestamp(date_part('epoch', received_at)::bigint)
FROM session WHERE nas_id = %s
"""
# What an account's own attributes change in its profile is not known here. A change on its way, or sent since the device was
# asked, may be seen or not. Where the login itself came to something else, a disconnect a day is enough to try.
_HELD: Final = """
SELECT uuid_send(s.session_key), s.acct_session_id, s.username, s.account_id, coalesce(s.applied_version, s.policy_version, v.desired), v.desired
FROM session s JOIN subscriber_account a ON a.id = s.account_id JOIN desired_policy d ON d.account_id = s.account_id
LEFT JOIN profile_revision p ON p.profile_id = d.profile_id
CROSS JOIN LATERAL (SELECT p.revision || d.account_revision AS desired) AS v
WHERE s.nas_id = %(nas)s AND NOT s.stale AND a.own_attributes = '[]' AND (s.applied_at IS NULL OR s.applied_at < %(read_at)s)
    AND coalesce(s.applied_version, s.policy_version, v.desired) IS NOT NULL
    AND NOT EXISTS (SELECT FROM enforcement e WHERE e.session_key = s.session_key AND e.sent_at IS NOT NULL
        AND (e.closed_at IS NULL OR e.sent_at >= %(read_at)s))
    AND (s.applied_version IS NOT NULL OR NOT EXISTS (SELECT FROM enforcement e WHERE e.account_id = s.account_id
        AND e.method <> 'coa' AND e.state = 'verified' AND e.closed_at > %(read_at)s - interval '1 day'))
"""
# Profiles as they are now first; then what they gave before they were edited. The release before did not note their lists.
_GIVES: Final = """
SELECT r.revision, coalesce(f.rate_down_bps, 0), coalesce(f.rate_up_bps, 0), f.address_lists
FROM profile_revision r JOIN profile f ON f.id = r.profile_id
UNION ALL
SELECT k.revision, coalesce(k.rate_down_bps, 0), coalesce(k.rate_up_bps, 0), CASE WHEN k.content IS NOT NULL THEN
    ARRAY(SELECT jsonb_array_elements_text(k.content -> 'address_lists')) END FROM known_revision k
"""
_SHOWN: Final = """
UPDATE session s SET applied_version = w.version, applied_by = 'device', applied_at = %(read_at)s
FROM unnest(%(keys)s::uuid[], %(versions)s::bytea[]) AS w (key, version)
WHERE s.session_key = w.key AND (s.applied_at IS NULL OR s.applied_at < %(read_at)s)
RETURNING s.account_id
"""
# One that has ended since it was listed is no riddle; neither is one without an account that accounting knows.
_UNKNOWN: Final = f"""
SELECT x.own_key AS session_key, x.nas_id, n.name AS nas, n.vendor, x.acct_session_id, x.username, NULL::bigint AS account_id,
    host(x.framed_ipv4) AS address, x.mac, x.since, r.read_at, 'only on the device' AS problem
FROM device_session x JOIN device_reading r ON r.nas_id = x.nas_id JOIN nas n ON n.id = x.nas_id
WHERE x.since < r.read_at - make_interval(secs => {GRACE_S})
    AND NOT EXISTS (SELECT FROM session s WHERE s.nas_id = x.nas_id AND s.acct_session_id = x.acct_session_id AND s.username = x.username)
    AND NOT EXISTS (SELECT FROM closed_session c WHERE c.nas_id = x.nas_id AND c.acct_session_id = x.acct_session_id
        AND c.username = x.username AND c.ended_at >= r.read_at - make_interval(secs => {GRACE_S}))
UNION ALL
SELECT s.session_key, s.nas_id, n.name, n.vendor, s.acct_session_id, s.username, NULL, host(s.framed_ipv4), s.mac, s.started_at,
    s.received_at, 'no account has this username'
FROM session s JOIN nas n ON n.id = s.nas_id WHERE s.account_id IS NULL AND NOT s.stale
ORDER BY nas, since, acct_session_id
"""
_ONE_UNKNOWN: Final = f"SELECT * FROM ({_UNKNOWN}) AS u WHERE u.session_key = %s"
_READINGS: Final = """
SELECT r.nas_id, n.name AS nas, r.tried_at, r.read_at, r.sessions, r.problem, r.held, r.policies_held
FROM device_reading r JOIN nas n ON n.id = r.nas_id ORDER BY n.name
"""

_TO_READ: Final = """
SELECT id FROM nas WHERE enabled AND (api_username IS NOT NULL OR (verification = 'cli' AND ssh_host_key IS NOT NULL))
"""


@dataclass(frozen=True, slots=True)
class UnknownSession:
    """A session that belongs to nobody: only on the device, or of a username that no account has. `read_at` is the list
    it stands in, or when its device last spoke of it."""

    session_key: UUID
    nas_id: int
    nas: str
    vendor: str
    acct_session_id: str
    username: str
    account_id: int | None
    address: str | None
    mac: str
    since: datetime
    read_at: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How the last reading of a NAS went. `read_at` is the last one that was complete, `held` why nothing came of it,
    `policies_held` why what it showed of its sessions' policies was not believed."""

    nas_id: int
    nas: str
    tried_at: datetime
    read_at: datetime | None
    sessions: int
    problem: str
    held: str
    policies_held: str


def save_list(connection: Connection, nas_id: int, listed: Iterable[DeviceSession], *, read_at: datetime) -> None:
    """Take a complete list in the place of the one before."""
    connection.execute(_TEMPORARY)
    connection.execute("DELETE FROM device_list")
    rows = [_row(nas_id, one, read_at) for one in listed if one.acct_session_id]
    with connection.cursor() as cursor, cursor.copy("COPY device_list FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(_FORGET, (nas_id,))
    connection.execute(_KEEP, (nas_id,))
    connection.execute(_READ, {"nas": nas_id, "at": read_at, "count": len(rows)})


def _row(nas_id: int, one: DeviceSession, read_at: datetime) -> tuple[object, ...]:
    since = read_at - timedelta(seconds=one.up_s or 0)
    key = key_by_start(nas_id, one.acct_session_id, one.username, int(since.timestamp()))
    mac = one.mac if _MAC.fullmatch(one.mac) else ""
    down, up = one.rate_down_bps, one.rate_up_bps
    said = down is not None and up is not None and max(down, up) <= _RATE_MAX_BPS
    rates = (down, up) if said else (None, None)
    lists = None if one.address_lists is None else [printable(name) for name in one.address_lists]
    return (
        printable(one.acct_session_id),
        printable(one.username),
        one.framed_ipv4,
        mac,
        since,
        UUID(bytes=key),
        *rates,
        lists,
    )


def save_not_read(connection: Connection, nas_id: int, problem: str, *, at: datetime) -> None:
    """A NAS could not be read: its list stays the one of before, and its age shows."""
    connection.execute(_NOT_READ, {"nas": nas_id, "at": at, "problem": printable(problem) or "no reason given"})


def save_held(connection: Connection, nas_id: int, held: str) -> None:
    """Why nothing was done about the difference; empty when something was, or there is none."""
    connection.execute("UPDATE device_reading SET held = %s WHERE nas_id = %s", (held, nas_id))


def save_policies_held(connection: Connection, nas_id: int, held: str) -> None:
    """Why what a device shows of its sessions' policies is not believed; empty when it is."""
    connection.execute("UPDATE device_reading SET policies_held = %s WHERE nas_id = %s", (held, nas_id))


def load_held(connection: Connection, nas_id: int, *, read_at: datetime) -> list[HeldSession]:
    """The live sessions of a NAS of which a list read at `read_at` may be news, with what we take them to run under."""
    return [HeldSession(*row) for row in connection.execute(_HELD, {"nas": nas_id, "read_at": read_at})]


def load_gives(connection: Connection) -> dict[bytes, Gives]:
    """What each revision of a profile gives that is known, today's first."""
    gives: dict[bytes, Gives] = {}
    for revision, down, up, lists in connection.execute(_GIVES):
        gives.setdefault(revision, Gives(down, up, None if lists is None else frozenset(lists)))
    return gives


def save_shown(connection: Connection, shown: Iterable[Contradicted], *, read_at: datetime) -> list[int]:
    """Their device says that these sessions run under something else; returns the accounts. The caller holds the NAS."""
    rows = list(shown)
    keys = [UUID(bytes=one.session.session_key) for one in rows]
    given = {"keys": keys, "versions": [one.shown for one in rows], "read_at": read_at}
    return [row[0] for row in connection.execute(_SHOWN, given)]


def load_read(connection: Connection) -> frozenset[int]:
    """The enabled NASes whose own list is read: with an access to their API, or verified by their command line."""
    return frozenset(row[0] for row in connection.execute(_TO_READ))


def load_own(connection: Connection, nas_id: int) -> list[OwnSession]:
    """The live sessions that accounting has of a NAS, silent ones too."""
    return [OwnSession(*row) for row in connection.execute(_OWN, (nas_id,))]


def load_shown(connection: Connection, nas_id: int) -> list[DeviceSession]:
    """The last complete list of a NAS, with what the device shows of each session's policy."""
    rows = connection.execute(
        "SELECT acct_session_id, username, rate_down_bps, rate_up_bps, address_lists FROM device_session WHERE nas_id = %s",
        (nas_id,),
    )
    return [
        DeviceSession(
            session_id,
            username,
            rate_down_bps=down,
            rate_up_bps=up,
            address_lists=None if lists is None else tuple(lists),
        )
        for session_id, username, down, up, lists in rows
    ]


def load_list(connection: Connection, nas_id: int) -> list[ListedSession]:
    """The last complete list of a NAS."""
    rows = connection.execute(
        "SELECT acct_session_id, username, since FROM device_session WHERE nas_id = %s", (nas_id,)
    )
    return [ListedSession(*row) for row in rows]


def load_unknown(connection: Connection) -> list[UnknownSession]:
    """The sessions that belong to nobody."""
    with connection.cursor(row_factory=class_row(UnknownSession)) as cursor:
        return cursor.execute(_UNKNOWN).fetchall()


def find_unknown(connection: Connection, session_key: str) -> UnknownSession | None:
    """The one of that key; None for no key, and for a session that somebody has."""
    try:
        key = UUID(session_key)
    except ValueError:
        return None
    with connection.cursor(row_factory=class_row(UnknownSession)) as cursor:
        return cursor.execute(_ONE_UNKNOWN, (key,)).fetchone()


def load_readings(connection: Connection) -> list[Reading]:
    """How the devices' lists were last read, by name of the NAS."""
    with connection.cursor(row_factory=class_row(Reading)) as cursor:
        return cursor.execute(_READINGS).fetchall()


def load_reading(connection: Connection, nas_id: int) -> Reading | None:
    """How a NAS was last read; None when it never was."""
    return next((one for one in load_readings(connection) if one.nas_id == nas_id), None)


def open_cut(connection: Connection, cut: UnknownSession, *, method: str, reason: str) -> int | None:
    """An enforcement that ends a session of nobody; None when one is open already."""
    row = connection.execute(
        "INSERT INTO enforcement (session_key, nas_id, account_id, acct_session_id, username, level, reason, disruptive, method, "
        "wanted_at) VALUES (%s, %s, NULL, %s, %s, 'none', %s, true, %s, %s) ON CONFLICT (session_key) "
        "WHERE state IN ('queued', 'sent', 'acked', 'nacked', 'unanswered') DO NOTHING RETURNING id",
        (cut.session_key, cut.nas_id, cut.acct_session_id, cut.username, reason, method, datetime.now(UTC)),
    ).fetchone()
    return None if row is None else row[0]

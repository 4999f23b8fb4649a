"""What `corrente ledger check` says of the network: each account is to have what its contract, restrictions, relief and the time come to.

Asked of the rules once more (policy/access_policy.py), from the rows that they read. What the worker was told and has not looked at yet is left out, and
so is what nobody works out: without a worker that ever led there is nothing to compare.

Next: control_plane/cli/_ledger_check.py
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from billing.store.checks.check import Check, by_statement
from control_plane.control_loop.desired import READER
from control_plane.policy.access_policy import policy_steps
from control_plane.policy.policy_source import AccountRow, load_accounts
from control_plane.policy.rendering import account_facts
from radius_hooks.decision import step_at
from radius_hooks.policy_records import Level

Connection = psycopg.Connection[Any]
_STEP: Final = 5_000
# Told since the worker's position, as policies are told: by account, by contract, or by something that many share.
_STANDS: Final = """
SELECT p.snapshot, now(), pg_snapshot_xmin(p.snapshot::pg_snapshot) < h.xid OR pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(p.snapshot::pg_snapshot)
FROM feed_position p CROSS JOIN change_horizon h WHERE p.reader = %s
"""
_BEHIND: Final = """
SELECT kind::text, key FROM change_feed WHERE xid >= pg_snapshot_xmin(%(last)s::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, %(last)s::pg_snapshot) AND kind <> 'session'
"""
_DESIRED: Final = """
SELECT account_id, level::text FROM desired_policy WHERE account_id BETWEEN %s AND %s AND (valid_until IS NULL OR valid_until > now())
"""


# Of few: those whose version differs are looked up.
DELIVERED: Final = by_statement(
    "delivered",
    "I21",
    "a session that was proved to have what it is to have runs under it",
    walks="",
    step=1,
    statement="""
SELECT 'account ' || a.username, format('its session %%s on NAS %%s was proved to have its policy at %%s, and runs under another', s.acct_session_id, s.nas_id, e.closed_at AT TIME ZONE 'UTC')
FROM session s JOIN desired_policy d ON d.account_id = s.account_id JOIN profile_revision p ON p.profile_id = d.profile_id JOIN subscriber_account a ON a.id = s.account_id
    CROSS JOIN LATERAL (SELECT state, desired_version, closed_at FROM enforcement WHERE session_key = s.session_key ORDER BY id DESC LIMIT 1) AS e
WHERE NOT s.stale AND coalesce(s.applied_version, s.policy_version) IS DISTINCT FROM p.revision || d.account_revision
    AND e.state = 'verified' AND e.desired_version = p.revision || d.account_revision AND e.closed_at < now() - interval '5 minutes' ORDER BY 1
""",
)


def network_checks(zone: ZoneInfo) -> tuple[Check, ...]:
    """What is checked of the network, with the zone in which contracts begin and end."""
    return desired_check(zone), DELIVERED


def desired_check(zone: ZoneInfo) -> Check:
    """The check, with the zone in which contracts begin and end."""

    def find(connection: Connection, first: int, last: int) -> Iterator[tuple[str, str]]:
        worker = connection.execute(_STANDS, (READER,)).fetchone()
        if worker is None or worker[2]:
            return
        accounts, contracts, many = _behind(connection, worker[0])
        if many:
            return
        stands = dict(connection.execute(_DESIRED, (first, last)).fetchall())
        now = worker[1]
        for row in load_accounts(connection, ids=sorted(stands.keys() - accounts)):
            ought = _level(row, now, zone)
            if row.contract_id not in contracts and ought is not None and stands[row.account_id] != ought:
                yield (
                    f"account {row.username}",
                    f"it is to have {stands[row.account_id]} and contract {row.contract_id}, which is {row.status}, comes to {ought}",
                )

    return Check(
        "network",
        "I27",
        "what an account is to have follows from its contract's status, restrictions, relief and the time",
        "subscriber_account",
        _STEP,
        find,
    )


def _behind(connection: Connection, last: str) -> tuple[set[int], set[int], bool]:
    """Accounts and contracts that the worker has not looked at again, and whether anything is that many of them share."""
    rows = connection.execute(_BEHIND, {"last": last}).fetchall()
    of: dict[str, set[int]] = {}
    for kind, key in rows:
        of.setdefault(kind, set()).add(key)
    return of.pop("account", set()), of.pop("contract", set()), bool(of)


def _level(row: AccountRow, now: datetime, zone: ZoneInfo) -> str | None:
    """The level by the rules; None for an account that can't be worked out."""
    if row.expires_at is not None and row.expires_at <= now:
        return Level.NONE.name.lower()
    try:
        steps = policy_steps(account_facts(row), now=now, zone=zone)
    except (ValueError, KeyError):
        return None
    return step_at(steps, now.timestamp()).level.name.lower()

"""What a forecast stands on: who is online and has a step to come, what is open now, and what persons have said.

Next: explaining/forecast.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.control_loop.guard import WINDOW, Verdict
from control_plane.explaining.forecast import Coming, Tally, coming_steps, why_at
from control_plane.policy import policy_source
from control_plane.policy.access_policy import policy_steps
from control_plane.policy.rendering import account_facts
from control_plane.quantities import instant_text
from control_plane.store.guard import GuardRules, count_live, may_send
from control_plane.store.interventions import load_trip
from radius_hooks.policy_records import Level

Connection = psycopg.Connection[Any]

# Accounts worked out at once.
_PART_ACCOUNTS: Final = 2000
# Open changes of which a verdict is shown each.
OPEN_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class OpenChange:
    """One change that has not ended."""

    id: int
    username: str
    nas: str
    level: str
    reason: str
    disruptive: bool
    state: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Word:
    """What a person said of a contract that bears on automation: a limit of theirs, or an exemption."""

    contract_id: int
    level: str | None
    since: datetime
    until: datetime | None
    words: str


_OPEN: Final = """
SELECT e.id, e.username::text, n.name AS nas, e.level::text AS level, e.reason, e.disruptive, e.state::text AS state, e.problem
FROM enforcement e JOIN nas n ON n.id = e.nas_id WHERE e.closed_at IS NULL ORDER BY e.disruptive, e.id LIMIT %s
"""
_WITH_A_STEP: Final = """
SELECT d.account_id, min(s.nas_id) FROM desired_policy d JOIN session s ON s.account_id = d.account_id AND NOT s.stale
WHERE d.valid_until <= %(until)s AND d.account_id > %(after)s GROUP BY 1 ORDER BY 1 LIMIT %(limit)s
"""
_BY_PERSON: Final = """
SELECT contract_id, level::text AS level, since, until, '' AS words FROM restriction
WHERE contract_id = ANY (%(contracts)s) AND lifted_at IS NULL AND held_since IS NULL AND (run_id IS NULL OR release_id IS NOT NULL)
UNION ALL SELECT contract_id, NULL, since, until, 'contract exempt by ' || placed_by || ': ' || reason FROM guard_exemption
WHERE contract_id = ANY (%(contracts)s) AND ended_at IS NULL AND until > %(now)s
"""
_UNKNOWN: Final = """
SELECT count(DISTINCT s.account_id) FROM session s
WHERE NOT s.stale AND s.account_id IS NOT NULL AND NOT EXISTS (SELECT FROM desired_policy d WHERE d.account_id = s.account_id)
"""
_SEVERITIES: Final = {"throttle": Level.THROTTLE, "walled": Level.WALLED, "blocked": Level.BLOCKED}


def load_open_changes(connection: Connection) -> list[OpenChange]:
    """The changes that have not ended, what restores first."""
    with connection.cursor(row_factory=class_row(OpenChange)) as cursor:
        return cursor.execute(_OPEN, (OPEN_SHOWN,)).fetchall()


def load_verdicts(
    connection: Connection, changes: Sequence[OpenChange], now: datetime, rules: GuardRules
) -> dict[int, Verdict]:
    """What the guard would say of these now; asked as the enforcer asks, and taken back."""
    with connection.transaction(force_rollback=True):
        return may_send(connection, [one.id for one in changes], now, rules)


def load_tally(connection: Connection, now: datetime) -> Tally:
    """Where the guard stands: online, cut in the last hour and when, tripped or not."""
    tally = Tally(live=count_live(connection))
    trip = load_trip(connection)
    tally.tripped = trip[1] if trip else ""
    tally.gone.extend(
        connection.execute(
            "SELECT at, coalesce(account_id, -enforcement_id) FROM guard_pass WHERE release_id IS NULL AND at > %s ORDER BY at",
            (now - WINDOW,),
        ).fetchall()
    )
    return tally


def load_maintenance_ends(connection: Connection, now: datetime) -> dict[int, datetime]:
    """When the maintenance of a NAS ends by itself, where that is set."""
    return dict(
        connection.execute(
            "SELECT nas_id, until FROM nas_maintenance WHERE ended_at IS NULL AND until > %s", (now,)
        ).fetchall()
    )


def count_not_worked_out(connection: Connection) -> int:
    """Subscribers online whose policy the loop has not worked out: nothing can be foretold of them."""
    row = connection.execute(_UNKNOWN).fetchone()
    assert row is not None
    return int(row[0])


def load_coming(connection: Connection, *, now: datetime, until: datetime, rules: GuardRules) -> Iterator[Coming]:
    """Every step of everybody online within `(now, until]`, in order of account."""
    after = 0
    while True:
        given = {"until": until, "after": after, "limit": _PART_ACCOUNTS}
        nases: dict[int, int] = dict(connection.execute(_WITH_A_STEP, given).fetchall())
        if not nases:
            return
        after = max(nases)
        rows = policy_source.load_accounts(connection, ids=list(nases))
        words = _load_words(connection, [row.contract_id for row in rows], now)
        for row in rows:
            yield from _coming_of(row, nases[row.account_id], words, now=now, until=until, rules=rules)


def _load_words(connection: Connection, contracts: list[int], now: datetime) -> dict[int, list[_Word]]:
    with connection.cursor(row_factory=class_row(_Word)) as cursor:
        found: dict[int, list[_Word]] = {}
        for word in cursor.execute(_BY_PERSON, {"contracts": contracts, "now": now}):
            found.setdefault(word.contract_id, []).append(word)
        return found


def _coming_of(
    row: policy_source.AccountRow,
    nas_id: int,
    words: dict[int, list[_Word]],
    *,
    now: datetime,
    until: datetime,
    rules: GuardRules,
) -> Iterator[Coming]:
    facts = account_facts(row)
    steps = policy_steps(facts, now=now, zone=rules.zone)
    said = words.get(row.contract_id, [])
    for at, before, then in coming_steps(steps, expires_at=row.expires_at, now=now, until=until):
        in_force = [word for word in said if word.since <= at and (word.until is None or at < word.until)]
        yield Coming(
            at=at,
            account_id=row.account_id,
            username=row.username,
            nas_id=nas_id,
            before=before,
            after=then,
            why=why_at(facts, at, expires_at=row.expires_at, zone=rules.zone),
            by_person=any(
                word.level is not None and _SEVERITIES[word.level].value >= then.level.value for word in in_force
            ),
            exempt=next(
                (
                    f"{word.words}, until {instant_text(word.until, rules.zone)}"
                    for word in in_force
                    if word.level is None and word.until is not None
                ),
                "",
            ),
        )

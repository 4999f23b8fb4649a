"""What may be sent now, decided in the transaction that sends: exact however many workers ask at once.

`may_send` is called by the enforcer for the changes it has claimed (and locked), in the transaction that writes its intent.
The row of guard_state is held until that transaction commits, so two workers together let go no more than one would.

Units: `now` is aware UTC. Transactions are READ COMMITTED: whoever waited for the row must see what the other let go.
Next: control_loop/enforcer.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import psycopg

from control_plane import db
from control_plane.control_loop.guard import (
    WINDOW,
    Change,
    GuardLimits,
    Hour,
    Situation,
    Verdict,
    verdict_apart_from_share,
    verdicts_by_share,
)
from control_plane.policy import policy_source
from control_plane.policy.access_policy import policy_steps
from control_plane.policy.rendering import account_facts
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from radius_hooks.policy_records import Level

Connection = psycopg.Connection[Any]

# How old the number of subscribers online may be: counting a million takes part of a second, while others wait.
_LIVE_MAX_AGE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class GuardRules:
    """What the settings say: the limits, and the zone in which a contract's days begin."""

    limits: GuardLimits
    zone: ZoneInfo


def guard_rules(settings: Settings) -> GuardRules:
    """The rules of these settings."""
    given = settings.guard
    return GuardRules(GuardLimits(given.share_percent, given.never_less_than), settings.zone)


# A person's cut: a restriction in force, as severe as the change, that a person placed or let go; `none` is no restriction's.
# A session of no account is cut by a person's command alone (corrente drift cut), and what a person asked for says so.
BY_PERSON: Final = """
(e.account_id IS NULL OR e.asked_by IS NOT NULL OR EXISTS (SELECT FROM restriction r WHERE r.contract_id = a.contract_id AND r.lifted_at IS NULL AND r.held_since IS NULL
    AND r.since <= %(now)s AND (r.until IS NULL OR %(now)s < r.until) AND (r.run_id IS NULL OR r.release_id IS NOT NULL)
    AND e.level <> 'none' AND r.level::text::policy_level >= e.level
    AND NOT (r.origin = 'dunning' AND EXISTS (SELECT FROM relief l WHERE l.contract_id = a.contract_id AND l.during @> %(now)s))))
"""
EXEMPTED: Final = "x.contract_id = a.contract_id AND x.ended_at IS NULL AND x.since <= %(now)s AND %(now)s < x.until"
# What automation still wants to take away: open, disruptive, let go by nobody yet, and the share's to decide.
WANTED: Final = f"""
enforcement e LEFT JOIN subscriber_account a ON a.id = e.account_id
WHERE e.closed_at IS NULL AND e.disruptive AND NOT EXISTS (SELECT FROM guard_pass g WHERE g.enforcement_id = e.id)
    AND NOT EXISTS (SELECT FROM guard_exemption x WHERE {EXEMPTED}) AND NOT {BY_PERSON}
"""  # noqa: S608 - made of the constants above
_CHANGES: Final = f"""
SELECT e.id, e.account_id, e.nas_id, e.disruptive, e.level::text, {BY_PERSON},
    EXISTS (SELECT FROM guard_pass g WHERE g.enforcement_id = e.id), e.asked_by IS NOT NULL, x.reason, x.placed_by, x.until
FROM enforcement e LEFT JOIN subscriber_account a ON a.id = e.account_id LEFT JOIN guard_exemption x ON {EXEMPTED}
WHERE e.id = ANY (%(ids)s)
"""  # noqa: S608
_LIVE: Final = "SELECT count(DISTINCT account_id) FROM session WHERE NOT stale AND account_id IS NOT NULL"
_CUT: Final = """
SELECT count(DISTINCT account_id) + count(*) FILTER (WHERE account_id IS NULL) FROM guard_pass
WHERE release_id IS NULL AND at > %(since)s
"""
# An account that counts already in this hour counts no second time.
UNCOUNTED: Final = "NOT EXISTS (SELECT FROM guard_pass g WHERE g.account_id = e.account_id AND g.release_id IS NULL AND g.at > %(since)s)"
_WANTING: Final = f"SELECT count(DISTINCT coalesce(e.account_id, -e.id)) FROM {WANTED} AND {UNCOUNTED}"  # noqa: S608
_HOLD: Final = """
UPDATE enforcement e SET held_since = coalesce(e.held_since, %(now)s), held_reason = v.reason
FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS v (id, reason) WHERE e.id = v.id
"""


def may_send(
    connection: Connection, enforcement_ids: Sequence[int], now: datetime, rules: GuardRules
) -> dict[int, Verdict]:
    """The verdict on each of these enforcements, whose rows the caller holds and is about to send.

    Held ones are marked in their row with the reason; those that go are unmarked. What automation may take away is
    written down as gone: roll back when nothing is sent.
    """
    situation = load_situation(connection, now, rules.zone)
    changes = _load_changes(connection, enforcement_ids, now, rules.zone)
    verdicts: dict[int, Verdict] = {}
    for change in changes:
        verdict = verdict_apart_from_share(change, situation)
        if verdict is not None:
            verdicts[change.enforcement_id] = verdict
    undecided = [change for change in changes if change.enforcement_id not in verdicts]
    if undecided:
        verdicts.update(_by_share(connection, undecided, now, rules.limits))
    _save_verdicts(connection, list(verdicts.values()), now)
    return verdicts


def load_situation(connection: Connection, now: datetime, zone: ZoneInfo) -> Situation:
    """The stop and the maintenance in force."""
    stop = connection.execute("SELECT since, placed_by, reason FROM network_stop WHERE ended_at IS NULL").fetchone()
    maintenance = connection.execute(
        "SELECT nas_id, since, placed_by, reason FROM nas_maintenance"
        " WHERE ended_at IS NULL AND since <= %(now)s AND (until IS NULL OR %(now)s < until)",
        {"now": now},
    )
    return Situation(
        stop="" if stop is None else _placed("everything is stopped", *stop, zone=zone),
        maintenance={nas_id: _placed("the NAS is in maintenance", *row, zone=zone) for nas_id, *row in maintenance},
    )


def _placed(what: str, since: datetime, placed_by: str, reason: str, *, zone: ZoneInfo) -> str:
    return f"{what} since {instant_text(since, zone)} by {placed_by}: {reason}"


def _load_changes(connection: Connection, ids: Sequence[int], now: datetime, zone: ZoneInfo) -> list[Change]:
    rows = connection.execute(_CHANGES, {"ids": list(ids), "now": now}).fetchall()
    levels = load_levels_now(connection, {row[1] for row in rows if row[1] is not None and row[3]}, now, zone)
    changes = []
    for number, account_id, nas_id, disruptive, level, by_person, passed, asked, reason, placed_by, until in rows:
        exempt = ""
        if reason is not None:
            exempt = f"contract exempt until {instant_text(until, zone)} by {placed_by}: {reason}"
        changes.append(
            Change(
                enforcement_id=number,
                account_id=account_id,
                nas_id=nas_id,
                disruptive=disruptive,
                by_person=by_person,
                passed=passed,
                exempt=exempt,
                # What is owed to a subscriber decides what automation takes, not what a person asked for.
                not_due="" if asked else not_due_words(Level[level.upper()], levels.get(account_id)),
            )
        )
    return changes


def load_levels_now(
    connection: Connection, account_ids: Iterable[int], now: datetime, zone: ZoneInfo
) -> dict[int, Level]:
    """What each of these accounts is owed by its contract at this moment, read in the caller's transaction.

    Here "no overdue debt means no cut for debt" is read again: a restriction of dunning that was lifted, or a relief
    granted meanwhile, gives another level than the change carries. Billing adds the open debt to these facts.
    An account that is gone has no level, and its session is owed nothing.
    """
    found: dict[int, Level] = {}
    for row in policy_source.load_accounts(connection, ids=sorted(account_ids)):
        if row.expires_at is not None and row.expires_at <= now:
            found[row.account_id] = Level.NONE
            continue
        try:
            found[row.account_id] = policy_steps(account_facts(row), now=now, zone=zone)[0].level
        except (ValueError, KeyError, msgspec.MsgspecError):
            # Nobody is cut because of what can't be read.
            found[row.account_id] = Level.FULL
    return found


def not_due_words(wanted: Level, now: Level | None) -> str:
    """Why a cut to `wanted` is not due any more: the contract gives more at this moment. Empty: it is due."""
    if now is None or now.value >= wanted.value:
        return ""
    return f"no longer due: the contract gives {now.name.lower()} now, not {wanted.name.lower()}"


def _by_share(connection: Connection, changes: list[Change], now: datetime, limits: GuardLimits) -> dict[int, Verdict]:
    """The share's verdicts, while nobody else can count."""
    tripped, hour = hold_hour(connection, now)
    verdicts, reason = verdicts_by_share(changes, hour, limits, tripped=tripped)
    if reason and not tripped:
        trip(connection, reason, now)
    passed = {verdict.enforcement_id for verdict in verdicts if verdict.counts}
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO guard_pass (enforcement_id, account_id, at) VALUES (%s, %s, %s)",
            [(change.enforcement_id, change.account_id, now) for change in changes if change.enforcement_id in passed],
        )
    return {verdict.enforcement_id: verdict for verdict in verdicts}


def hold_hour(connection: Connection, now: datetime) -> tuple[str, Hour]:
    """Take the guard's row until the caller commits; why it has tripped (empty: it has not), and the hour's numbers."""
    row = connection.execute(
        "SELECT coalesce(tripped_reason, ''), live_subscribers, counted_at FROM guard_state FOR UPDATE"
    ).fetchone()
    assert row is not None
    tripped, live, counted_at = row
    if counted_at is None or counted_at < now - _LIVE_MAX_AGE:
        live = count_live(connection)
        connection.execute("UPDATE guard_state SET live_subscribers = %s, counted_at = %s", (live, now))
    if tripped:
        return str(tripped), Hour(live=live, cut=0, wanting=0)
    return "", load_hour(connection, live, now)


def load_hour(connection: Connection, live: int, now: datetime) -> Hour:
    """What automation took in the last hour and still wants."""
    wanting = _number(connection, _WANTING, {"now": now, "since": now - WINDOW})
    return Hour(live=live, cut=count_cut(connection, now), wanting=wanting)


def count_cut(connection: Connection, now: datetime) -> int:
    """From how many subscribers automation took something in the last hour."""
    return _number(connection, _CUT, {"since": now - WINDOW})


def count_live(connection: Connection) -> int:
    """Subscribers online now."""
    with db.reading_whole(connection):
        return _number(connection, _LIVE, {})


def trip(connection: Connection, reason: str, now: datetime) -> None:
    """From now on everything disruptive waits, until a person lets it go."""
    connection.execute(
        "UPDATE guard_state SET tripped_at = %s, tripped_reason = %s WHERE tripped_at IS NULL", (now, reason)
    )


def _save_verdicts(connection: Connection, verdicts: list[Verdict], now: datetime) -> None:
    held = [verdict for verdict in verdicts if not verdict.goes]
    going = [verdict.enforcement_id for verdict in verdicts if verdict.goes]
    if held:
        ids, reasons = [one.enforcement_id for one in held], [one.reason for one in held]
        connection.execute(_HOLD, {"now": now, "ids": ids, "reasons": reasons})
    if going:
        connection.execute(
            "UPDATE enforcement SET held_since = NULL, held_reason = '' WHERE id = ANY (%s) AND held_since IS NOT NULL",
            (going,),
        )


def _number(connection: Connection, statement: str, given: Mapping[str, object]) -> int:
    row = connection.execute(statement, given).fetchone()
    assert row is not None
    return int(row[0])

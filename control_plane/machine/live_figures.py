"""The figures of the live screen and of the metrics: read from the database and the policy store, never guessed.

Units: rates a second over RATE_WINDOW_S, times in seconds.
Next: screen.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg

from billing.money import read_money
from control_plane.store.interventions import load_maintenance, load_stop, load_trip
from radius_hooks.decision import step_at
from radius_hooks.policy_store import Level, PolicyReader, Snapshot, StoreError

# Long enough to be steady, short enough to show a storm while it lasts.
RATE_WINDOW_S: Final = 10
# Attempts reach the database through a spool, so the last moments are not complete yet.
_SHIPPING_S: Final = 2
_DECISIONS: Final = 12
# The edge writes the time of its last comparison about every second; this long without it is no hiccup any more.
OLD_STORE_S: Final = 30.0
# detail writes `Timestamp = <epoch seconds>` into each record, the hook begins a line with epoch microseconds.
_RECORD_TIME: Final = re.compile(rb"\tTimestamp = ([0-9]+)|\A([0-9]{10})[0-9]{6}\t")
_HEAD_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class LoginDecision:
    """One answered login, as the database knows it."""

    at: datetime
    outcome: str
    reason: str
    username: str
    nas: str
    detail: str


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    """What the database says of the network now. `stale` sessions are silent for too long and count as nobody online.

    `notices` say what keeps changes from the access devices, for as long as it does.
    """

    online: int
    stale: int
    accepts_per_s: float
    rejects_per_s: float
    decisions: tuple[LoginDecision, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """Sessions whose policy at login is not the one in force now; `unknown` came back without our Class."""

    sessions: int
    drifted: int
    unknown: int


@dataclass(frozen=True, slots=True)
class BooksFigures:
    """What the books come to: `turnover` of the last whole month, without tax, by currency."""

    customers: int
    documents: int
    month: date
    turnover: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class LiveSessionRow:
    """What is needed to judge one session."""

    username: str
    vendor: str
    policy_version: bytes | None


def load_network_figures(connection: psycopg.Connection[Any]) -> NetworkFigures:
    """The figures as of now."""
    # A subscriber with two sessions is one; a session of nobody is one of its own.
    online, stale = connection.execute(
        "SELECT count(DISTINCT account_id) FILTER (WHERE NOT stale) + count(*) FILTER (WHERE NOT stale AND account_id IS NULL), "
        "count(*) FILTER (WHERE stale) FROM session"
    ).fetchone() or (0, 0)
    accepts, rejects = connection.execute(
        "SELECT count(*) FILTER (WHERE outcome = 'accept'), count(*) FILTER (WHERE outcome = 'reject') FROM login_attempt "
        "WHERE at >= now() - make_interval(secs => %(shipping)s + %(window)s) AND at < now() - make_interval(secs => %(shipping)s)",
        {"shipping": _SHIPPING_S, "window": RATE_WINDOW_S},
    ).fetchone() or (0, 0)
    return NetworkFigures(
        online=online,
        stale=stale,
        accepts_per_s=accepts / RATE_WINDOW_S,
        rejects_per_s=rejects / RATE_WINDOW_S,
        decisions=load_last_decisions(connection, _DECISIONS),
        notices=tuple(_notices(connection)),
    )


def _notices(connection: psycopg.Connection[Any]) -> Iterator[str]:
    stop = load_stop(connection)
    if stop is not None:
        yield f"EVERYTHING IS STOPPED by {stop.placed_by}: {stop.reason}; `corrente resume` ends it"
    trip = load_trip(connection)
    if trip is not None:
        yield f"GUARD TRIPPED: {trip[1]}; see `corrente guard status`"
    maintained = [one.nas for one in load_maintenance(connection, datetime.now(UTC))]
    if maintained:
        yield f"in maintenance: {', '.join(maintained)}; `corrente maintenance list`"


def load_last_decisions(connection: psycopg.Connection[Any], count: int) -> tuple[LoginDecision, ...]:
    """The latest answered logins, the newest first; a day back at most, so that one partition is read."""
    rows = connection.execute(
        "SELECT at, outcome, reason, username, coalesce(nas.name, host(login_attempt.source), ''), detail FROM login_attempt "
        "LEFT JOIN nas ON nas.id = nas_id WHERE at > now() - interval '1 day' ORDER BY at DESC LIMIT %s",
        (count,),
    )
    return tuple(LoginDecision(*row) for row in rows)


def load_books_figures(connection: psycopg.Connection[Any], today: date) -> BooksFigures | None:
    """The figures of all issuers; None where there is none. Numbers have no gaps, so the last ones say how many there are."""
    month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM issuer), (SELECT count(*) FROM customer), (SELECT coalesce(sum(y.last_number), 0)::bigint"
        " FROM register_year AS y JOIN document_register AS r ON r.id = y.register_id WHERE r.kind IN ('invoice', 'credit_note'))"
    ).fetchone()
    if row is None or not row[0]:
        return None
    turnover = connection.execute(
        "SELECT t.currency, sum(t.net) FROM turnover AS t JOIN ledger_account AS a ON a.id = t.account_id"
        " WHERE t.issuer_id IN (SELECT id FROM issuer) AND t.dated >= %s AND t.dated < %s AND a.role IN ('revenue', 'fee_income')"
        " GROUP BY 1 ORDER BY 1",
        (month, today.replace(day=1)),
    ).fetchall()
    return BooksFigures(
        row[1], row[2], month, tuple((currency, read_money(net, currency).amount) for currency, net in turnover)
    )


def load_live_sessions(connection: psycopg.Connection[Any]) -> tuple[LiveSessionRow, ...]:
    """Every session that is live and belongs to an account."""
    rows = connection.execute(
        "SELECT session.username, nas.vendor, policy_version FROM session JOIN nas ON nas.id = nas_id "
        "WHERE NOT stale AND account_id IS NOT NULL"
    )
    return tuple(LiveSessionRow(*row) for row in rows)


def drift_of(sessions: Iterable[LiveSessionRow], policy_dir: Path, *, now: float) -> Drift | None:
    """How many sessions are not what their contract says now; None while there is no policy store.

    The same records that answer logins are the measure, so a screen and an answer can't disagree.
    Units: `now` in epoch seconds.
    """
    reader = PolicyReader(policy_dir)
    counted = drifted = unknown = 0
    try:
        with reader.reading() as store:
            for session in sessions:
                counted += 1
                if session.policy_version is None:
                    unknown += 1
                elif session.policy_version != desired_version(store, session, now=now):
                    drifted += 1
    except StoreError:
        return None
    finally:
        reader.close()
    return Drift(counted, drifted, unknown)


def desired_version(store: Snapshot, session: LiveSessionRow, *, now: float) -> bytes | None:
    """The policy version that a login of this account would get now; None when it would get none."""
    account = store.account(session.username)
    if account is None or 0 < account.expires_at <= now:
        return None
    step = step_at(account.steps, now)
    if step.level in {Level.BLOCKED, Level.NONE}:
        return None
    profile = store.profile(step.profile_id, session.vendor)
    return None if profile is None else profile.revision + account.revision


def store_age_s(policy_dir: Path, *, now: float) -> float | None:
    """Since the edge last compared the policy store with the database; None without a store. Units: `now` epoch seconds."""
    reader = PolicyReader(policy_dir)
    try:
        with reader.reading() as store:
            return max(now - store.checked_at(), 0.0)
    except StoreError:
        return None
    finally:
        reader.close()


def spool_octets(directory: Path) -> int:
    """Octets that wait in a spool."""
    return sum(_size(file) for file in directory.glob("*"))


def spool_age_s(directory: Path, *, now: float) -> float:
    """Age of the oldest record in a spool, 0 when it is empty. Units: `now` in epoch seconds.

    Some seconds are usual: a file is kept for a grace time after its records were merged.
    """
    return max([0.0, *(now - _first_record_at(file) for file in directory.glob("*") if _size(file) > 0)])


def _first_record_at(file: Path) -> float:
    """When the first record of a spool file was written, as the record itself says."""
    try:
        with file.open("rb") as spool:
            found = _RECORD_TIME.search(spool.read(_HEAD_BYTES))
        return float(found.group(1) or found.group(2)) if found else file.stat().st_mtime
    except FileNotFoundError:
        return float("inf")  # shipped meanwhile: no age at all


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0  # shipped meanwhile

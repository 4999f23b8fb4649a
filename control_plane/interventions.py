"""What a person does to the machine, each deed with its row in the audit log and in the caller's transaction: stops and resumes all
that is sent, takes a NAS out and in, lets go what the guard holds, exempts a contract, takes back a run.

Next: store/interventions.py
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from control_plane import audit
from control_plane.control_loop.guard import GuardLimits, Hour
from control_plane.settings import Settings
from control_plane.store import interventions as store
from control_plane.store.automation import load_live, undo_run
from control_plane.store.guard import count_cut, guard_rules

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class GuardPage:
    """Where the guard stands: the hour, its limits, why it tripped, what waits or is about to go, and what persons have said."""

    hour: Hour
    limits: GuardLimits
    trip: tuple[datetime, str] | None
    held: list[store.HeldRow]
    runs: list[store.HeldRun]
    stop: store.StopRow | None
    maintenance: list[store.MaintenanceRow]
    exemptions: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a release would let go: changes, of so many subscribers, and restrictions of runs; `tripped`: the guard has."""

    changes: tuple[int, ...]
    subscribers: int
    runs: tuple[store.HeldRun, ...]
    tripped: bool

    @property
    def restrictions(self) -> int:
        """Of all runs together."""
        return sum(run.restrictions for run in self.runs)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to let go."""
        return not self.changes and not self.restrictions and not self.tripped

    @property
    def is_rearming(self) -> bool:
        """Whether all that there is to do is to let the guard judge anew."""
        return self.tripped and not self.changes and not self.restrictions

    def as_seen(self, *, upto: int, runs: Collection[int]) -> Waiting:
        """What of it somebody has seen: changes up to that number, and what waits of these runs. What came since is not in it."""
        return replace(
            self,
            changes=tuple(number for number in self.changes if number <= upto),
            runs=tuple(run for run in self.runs if run.run_id in runs),
        )


@dataclass(frozen=True, slots=True)
class Released:
    """What a release let go; `number` names it."""

    number: int
    changes: int
    restrictions: int


def load_guard_page(connection: Connection, settings: Settings, now: datetime) -> GuardPage:
    """All that `corrente guard status` and its page tell."""
    held, wanting = store.load_held(connection, now)
    return GuardPage(
        hour=Hour(live=load_live(connection, now), cut=count_cut(connection, now), wanting=wanting),
        limits=guard_rules(settings).limits,
        trip=store.load_trip(connection),
        held=held,
        runs=store.load_held_runs(connection),
        stop=store.load_stop(connection),
        maintenance=store.load_maintenance(connection, now),
        exemptions=len(store.load_exemptions(connection, now)),
    )


def load_waiting(connection: Connection, usernames: Sequence[str], now: datetime) -> Waiting:
    """What waits, of these subscribers or (without one) of all. Its rows are held until the caller's transaction ends."""
    only = list(usernames) or None
    ids, accounts = store.load_wanted(connection, now, only)
    runs = () if only else tuple(store.load_held_runs(connection))
    subscribers = len({account or -number for number, account in zip(ids, accounts, strict=True)})
    return Waiting(tuple(ids), subscribers, runs, tripped=store.load_trip(connection) is not None)


def release(
    connection: Connection,
    seen: Waiting,
    usernames: Sequence[str],
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> Released:
    """Let go what was seen and still waits; what came since waits on. Without usernames the guard judges anew."""
    still, _ = store.load_wanted(connection, now, list(usernames) or None)
    going = sorted(set(seen.changes) & set(still))
    number, let_go = store.save_release(
        connection, going, runs=[run.run_id for run in seen.runs], reason=reason, by=actor, now=now
    )
    if not usernames:
        store.close_guard(connection)
    detail = {"reason": reason, "changes": len(going), "restrictions": let_go, "users": list(usernames)}
    audit.append(connection, actor=actor, action="guard.release", subject=f"release {number}", detail=detail)
    return Released(number, len(going), let_go)


def stop(connection: Connection, *, reason: str, actor: str, now: datetime) -> None:
    """Send nothing to any access device from the commit on. There must be no stop yet."""
    store.save_stop(connection, reason=reason, by=actor, now=now)
    audit.append(connection, actor=actor, action="network.stop", subject="network", detail={"reason": reason})


def resume(connection: Connection, *, actor: str, now: datetime) -> bool:
    """Send again; False when nothing was stopped, and then nothing is written."""
    if not store.end_stop(connection, by=actor, now=now):
        return False
    audit.append(connection, actor=actor, action="network.resume", subject="network")
    return True


def begin_maintenance(
    connection: Connection, nas_id: int, name: str, *, reason: str, until: datetime | None, actor: str, now: datetime
) -> bool:
    """Send nothing to that NAS; False when it is in maintenance already, and then nothing is written."""
    if not store.save_maintenance(connection, nas_id, reason=reason, by=actor, now=now, until=until):
        return False
    detail = {"reason": reason, "until": until}
    audit.append(connection, actor=actor, action="nas.maintenance_on", subject=name, detail=detail)
    return True


def end_maintenance(connection: Connection, nas_id: int, name: str, *, actor: str, now: datetime) -> bool:
    """Send to that NAS again; False when it was not in maintenance, and then nothing is written."""
    if not store.end_maintenance(connection, nas_id, by=actor, now=now):
        return False
    audit.append(connection, actor=actor, action="nas.maintenance_off", subject=name)
    return True


def begin_maintenance_of(
    connection: Connection,
    nases: Iterable[tuple[int, str]],
    *,
    reason: str,
    until: datetime | None,
    actor: str,
    now: datetime,
) -> list[str]:
    """The same of several, by number and name, such as all of a site; returns the names of those that were not in it yet."""
    return [
        name
        for nas_id, name in nases
        if begin_maintenance(connection, nas_id, name, reason=reason, until=until, actor=actor, now=now)
    ]


def end_maintenance_of(
    connection: Connection, nases: Iterable[tuple[int, str]], *, actor: str, now: datetime
) -> list[str]:
    """The same of several; returns the names of those that were in it."""
    return [name for nas_id, name in nases if end_maintenance(connection, nas_id, name, actor=actor, now=now)]


def exempt_until(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which an exemption until the end of a day ends."""
    return datetime.combine(day + timedelta(days=1), time(), zone)


def exempt(
    connection: Connection,
    contract_id: int,
    subject: str,
    *,
    reason: str,
    until: datetime,
    actor: str,
    now: datetime,
) -> bool:
    """Automation never cuts that contract until then; False when it is exempt already, and then nothing is written."""
    if not store.save_exemption(connection, contract_id, reason=reason, by=actor, now=now, until=until):
        return False
    detail = {"contract": contract_id, "reason": reason, "until": until}
    audit.append(connection, actor=actor, action="guard.exempt", subject=subject, detail=detail)
    return True


def end_exemption(connection: Connection, contract_id: int, subject: str, *, actor: str, now: datetime) -> bool:
    """Automation may cut it again; False when it was not exempt, and then nothing is written."""
    if not store.end_exemption(connection, contract_id, by=actor, now=now):
        return False
    detail = {"contract": contract_id}
    audit.append(connection, actor=actor, action="guard.unexempt", subject=subject, detail=detail)
    return True


def undo(connection: Connection, run_id: int, *, reason: str, actor: str, now: datetime) -> int:
    """Lift all that a run placed and that is still there; returns how many."""
    lifted = undo_run(connection, run_id, by=actor, reason=reason, now=now)
    detail = {"reason": reason, "restrictions": lifted}
    audit.append(connection, actor=actor, action="automation_run.undo", subject=f"run {run_id}", detail=detail)
    return lifted

"""The guard: how many automation may cut, what waits for a person, and what persons say: let it go, stop, resume, take a run back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final

import msgspec

from control_plane.access.permissions import Permission
from control_plane.interventions import (
    end_exemption,
    exempt,
    exempt_until,
    load_guard_page,
    load_waiting,
    release,
    resume,
    stop,
    undo,
)
from control_plane.store.account import load_account
from control_plane.store.automation import load_run, load_runs
from control_plane.store.held_restrictions import load_held_restrictions
from control_plane.store.interventions import load_exemptions, load_held_lines, load_stop
from web.acting import clock, person
from web.api._shapes import NO_CONTROL, Number, Reason, shaped, there_is_none, wrong_value
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.language import zone
from web.problems import Problem
from web.surroundings import here

pages = Noun("guard")
_RUNS_SHOWN: Final = 50
# As far as a day can be typed in the console.
_LAST_YEAR: Final = 8999
_Username = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is done."""

    reason: Reason


class Stopped(msgspec.Struct, frozen=True):
    """That nothing is sent to any device."""

    since: datetime
    until: datetime | None
    placed_by: str
    reason: str


class HeldOfRun(msgspec.Struct, frozen=True):
    """Restrictions of a run that wait."""

    run_id: int
    name: str
    restrictions: int


class Guard(msgspec.Struct, frozen=True):
    """Its state. `changes` of `subscribers` and the restrictions of `runs` wait; `upto` is the last of the changes, which a release names."""

    live: int
    cut: int
    wanting: int
    allowed: int
    tripped_at: datetime | None
    tripped_why: str | None
    stop: Stopped | None
    changes: int
    subscribers: int
    upto: int
    runs: list[HeldOfRun]
    exemptions: int


class WaitingChange(msgspec.Struct, frozen=True):
    """A change that waits for a person."""

    id: int
    username: str
    nas: str
    level: str
    reason: str
    wanted_at: datetime
    held_since: datetime | None
    customer_id: int | None
    customer: str | None


class ToRelease(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is let go: changes up to the one that was seen last, of some subscribers or of all, and what waits of these runs."""

    reason: Reason
    upto: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    usernames: Annotated[list[_Username], msgspec.Meta(max_length=1000)] = []
    runs: Annotated[list[Number], msgspec.Meta(max_length=1000)] = []


class Released(msgspec.Struct, frozen=True):
    """What a release let go."""

    number: int
    changes: int
    restrictions: int


class Exemption(msgspec.Struct, frozen=True):
    """A contract that automation never cuts."""

    contract_id: int
    customer: str
    usernames: list[str]
    since: datetime
    until: datetime
    placed_by: str
    reason: str


class Run(msgspec.Struct, frozen=True):
    """A run of automation, and what of it is in force or waits; `online` are subscribers with a live session among them."""

    id: int
    name: str
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    undone_at: datetime | None
    undone_by: str | None
    placed: int
    in_force: int
    waiting: int
    contracts: int
    online: int


class Lifted(msgspec.Struct, frozen=True):
    """How many restrictions were lifted."""

    restrictions: int


class HeldRestriction(msgspec.Struct, frozen=True):
    """A restriction of a run that does not count until a person lets it go."""

    id: int
    run_id: int
    contract_id: int
    customer_id: int
    customer: str
    usernames: list[str]
    level: str
    reason: str
    held_since: datetime


class ToExempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose contract, by a username of it, and until the end of which day."""

    username: _Username
    until: date
    reason: Reason


@pages.call("GET", "/guard", permission=Permission.NETWORK_SEE, answers=Guard, does=("guard.show",))
def show(connection: Connection) -> Guard:
    """Its state, and how much waits."""
    now = clock(connection)
    page, waiting = load_guard_page(connection, here().settings, now), load_waiting(connection, [], now)
    return Guard(
        live=page.hour.live,
        cut=page.hour.cut,
        wanting=page.hour.wanting,
        allowed=page.limits.allowed(page.hour.live),
        tripped_at=page.trip[0] if page.trip else None,
        tripped_why=page.trip[1] if page.trip else None,
        stop=shaped(Stopped, page.stop) if page.stop else None,
        changes=len(waiting.changes),
        subscribers=waiting.subscribers,
        upto=max(waiting.changes, default=0),
        runs=[shaped(HeldOfRun, run) for run in waiting.runs],
        exemptions=page.exemptions,
    )


@pages.call(
    "GET",
    "/guard/waiting",
    permission=Permission.NETWORK_SEE,
    asked=Paging,
    answers=Slice[WaitingChange],
    refusals=(404,),
    does=("guard.show",),
)
def waiting_changes(connection: Connection, *, asked: Paging) -> Slice[WaitingChange]:
    """The changes that wait for a person, the oldest first."""
    after = part_after(asked, int)
    rows = load_held_lines(connection, clock(connection), after=after[0] if after else 0, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=lambda row: shaped(WaitingChange, row), key=lambda row: (row.id,))


@pages.call(
    "GET",
    "/guard/restrictions",
    permission=Permission.NETWORK_SEE,
    asked=Paging,
    answers=Slice[HeldRestriction],
    refusals=(404,),
    does=("guard.show", "guard.restrictions"),
)
def restrictions(connection: Connection, *, asked: Paging) -> Slice[HeldRestriction]:
    """The restrictions of runs that wait for a person, in the order they were placed."""
    after = part_after(asked, int)
    rows = load_held_restrictions(connection, after=after[0] if after else 0, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=lambda row: shaped(HeldRestriction, row), key=lambda row: (row.id,))


@pages.call(
    "POST",
    "/guard/release",
    permission=Permission.NETWORK_RELEASE,
    body=ToRelease,
    answers=Released,
    refusals=(409,),
    does=("guard.release_waiting",),
)
def let_go(connection: Connection, *, body: ToRelease) -> Released:
    """Let go what was seen to wait, under one's own name; what came since waits on. Without usernames the guard judges anew."""
    now, usernames = clock(connection), list(dict.fromkeys(body.usernames))
    seen = load_waiting(connection, usernames, now).as_seen(upto=body.upto, runs=body.runs)
    if seen.is_nothing:
        raise Problem(409, "Nothing of that waits any more.")
    return shaped(Released, release(connection, seen, usernames, reason=body.reason, actor=person().name, now=now))


@pages.call(
    "POST",
    "/guard/stop",
    permission=Permission.NETWORK_RELEASE,
    body=Why,
    answers=Stopped,
    refusals=(409,),
    does=("guard.stop_all",),
)
def stop_all(connection: Connection, *, body: Why) -> Stopped:
    """Send nothing to any device: no cut, and no restored service either. Logins and accounting go on."""
    if load_stop(connection) is not None:
        raise Problem(409, "Everything is stopped already.")
    stop(connection, reason=body.reason, actor=person().name, now=clock(connection))
    return shaped(Stopped, load_stop(connection))


@pages.call(
    "POST",
    "/guard/resume",
    permission=Permission.NETWORK_RELEASE,
    answers=None,
    refusals=(409,),
    does=("guard.resume_all",),
)
def resume_all(connection: Connection) -> None:
    """Send again after a stop; the guard still holds what is too much."""
    if not resume(connection, actor=person().name, now=clock(connection)):
        raise Problem(409, "Nothing is stopped.")


@pages.call(
    "GET",
    "/guard/exemptions",
    permission=Permission.NETWORK_SEE,
    answers=list[Exemption],
    does=("guard.exemptions",),
)
def exemptions(connection: Connection) -> list[Exemption]:
    """The contracts that automation never cuts, until when, and why."""
    return [shaped(Exemption, one) for one in load_exemptions(connection, clock(connection))]


@pages.call(
    "POST",
    "/guard/exemptions",
    permission=Permission.NETWORK_RELEASE,
    body=ToExempt,
    answers=Exemption,
    status=201,
    refusals=(409,),
    does=("guard.exempt_one",),
)
def exempt_one(connection: Connection, *, body: ToExempt) -> Exemption:
    """Never let automation cut a contract until the end of a day."""
    if body.until.year > _LAST_YEAR:
        raise wrong_value("that is too far", pointer="/until")
    now, ends = clock(connection), exempt_until(body.until, zone())
    if ends <= now:
        raise wrong_value("that is over", pointer="/until")
    account = load_account(connection, body.username)
    if account is None:
        raise wrong_value("no account has this username", pointer="/username")
    who, number = person().name, account.contract_id
    if not exempt(connection, number, body.username, reason=body.reason, until=ends, actor=who, now=now):
        raise Problem(409, "This contract is exempt already.")
    return next(shaped(Exemption, one) for one in load_exemptions(connection, now) if one.contract_id == number)


@pages.call(
    "DELETE",
    "/guard/exemptions/<int:contract>",
    permission=Permission.NETWORK_RELEASE,
    answers=None,
    refusals=(404,),
    does=("guard.end_exemption_of",),
)
def end_exemption_of(connection: Connection, *, contract: int) -> None:
    """Let automation treat a contract as any other again."""
    now = clock(connection)
    found = next((one for one in load_exemptions(connection, now) if one.contract_id == contract), None)
    if found is None:
        raise there_is_none()
    subject = ", ".join(found.usernames) or str(contract)
    end_exemption(connection, contract, subject, actor=person().name, now=now)


@pages.call("GET", "/guard/runs", permission=Permission.NETWORK_SEE, answers=list[Run], does=("guard.runs",))
def runs(connection: Connection) -> list[Run]:
    """The last fifty runs of automation, and what of each is in force."""
    return [shaped(Run, one) for one in load_runs(connection, now=clock(connection), limit=_RUNS_SHOWN)]


@pages.call(
    "POST",
    "/guard/runs/<int:run>/undo",
    permission=Permission.NETWORK_RELEASE,
    body=Why,
    answers=Lifted,
    refusals=(404, 409),
    does=("guard.undo_run",),
)
def undo_run(connection: Connection, *, run: int, body: Why) -> Lifted:
    """Lift every restriction that a run placed and that is still there."""
    now = clock(connection)
    found = load_run(connection, run, now=now)
    if found is None:
        raise there_is_none()
    if not found.in_force + found.waiting:
        raise Problem(409, "There is nothing of it to lift.")
    return Lifted(undo(connection, run, reason=body.reason, actor=person().name, now=now))

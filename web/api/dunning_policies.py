"""Policies of dunning: their versions; a new one with what it would do tonight and in the days to come beside what holds; switched off."""

from __future__ import annotations

import tomllib
from datetime import date, datetime
from typing import Annotated, Final

import msgspec

from billing.dunning.policy_text import policy_text
from billing.runs.dunning_simulation import Simulation, simulate
from billing.store.dunning_policies import KnownVersion, count_limited, load_policies, load_versions, save_version
from control_plane.access.permissions import Permission
from control_plane.dunning_policies import WrittenPolicy, held_above, read_written
from control_plane.store.guard import guard_rules
from web.acting import person
from web.api._shapes import Books, Number, Words, books_of, shaped, there_is_none, wrong_value
from web.api.dunning import CutTonight, Whose, cuts_shown
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.surroundings import here

pages = Noun("dunning", "policies")
_DAYS: Final = 30
_MOST_NAMED: Final = 200
_LONGEST: Final = 40_000
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Version(msgspec.Struct, frozen=True):
    """A version of a policy, as TOML; without a text it is switched off from its day on."""

    name: str
    version: int
    since: date
    text: str | None
    reason: str
    made_by: str
    made_at: datetime


class Counted(msgspec.Struct, frozen=True):
    """How much of something, as things are and with the new version."""

    what: str
    now: int
    then: int


class Forecast(msgspec.Struct, frozen=True):
    """What a version does, beside those that hold: tonight's cuts, what is done in 30 days, customers limited at their end.

    `held_above`: the guard lets so many pass in this hour, and holds the others. `more` are cuts of tonight that only the new one makes, `spared` those that it does not: at most 200 of each.
    """

    cuts_tonight: Counted
    in_30_days: list[Counted]
    limited: Counted
    customers: int
    held_above: int | None
    more: list[CutTonight]
    spared: list[CutTonight]


class SavedVersion(msgspec.Struct, frozen=True):
    """The version, and what it does."""

    version: Version
    forecast: Forecast


class NewVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version as TOML, from which day on (today without one) and why. `seen_version` is the newest of its name that was looked at, 0 where there
    is none: with another one there, nothing is written.
    """

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST)]
    reason: Words
    seen_version: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    since: date | None = None
    issuer_id: Number | None = None


class Off(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which policy is switched off, and why."""

    name: Name
    reason: Words
    issuer_id: Number | None = None


class SwitchedOff(msgspec.Struct, frozen=True):
    """What is limited now for debts, and is opened by the next pass, paid or not."""

    version: Version
    contracts: int
    customers: int


@pages.call(
    "GET",
    "/dunning/policies",
    permission=Permission.DUNNING_SEE,
    asked=Whose,
    answers=list[Version],
    refusals=(404,),
    does=("dunning_policies.show",),
)
def show_policies(connection: Connection, *, asked: Whose) -> list[Version]:
    """All versions of an issuer's policies, by name, the newest first."""
    issuer = books_of(connection, asked.issuer_id, asked=True).issuer
    versions = sorted(load_versions(connection, issuer.id), key=lambda one: (one.name, -one.version))
    return [_shown(one) for one in versions]


@pages.call(
    "POST",
    "/dunning/policies",
    permission=Permission.DUNNING_CHANGE,
    body=NewVersion,
    answers=SavedVersion,
    status=201,
    refusals=(409,),
    does=("dunning_policies.edit",),
)
def save(connection: Connection, *, body: NewVersion) -> SavedVersion:
    """Save a version of a policy. Tried first (`dry_run`), it answers what the version would do."""
    books = books_of(connection, body.issuer_id)
    policies = load_policies(connection)[books.issuer.id]
    since = body.since or books.today
    try:
        read = read_written(connection, body.text, policies, since=since)
    except tomllib.TOMLDecodeError as error:
        raise wrong_value(f"this is no TOML: {error}", pointer="/text") from error
    if not isinstance(read, WrittenPolicy):
        raise wrong_value("; ".join(map(str, read)), pointer="/text")
    newest = _newest(connection, books, read.policy.name)
    if (0 if newest is None else newest.version) != body.seen_version:
        raise Problem(409, "Somebody has saved another version meanwhile: nothing was written.")
    found = simulate(connection, policies, read.policy, books.now, days=_DAYS)
    save_version(
        connection,
        books.issuer.id,
        read.data,
        name=read.policy.name,
        since=since,
        reason=body.reason,
        by=person().name,
    )
    saved = _newest(connection, books, read.policy.name)
    assert saved is not None, "it was saved"
    return SavedVersion(_shown(saved), _forecast(connection, found, books))


@pages.call(
    "POST",
    "/dunning/policies/off",
    permission=Permission.DUNNING_CHANGE,
    body=Off,
    answers=SwitchedOff,
    refusals=(404, 409),
    does=("dunning_policies.off",),
)
def off(connection: Connection, *, body: Off) -> SwitchedOff:
    """Switch a policy off from today on: what it limited is opened by the next pass, paid or not."""
    books = books_of(connection, body.issuer_id)
    there = _newest(connection, books, body.name)
    if there is None or there.data is None:
        raise there_is_none()
    contracts, customers = count_limited(connection, books.issuer.id)
    save_version(
        connection, books.issuer.id, None, name=body.name, since=books.today, reason=body.reason, by=person().name
    )
    saved = _newest(connection, books, body.name)
    assert saved is not None, "it was saved"
    return SwitchedOff(_shown(saved), contracts, customers)


def _newest(connection: Connection, books: Books, name: str) -> KnownVersion | None:
    of_name = [one for one in load_versions(connection, books.issuer.id) if one.name == name]
    return max(of_name, key=lambda one: one.version, default=None)


def _forecast(connection: Connection, found: Simulation, books: Books) -> Forecast:
    return Forecast(
        cuts_tonight=Counted("cuts", *found.tonight),
        in_30_days=[Counted(name, now, then) for name, now, then in found.totals],
        limited=Counted("customers limited", *found.limited),
        customers=found.customers,
        held_above=held_above(connection, guard_rules(here().settings), found.tonight[1], now=books.now),
        more=cuts_shown(connection, found.more[:_MOST_NAMED], books.zone),
        spared=cuts_shown(connection, found.spared[:_MOST_NAMED], books.zone),
    )


def _shown(one: KnownVersion) -> Version:
    return shaped(Version, one, text=None if one.data is None else policy_text(one.data))

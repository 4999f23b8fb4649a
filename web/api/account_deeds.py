"""What is done to an account at once: its sessions ended or told again, limits placed and lifted, octets and another plan given.

Next: account_edit.py
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from control_plane.access.permissions import Permission
from control_plane.accounts.limits import lift_restrictions, load_limits, place_restriction, refuse_not_paid
from control_plane.accounts.line_sessions import sessions_of
from control_plane.accounts.not_done import NotDoneError, Why
from control_plane.accounts.plan_changes import change_plan, network_of
from control_plane.accounts.secrets import reveal_secret
from control_plane.accounts.topups import give_topup
from control_plane.control_loop.by_hand import Done, apply_again, disconnect
from control_plane.policy.quota import quota_month
from control_plane.store.account import Account
from control_plane.store.limits import RestrictionRow
from control_plane.store.plan import load_plan_ids, load_profiles
from web.acting import clock, person, transaction
from web.api._account_shapes import Moment, known
from web.api._contract_shapes import AccountNetwork, NetworkStep, step_of
from web.api._contract_shapes import network_of as network_shown
from web.api._shapes import Number, Words, shaped, wrong_value
from web.calls import Noun
from web.database import Connection
from web.language import zone
from web.sealing import sealer
from web.surroundings import here

pages = Noun("accounts", "deeds")


class WithReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why; it is kept."""

    reason: Words


class RevealedPassword(msgspec.Struct, frozen=True):
    """A password in clear: it is nowhere kept with the answer."""

    password: str


class SessionsReached(msgspec.Struct, frozen=True):
    """How many live sessions were meant, of how many a change is on its way now (`opened`), and how many of those wait behind the stop or a
    maintenance.
    """

    sessions: int
    opened: int
    waiting: int


class AccountRestriction(msgspec.Struct, frozen=True):
    """A limit of an account's contract."""

    id: int
    origin: str
    level: str
    reason: str
    placed_by: str
    since: datetime
    until: datetime | None


class AccountLimits(msgspec.Struct, frozen=True):
    """What limits an account's contract, and what the account gets for it now."""

    restrictions: list[AccountRestriction]
    now: NetworkStep


class LimitToPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the contract is limited, for whom, until when."""

    level: Literal["throttle", "walled", "blocked"]
    origin: Literal["admin", "dunning", "customer_pause", "abuse", "legal", "technical"] = "admin"
    until: Moment | None = None
    reason: Words


class LimitsToLift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which restrictions, by number."""

    restriction_ids: Annotated[list[Number], msgspec.Meta(min_length=1, max_length=50)]
    reason: Words


class TopUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Octets beyond the quota, until the quota begins anew where `until` is left out; `whole_contract`: for each of its accounts."""

    octets: Annotated[int, msgspec.Meta(ge=1, le=10**15)]
    until: Moment | None = None
    whole_contract: bool = False
    reason: Words


class GivenTopUp(msgspec.Struct, frozen=True):
    """What was given. Units: octets."""

    octets: int
    until: datetime


class PlanToGive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan by its name, from a day to come on, or now."""

    plan: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    on: date | None = None


class PlanGiven(msgspec.Struct, frozen=True):
    """What the network gave each account of the contract before, and gives after."""

    network_before: list[AccountNetwork]
    network_after: list[AccountNetwork]


@pages.call(
    "POST",
    "/accounts/<username>/disconnect",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.NETWORK_ACT,),
    body=WithReason,
    answers=SessionsReached,
    does=("account_deeds.kick",),
)
def disconnect_sessions(connection: Connection, *, username: str, body: WithReason) -> SessionsReached:
    """End an account's live sessions: its router logs in anew and gets the policy of then."""
    account = known(connection, username)
    now = clock(connection)
    done = disconnect(
        connection, here().settings, sessions_of(connection, account), reason=body.reason, by=person().name, now=now
    )
    return _reached(done, username)


@pages.call(
    "POST",
    "/accounts/<username>/reapply",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.NETWORK_ACT,),
    body=WithReason,
    answers=SessionsReached,
)
def reapply(connection: Connection, *, username: str, body: WithReason) -> SessionsReached:
    """Tell an account's live sessions again what they should run under; where a device can't be told, the session is ended."""
    account = known(connection, username)
    now = clock(connection)
    done = apply_again(
        connection, here().settings, sessions_of(connection, account), reason=body.reason, by=person().name, now=now
    )
    return _reached(done, username)


def _reached(done: Done, username: str) -> SessionsReached:
    if not done.meant.sessions:
        raise NotDoneError(Why.NOT_ONLINE, username=username)
    return SessionsReached(done.meant.sessions, done.opened, done.waiting)


@pages.call(
    "POST",
    "/accounts/<username>/password",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.ACCOUNT_REVEAL,),
    body=WithReason,
    answers=RevealedPassword,
    refusals=(409, 503),
    transacted=False,
    does=("account_deeds.reveal",),
)
def reveal(*, username: str, body: WithReason) -> RevealedPassword:
    """Tell an account's password, after it is written down who saw it and why."""
    key = sealer()
    with transaction() as connection:
        secret = reveal_secret(connection, key, known(connection, username), reason=body.reason, actor=person().name)
    # Only after the commit: what was not written down is not told.
    return RevealedPassword(secret)


@pages.call("GET", "/accounts/<username>/restrictions", permission=Permission.ACCOUNT_SEE, answers=AccountLimits)
def restrictions(connection: Connection, *, username: str) -> AccountLimits:
    """What limits an account, now or at a time to come."""
    return _limits(connection, known(connection, username))


@pages.call(
    "POST",
    "/accounts/<username>/restrictions",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.NETWORK_ACT,),
    body=LimitToPlace,
    answers=AccountLimits,
    does=("account_deeds.restrict",),
)
def restrict(connection: Connection, *, username: str, body: LimitToPlace) -> AccountLimits:
    """Limit an account's contract by hand."""
    account = known(connection, username)
    now = clock(connection)
    if body.until is not None and body.until <= now:
        raise wrong_value("a time to come", pointer="/until")
    placed = RestrictionRow(0, body.origin, body.level, body.reason, person().name, now, body.until)
    place_restriction(connection, account, placed)
    return _limits(connection, account)


@pages.call(
    "POST",
    "/accounts/<username>/restrictions/lift",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.NETWORK_ACT,),
    body=LimitsToLift,
    answers=AccountLimits,
    does=("account_deeds.lift",),
)
def lift(connection: Connection, *, username: str, body: LimitsToLift) -> AccountLimits:
    """Lift restrictions of an account's contract."""
    account = known(connection, username)
    limits = load_limits(connection, account, zone=zone(), now=clock(connection))
    chosen = list(dict.fromkeys(body.restriction_ids))
    if not set(chosen) <= {row.id for row in limits.restrictions}:
        raise wrong_value("one of these is none of this account's", pointer="/restriction_ids")
    refuse_not_paid(connection, limits, chosen)
    lift_restrictions(connection, limits, chosen, reason=body.reason, actor=person().name)
    return _limits(connection, account)


def _limits(connection: Connection, account: Account) -> AccountLimits:
    limits = load_limits(connection, account, zone=zone(), now=clock(connection))
    profiles = {number: one.name for number, one in limits.profiles.items()}
    return AccountLimits(
        [shaped(AccountRestriction, one) for one in limits.restrictions], step_of(limits.step(), profiles)
    )


@pages.call(
    "POST",
    "/accounts/<username>/top-ups",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.ACCOUNT_CHANGE,),
    body=TopUp,
    answers=GivenTopUp,
    status=201,
    does=("account_deeds.top_up",),
)
def top_up(connection: Connection, *, username: str, body: TopUp) -> GivenTopUp:
    """Give octets beyond the quota: who is throttled for it is let go."""
    account = known(connection, username)
    now = clock(connection)
    if body.until is not None and body.until <= now:
        raise wrong_value("a time to come", pointer="/until")
    until = body.until or quota_month(now, zone()).reset
    give_topup(
        connection,
        account,
        octets=body.octets,
        now=now,
        until=until,
        whole_contract=body.whole_contract,
        reason=body.reason,
        actor=person().name,
    )
    return GivenTopUp(body.octets, until)


@pages.call(
    "POST",
    "/accounts/<username>/plan",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.CONTRACT_CHANGE,),
    body=PlanToGive,
    answers=PlanGiven,
    does=("account_deeds.plan",),
)
def plan(connection: Connection, *, username: str, body: PlanToGive) -> PlanGiven:
    """Give an account's contract another plan: where the contract is billed, the bill goes with the network."""
    account = known(connection, username)
    now = clock(connection)
    plans = load_plan_ids(connection)
    if body.plan not in plans:
        raise wrong_value("there is no such plan", pointer="/plan")
    profiles = {one.id: one.name for one in load_profiles(connection)}
    before = network_of(connection, account.contract_id, zone=zone(), now=now)
    change_plan(
        connection,
        account,
        plans[body.plan],
        body.plan,
        on=body.on,
        settings=here().settings,
        now=now,
        actor=person().name,
    )
    after = network_of(connection, account.contract_id, zone=zone(), now=now)
    return PlanGiven(network_shown(before, profiles), network_shown(after, profiles))

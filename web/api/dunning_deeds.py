"""What people say to dunning: who is left alone, what is in dispute, instalments, promises, notices that came.

What changes a customer's line answers which contracts it lets go; tried first (`dry_run`), it only answers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Final, Literal

import msgspec

from billing.documents import Due
from billing.dunning.promise import RefusedPromise, ReviewError
from billing.dunning.words import say
from billing.money import read_money
from billing.operations.holding_back import (
    NewExclusion,
    NewPlan,
    agree_plan,
    close_dispute,
    end_exclusion,
    end_plan,
    exclude,
    moment_of,
    notice_delivered,
    open_dispute,
)
from billing.operations.promising import review_promise, take_promise
from billing.payments import NotDone
from billing.store.allocations import load_open_invoices
from billing.store.dunning_policies import load_limited
from billing.store.holding_back import (
    load_disputes,
    load_exclusions,
    load_notice,
    load_notices,
    load_open_invoice,
    load_plans,
)
from billing.store.promises import KnownPromise, load_promise, load_promise_list
from control_plane.access.permissions import Permission
from web.acting import clock, person
from web.api._changes import today as operators_today
from web.api._shapes import (
    Amount,
    Currency,
    Number,
    Words,
    books_of,
    done,
    money_of,
    refusals_of,
    shaped,
    there_is_none,
    wrong_value,
)
from web.api.dunning import Whose
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.surroundings import here

pages = Noun("dunning", "deeds")
_SHOWN: Final = 200
_MOST_PARTS: Final = 60


class Exclusion(msgspec.Struct, frozen=True):
    """Somebody who is left alone; until before a day, or for good."""

    id: int
    kind: str
    customer_id: int | None
    contract_id: int | None
    who: str
    since: date
    until: date | None
    reason: str
    placed_by: str


class Dispute(msgspec.Struct, frozen=True):
    """What of an invoice is contested."""

    id: int
    invoice: str
    customer_id: int
    amount: Amount
    reason: str
    opened_at: datetime
    opened_by: str


class Plan(msgspec.Struct, frozen=True):
    """Instalments that run, for these documents."""

    id: int
    customer_id: int
    currency: str
    parts: list[str]
    documents: list[str]
    grace_days: int
    reason: str
    made_by: str


class Notice(msgspec.Struct, frozen=True):
    """A formal notice under way."""

    id: int
    case_id: int
    customer_id: int
    channel: str
    amount: Amount
    sent_at: datetime
    delivered_at: datetime | None
    problem: str


class Promise(msgspec.Struct, frozen=True):
    """A promise to pay. Lines are open until `respite_until`; `to_review`: it has a proof that nobody has looked at."""

    id: int
    customer_id: int
    issuer_id: int
    amount: Amount
    made_at: datetime
    until: datetime
    respite_until: datetime
    state: str
    to_review: bool
    asked_by: str


class Held(msgspec.Struct, frozen=True):
    """What holds dunning back now: the newest of each."""

    exclusions: list[Exclusion]
    disputes: list[Dispute]
    plans: list[Plan]
    notices: list[Notice]
    promises: list[Promise]


class HeldBack(msgspec.Struct, frozen=True):
    """The number of what was written, and the contracts that it lets go."""

    id: int
    lets_go: list[int]


class Ended(msgspec.Struct, frozen=True):
    """That it is so now, and the contracts that it lets go."""

    lets_go: list[int]


class TakenPromise(msgspec.Struct, frozen=True):
    """The promise, and on how many contracts it opens the line."""

    promise: Promise
    opens: int


class NewHold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is left alone, a customer or one contract: altogether (`whitelist`), neither limited nor charged before the day (`not_before`), or
    told and never limited (`essential`). From today without a day, until before another, or for good.
    """

    kind: Literal["whitelist", "not_before", "essential"]
    reason: Words
    customer_id: Number | None = None
    contract_id: Number | None = None
    since: date | None = None
    until: date | None = None


class NewDispute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of an invoice is contested; without an amount all that is open."""

    invoice_id: Number
    reason: Words
    amount: Amount | None = None


class PlanPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instalment."""

    due_on: date
    amount: Amount


class AgreedPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Instalments for all that a customer has open with an issuer; one later than `grace_days` breaks it."""

    customer_id: Number
    parts: Annotated[list[PlanPart], msgspec.Meta(min_length=1, max_length=_MOST_PARTS)]
    reason: Words
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=60)] = 5
    issuer_id: Number | None = None


class NewPromise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who promises to pay what they owe an issuer in a currency, the issuer's own without one."""

    customer_id: Number
    issuer_id: Number | None = None
    currency: Currency | None = None


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a proof is worth."""

    valid: bool


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Words


class Came(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On which day."""

    day: date


@pages.call(
    "GET",
    "/dunning/held",
    permission=Permission.DUNNING_SEE,
    asked=Whose,
    answers=Held,
    refusals=(404,),
    does=("dunning_deeds.held",),
)
def held(connection: Connection, *, asked: Whose) -> Held:
    """Who is left alone, what is in dispute, instalments, promises, notices under way: the newest 200 of each."""
    today = books_of(connection, asked.issuer_id, asked=True).today
    running = load_promise_list(connection, customer_id=None, to_review=False, only_open=True, limit=_SHOWN)
    review = load_promise_list(connection, customer_id=None, to_review=True, only_open=False, limit=_SHOWN)
    return Held(
        exclusions=[
            shaped(Exclusion, one) for one in load_exclusions(connection, ended=False, today=today, limit=_SHOWN)
        ],
        disputes=[
            shaped(Dispute, one, invoice=one.label, amount=read_money(one.amount, one.currency))
            for one in load_disputes(connection, closed=False, limit=_SHOWN)
        ],
        plans=[shaped(Plan, one) for one in load_plans(connection, ended=False, limit=_SHOWN)],
        notices=[
            shaped(Notice, one, amount=read_money(one.amount, one.currency))
            for one in load_notices(connection, delivered=False, limit=_SHOWN)
        ],
        promises=[_promise_shown(one) for one in {one.id: one for one in (*review, *running)}.values()],
    )


@pages.call(
    "POST",
    "/dunning/exclusions",
    permission=Permission.DUNNING_ACT,
    body=NewHold,
    answers=HeldBack,
    status=201,
    refusals=(409,),
    does=("dunning_deeds.exclude_",),
)
def exclude_(connection: Connection, *, body: NewHold) -> HeldBack:
    """Leave a customer or a contract alone: what dunning limits there is open at once."""
    if (body.customer_id is None) == (body.contract_id is None):
        raise wrong_value("either a customer or one contract", pointer="/customer_id")
    now = clock(connection)
    wanted = NewExclusion(
        kind=body.kind,
        reason=body.reason,
        since=body.since or operators_today(connection),
        until=body.until,
        customer_id=body.customer_id,
        contract_id=body.contract_id,
    )
    return _held_back(connection, lambda: exclude(connection, wanted, now=now, actor=person().name))


@pages.call(
    "POST",
    "/dunning/disputes",
    permission=Permission.DUNNING_ACT,
    body=NewDispute,
    answers=HeldBack,
    status=201,
    refusals=(409,),
    does=("dunning_deeds.dispute",),
)
def dispute(connection: Connection, *, body: NewDispute) -> HeldBack:
    """An invoice is contested: that much is no debt until the dispute is closed."""
    if load_open_invoice(connection, body.invoice_id) is None:
        raise Problem(409, "This invoice has nothing open.")
    amount = None if body.amount is None else money_of(body.amount, "/amount")
    now = clock(connection)
    return _held_back(
        connection,
        lambda: open_dispute(connection, body.invoice_id, amount, reason=body.reason, now=now, actor=person().name),
    )


@pages.call(
    "POST",
    "/dunning/plans",
    permission=Permission.DUNNING_ACT,
    body=AgreedPlan,
    answers=HeldBack,
    status=201,
    refusals=(409,),
    does=("dunning_deeds.plan",),
)
def plan(connection: Connection, *, body: AgreedPlan) -> HeldBack:
    """Instalments for all that a customer has open: their days count in the place of the invoices' own."""
    books = books_of(connection, body.issuer_id)
    key = (body.customer_id, books.issuer.id, books.issuer.currency)
    invoices = load_open_invoices(connection, [body.customer_id]).get(key, [])
    if not invoices:
        raise Problem(409, "This customer has nothing open.")
    parts = tuple(
        Due(one.due_on, money_of(one.amount, f"/parts/{place}/amount")) for place, one in enumerate(body.parts)
    )
    for place, one in enumerate(parts):
        if one.amount.currency != books.issuer.currency:
            raise wrong_value("another currency than the issuer's", pointer=f"/parts/{place}/amount/currency")
    wanted = NewPlan(tuple(one.id for one in invoices), parts, body.reason, body.grace_days)
    return _held_back(connection, lambda: agree_plan(connection, wanted, now=books.now, actor=person().name))


@pages.call(
    "POST",
    "/dunning/promises",
    permission=Permission.DUNNING_ACT,
    body=NewPromise,
    answers=TakenPromise,
    status=201,
    refusals=(409,),
    does=("dunning_deeds.promise",),
)
def promise(connection: Connection, *, body: NewPromise) -> TakenPromise:
    """A customer promises to pay: the lines are open for the hours of the policy, within its limits."""
    books = books_of(connection, body.issuer_id)
    key = (body.customer_id, books.issuer.id, body.currency or books.issuer.currency)
    taken = take_promise(connection, key, now=books.now, asked_by="operator", actor=person().name)
    if isinstance(taken, NotDone):
        raise Problem(409, taken.message)
    if isinstance(taken, RefusedPromise):
        again = f"; from {taken.until.isoformat()} on it is" if taken.until else ""
        raise Problem(409, f"Not taken: {say(taken.reason, 'en', books.zone)}{again}.")
    return TakenPromise(_promise_shown(taken.known), taken.reliefs)


@pages.call(
    "POST",
    "/dunning/promises/<int:number>/review",
    permission=Permission.DUNNING_ACT,
    body=Verdict,
    answers=Promise,
    refusals=(404, 409),
    does=("dunning_deeds.review",),
)
def review(connection: Connection, *, number: int, body: Verdict) -> Promise:
    """Say what the proof of a promise is worth."""
    if load_promise(connection, number) is None:
        raise there_is_none()
    with refusals_of(ReviewError):
        known = review_promise(connection, number, valid=body.valid, now=clock(connection), actor=person().name)
    return _promise_shown(done(known))


@pages.call(
    "POST",
    "/dunning/exclusions/<int:number>/end",
    permission=Permission.DUNNING_ACT,
    body=Why,
    answers=Ended,
    refusals=(409,),
    does=("dunning_deeds.include",),
)
def include(connection: Connection, *, number: int, body: Why) -> Ended:
    """End an exclusion: from the next pass on debts are pursued again."""
    now = clock(connection)
    return _ended(
        connection, lambda: end_exclusion(connection, number, reason=body.reason, now=now, actor=person().name)
    )


@pages.call(
    "POST",
    "/dunning/disputes/<int:number>/close",
    permission=Permission.DUNNING_ACT,
    body=Why,
    answers=Ended,
    refusals=(409,),
    does=("dunning_deeds.resolve",),
)
def resolve(connection: Connection, *, number: int, body: Why) -> Ended:
    """Close a dispute: what is still open of it is debt again."""
    now = clock(connection)
    return _ended(
        connection, lambda: close_dispute(connection, number, outcome=body.reason, now=now, actor=person().name)
    )


@pages.call(
    "POST",
    "/dunning/plans/<int:number>/end",
    permission=Permission.DUNNING_ACT,
    body=Why,
    answers=Ended,
    refusals=(409,),
    does=("dunning_deeds.end_plan_",),
)
def end_plan_(connection: Connection, *, number: int, body: Why) -> Ended:
    """End a plan: the invoices' own days count again."""
    now, today = clock(connection), operators_today(connection)
    return _ended(
        connection,
        lambda: end_plan(connection, number, reason=body.reason, today=today, now=now, actor=person().name),
    )


@pages.call(
    "POST",
    "/dunning/notices/<int:number>/delivered",
    permission=Permission.DUNNING_ACT,
    body=Came,
    answers=Ended,
    refusals=(404, 409),
    does=("dunning_deeds.delivered",),
)
def delivered(connection: Connection, *, number: int, body: Came) -> Ended:
    """A formal notice came: from that day the law's days count."""
    if load_notice(connection, number) is None:
        raise there_is_none()
    now = clock(connection)
    came = moment_of(body.day, now=now, zone=here().settings.zone)
    return _ended(
        connection,
        lambda: notice_delivered(connection, [number], delivered_at=came, now=now, actor=person().name),
    )


def _held_back(connection: Connection, do: Callable[[], int | NotDone]) -> HeldBack:
    before = load_limited(connection)
    number = done(do())
    return HeldBack(number, sorted(before - load_limited(connection)))


def _ended(connection: Connection, do: Callable[[], NotDone | None]) -> Ended:
    before = load_limited(connection)
    done(do())
    return Ended(sorted(before - load_limited(connection)))


def _promise_shown(known: KnownPromise) -> Promise:
    customer_id, issuer_id, _ = known.key
    return shaped(
        Promise,
        known.promise,
        id=known.id,
        customer_id=customer_id,
        issuer_id=issuer_id,
        to_review=known.proof_id is not None and known.promise.reviewed is None,
        asked_by=known.asked_by,
    )

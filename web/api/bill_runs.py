"""Billing runs: asked for, looked at before they issue, confirmed, watched, and whom they could not bill.

No call waits for a run: it asks the worker, and the request says how far that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from billing.money import read_money
from billing.runs.billing_run import confirm
from billing.runs.run_days import DatedAheadError, FarAheadError, check_run_days
from billing.store.acting import acting
from billing.store.due_work import Scope
from billing.store.run_requests import (
    Act,
    RunRequest,
    ask_again,
    ask_for,
    ask_to_issue,
    load_request,
    load_request_of,
    load_waiting,
)
from billing.store.run_scopes import NoSuchPartError, check_scope
from billing.store.runs import Run, RunState, cancel_run, load_errors, load_made, load_run, load_runs
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._shapes import Amount, Number, Words, amount_of, books_of, refusals_of, shaped, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem

pages = Noun("bill_runs")


class Part(msgspec.Struct, frozen=True):
    """Which part of the work: of a payer, a contract, a billing group, and what falls due by a day; all of it without any."""

    customer_id: int | None
    contract_id: int | None
    billing_group: str | None
    through: date | None


class Request(msgspec.Struct, frozen=True):
    """Something asked of the worker: `prepare` or `issue`. `payers` of `of_payers` are done; `problem` says why it ended without."""

    id: int
    act: str
    issuer_id: int
    run_date: date
    part: Part
    bill_run_id: int | None
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    payers: int
    of_payers: int | None
    ended_at: datetime | None
    problem: str


class ListedRun(msgspec.Struct, frozen=True):
    """A run: prepared, issuing, done or cancelled."""

    id: int
    issuer_id: int
    run_date: date
    part: Part
    state: str
    started_by: str
    started_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None
    ended_at: datetime | None


class Sum(msgspec.Struct, frozen=True):
    """What documents of a kind come to."""

    kind: str
    count: int
    net: Amount
    tax: Amount
    gross: Amount


class Sold(msgspec.Struct, frozen=True):
    """What charges of a kind, or of a product, come to without tax."""

    kind: str | None
    product_id: int | None
    count: int
    net: Amount


class Difference(msgspec.Struct, frozen=True):
    """A contract that comes to something else than the last time."""

    contract_id: int
    customer_id: int
    before: Amount | None
    now: Amount | None


class Unbilled(msgspec.Struct, frozen=True):
    """Who is not billed, and why; without a contract the customer altogether."""

    customer_id: int
    contract_id: int | None
    reason: str


class Preview(msgspec.Struct, frozen=True):
    """What a run comes to, beside the last one: the greatest differences, how many are new, gone and not billed, some of each."""

    customers: int
    contracts: int
    charges: int
    waiting: int
    covered: int
    failed: int
    documents: list[Sum]
    charge_kinds: list[Sold]
    products: list[Sold]
    changes: list[Difference]
    new: int
    new_some: list[Difference]
    gone: int
    gone_some: list[Difference]
    unbilled: int
    unbilled_some: list[Unbilled]
    failures: list[Unbilled]


class OneRun(msgspec.Struct, frozen=True):
    """A run with what it will come to, what it has issued so far, and what the worker was asked of it last."""

    run: ListedRun
    preview: Preview | None
    issued: list[Sum]
    request: Request | None


class RunQuestion(Paging, frozen=True, kw_only=True):
    """Whose runs: the only issuer's without a number."""

    issuer_id: Number | None = None


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of whose contracts, of which day (today without one). `through` bills what falls due by then."""

    issuer_id: Number | None = None
    day: date | None = None
    through: date | None = None
    customer_id: Number | None = None
    contract_id: Number | None = None
    billing_group: Words | None = None


class Again(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom it is worked out again: all of the run without a customer or contract."""

    customer_id: Number | None = None
    contract_id: Number | None = None


@pages.call(
    "GET",
    "/bill-runs",
    permission=Permission.BILL_SEE,
    asked=RunQuestion,
    answers=Slice[ListedRun],
    refusals=(404,),
    does=("bill_runs.list_",),
)
def find(connection: Connection, *, asked: RunQuestion) -> Slice[ListedRun]:
    """An issuer's runs, the newest first."""
    issuer = books_of(connection, asked.issuer_id, asked=True).issuer
    key = part_after(asked, date, int)
    rows = load_runs(connection, issuer.id, limit=asked.limit + 1, after=None if key is None else (key[0], key[1]))
    return slice_of(rows, asked, shown=_run_shown, key=lambda one: (one.run_date, one.id))


@pages.call(
    "GET",
    "/bill-runs/requests",
    permission=Permission.BILL_SEE,
    answers=list[Request],
    does=("bill_runs.list_",),
)
def waiting(connection: Connection) -> list[Request]:
    """What the worker was asked for and has not done."""
    return [_request_shown(one) for one in load_waiting(connection)]


@pages.call(
    "POST",
    "/bill-runs/requests",
    permission=Permission.BILL_RUN,
    body=NewRun,
    answers=Request,
    status=201,
    refusals=(409,),
    does=("bill_runs.new",),
)
def ask(connection: Connection, *, body: NewRun) -> Request:
    """Ask for a run to be worked out; the request leads to it. Nothing is issued before the run is confirmed."""
    books = books_of(connection, body.issuer_id)
    day = body.day or books.today
    through = body.through if body.through != day else None
    scope = Scope(body.customer_id, body.contract_id, body.billing_group, through)
    part = "/contract_id" if body.contract_id is not None else "/billing_group"
    with (
        refusals_of(DatedAheadError, pointer="/day"),
        refusals_of(FarAheadError, pointer="/through"),
        refusals_of(NoSuchPartError, pointer=part),
    ):
        check_run_days(day, through, today=books.today)
        check_scope(connection, books.issuer.id, scope)
    number = ask_for(connection, Act.PREPARE, books.issuer.id, day, scope, run_id=None, by=person().name)
    return _request_shown(_known_request(connection, number))


@pages.call(
    "GET",
    "/bill-runs/requests/<int:number>",
    permission=Permission.BILL_SEE,
    answers=Request,
    refusals=(404,),
    does=("bill_runs.asked",),
)
def request(connection: Connection, *, number: int) -> Request:
    """How far the worker is with what was asked for; at its end it names the run."""
    return _request_shown(_known_request(connection, number))


@pages.call(
    "GET",
    "/bill-runs/<int:number>",
    permission=Permission.BILL_SEE,
    answers=OneRun,
    refusals=(404,),
    does=("bill_runs.show",),
)
def show(connection: Connection, *, number: int) -> OneRun:
    """One run: before it issues what it will come to, and beside the last; then what it made."""
    return _one(connection, _known(connection, number))


@pages.call(
    "GET",
    "/bill-runs/<int:number>/errors",
    permission=Permission.BILL_SEE,
    asked=Paging,
    answers=Slice[Unbilled],
    refusals=(404,),
    does=("bill_runs.show",),
)
def errors(connection: Connection, *, number: int, asked: Paging) -> Slice[Unbilled]:
    """Whom a run could not bill, and why."""
    _known(connection, number)
    key = part_after(asked, int, int)
    after = (0, 0) if key is None else (key[0], key[1])
    rows = load_errors(connection, number, limit=asked.limit + 1, after=after)
    return slice_of(
        rows,
        asked,
        shown=lambda one: shaped(Unbilled, one),
        key=lambda one: (one.customer_id, one.contract_id or 0),
    )


@pages.call(
    "POST",
    "/bill-runs/<int:number>/issue",
    permission=Permission.BILL_RUN,
    also=(Permission.BILL_SEE,),
    answers=OneRun,
    refusals=(404, 409),
    does=("bill_runs.issue",),
)
def issue(connection: Connection, *, number: int) -> OneRun:
    """Confirm a prepared run: its documents take the next numbers and stay. Tried first, it answers what it will issue."""
    with refusals_of():
        run = confirm(connection, _known(connection, number), by=person().name)
    if run.state is RunState.ISSUING:
        ask_to_issue(connection, run, by=person().name)
    return _one(connection, run)


@pages.call(
    "POST",
    "/bill-runs/<int:number>/cancel",
    permission=Permission.BILL_RUN,
    also=(Permission.BILL_SEE,),
    answers=OneRun,
    refusals=(404, 409),
    does=("bill_runs.cancel",),
)
def cancel(connection: Connection, *, number: int) -> OneRun:
    """Give a prepared run up: nothing of it is issued."""
    _known(connection, number)
    acting(connection, person().name)
    if not cancel_run(connection, number):
        raise Problem(409, "It is not waiting to be confirmed, so it was not given up.")
    return _one(connection, _known(connection, number))


@pages.call(
    "POST",
    "/bill-runs/<int:number>/again",
    permission=Permission.BILL_RUN,
    also=(Permission.BILL_SEE,),
    body=Again,
    answers=Request,
    status=201,
    refusals=(404, 409),
    does=("bill_runs.again",),
)
def again(connection: Connection, *, number: int, body: Again) -> Request:
    """Work a run out again, all of it or for one who could not be billed; one that issues goes on issuing."""
    run = _known(connection, number)
    asked = ask_again(
        connection,
        run,
        customer_id=body.customer_id,
        contract_id=body.contract_id,
        today=books_of(connection, run.issuer_id).today,
        by=person().name,
    )
    return _request_shown(_known_request(connection, asked))


def _one(connection: Connection, run: Run) -> OneRun:
    asked = load_request_of(connection, run.id)
    made = load_made(connection, run.id) if run.state in (RunState.DONE, RunState.ISSUING) else []
    return OneRun(
        run=_run_shown(run),
        preview=_preview(run.expected) if run.expected else None,
        issued=[
            Sum(one.kind, one.documents, *(_amount(each, one.currency) for each in (one.net, one.tax, one.gross)))
            for one in made
        ],
        request=None if asked is None else _request_shown(asked),
    )


def _preview(told: Mapping[str, Any]) -> Preview:
    """What a run's row holds of its preview."""
    new, gone, unbilled = (told.get(name, {}) for name in ("new", "gone", "unbilled"))
    return Preview(
        **{name: told[name] for name in ("customers", "contracts", "charges", "waiting", "covered", "failed")},
        documents=[
            Sum(one["kind"], one["count"], *(_amount(one[name], one["currency"]) for name in ("net", "tax", "gross")))
            for one in told["documents"]
        ],
        charge_kinds=[_sold(one) for one in told.get("charge_kinds", ())],
        products=[_sold(one) for one in told.get("products", ())],
        changes=[_difference(one) for one in told["changes"]],
        new=new.get("count", 0),
        new_some=[_difference(one) for one in new.get("contracts", ())],
        gone=gone.get("count", 0),
        gone_some=[_difference(one) for one in gone.get("contracts", ())],
        unbilled=unbilled.get("count", 0),
        unbilled_some=[_unbilled(one) for one in unbilled.get("contracts", ())],
        failures=[_unbilled(one) for one in told["failures"]],
    )


def _sold(told: Mapping[str, Any]) -> Sold:
    return Sold(told.get("kind"), told.get("product"), told["count"], _amount(told["net"], told["currency"]))


def _difference(told: Mapping[str, Any]) -> Difference:
    before, now = (
        None if told.get(name) is None else _amount(told[name], told["currency"]) for name in ("before", "now")
    )
    return Difference(told["contract"], told["customer"], before, now)


def _unbilled(told: Mapping[str, Any]) -> Unbilled:
    return Unbilled(told["customer"], told["contract"], told["reason"])


def _amount(told: Any, currency: str) -> Amount:
    return amount_of(read_money(Decimal(told), currency))


def _run_shown(run: Run) -> ListedRun:
    return shaped(ListedRun, run, part=shaped(Part, run.scope))


def _request_shown(found: RunRequest) -> Request:
    return shaped(Request, found, part=shaped(Part, found.scope), bill_run_id=found.run_id)


def _known(connection: Connection, number: int) -> Run:
    run = load_run(connection, number)
    if run is None:
        raise there_is_none()
    return run


def _known_request(connection: Connection, number: int) -> RunRequest:
    found = load_request(connection, number)
    if found is None:
        raise there_is_none()
    return found

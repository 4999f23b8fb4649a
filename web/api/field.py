"""For a collector's own app: their round, a payment taken, its receipt, their cash. A token sees what its holder's collector may collect, no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from flask import Response

from billing.allocation import Choice
from billing.collectors import reference_of
from billing.money import Money, zero
from billing.operations.collecting import Taking, take_payment
from billing.operations.handing_over import begin_session
from billing.operations.payment_messages import send_receipt
from billing.operations.printing import load_cash_session_paper, load_receipt_paper
from billing.payments import PaymentSource
from billing.store.cash import load_owed_then, load_paid_documents, load_sessions
from billing.store.collector_rounds import (
    ORDERS,
    Stop,
    find_taken_today,
    load_offer,
    load_round,
    load_round_sums,
    load_taken_today,
    save_offer,
)
from billing.store.payment_list import load_settles
from billing.store.payments import find_payment, hold_customers, load_let_go, load_payment
from control_plane.access.permissions import Permission
from web.acting import clock, person
from web.api._cash_shapes import (
    CashReceipt,
    CashSession,
    Counting,
    OneSession,
    counted,
    receipt_shown,
    session_shown,
    whole_session,
)
from web.api._shapes import (
    Amount,
    Number,
    PaperLanguage,
    PaperSize,
    Text,
    Words,
    amount_of,
    done,
    money_of,
    shaped,
    wrong_value,
)
from web.calls import File, Noun, Paging, Slice, part_after, slice_of
from web.collector.bound import (
    Bound,
    own_collector,
    own_customer,
    own_methods,
    own_open_session,
    own_receipt,
    own_session,
)
from web.database import Connection
from web.papers import pdf_of
from web.problems import Problem

pages = Noun("field")
PDF = File("application/pdf")
_MOST_WORDS = 8


class OneStop(msgspec.Struct, frozen=True):
    """A customer who owes, in one currency: all that is open, and what of it is due."""

    customer_id: int
    customer: str
    address: str | None
    phone: str | None
    documents: int
    open: Amount
    due: Amount
    due_on: date


class RoundSum(msgspec.Struct, frozen=True):
    """What the round comes to, in a currency."""

    customers: int
    open: Amount
    due: Amount


class Owed(msgspec.Struct, frozen=True):
    """An invoice that may be collected."""

    document_id: int
    number: str
    dated: date
    due_on: date
    open: Amount


class Way(msgspec.Struct, frozen=True):
    """A way in which a collector is paid."""

    code: str
    name: str


class TakenToday(msgspec.Struct, frozen=True):
    """A payment that this collector took today."""

    payment_id: int
    receipt: str
    amount: Amount
    made_at: datetime


class OneCustomer(msgspec.Struct, frozen=True):
    """What a customer owes, how it may be paid, and what was taken of them today."""

    customer_id: int
    name: str
    owed: list[Owed]
    methods: list[Way]
    taken_today: list[TakenToday]


class ToTake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment at the door. `key` is the app's own name for it: the same again is the same payment. `another`: it is one more like what was
    taken today. With `document_id` that invoice is paid first.
    """

    customer_id: Number
    amount: Amount
    key: Annotated[str, msgspec.Meta(pattern="^[!-~]{1,100}$")]
    method: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] = "cash"
    document_id: Number | None = None
    note: Words | None = None
    another: bool = False


class PaidDocument(msgspec.Struct, frozen=True):
    """An invoice that a payment settled, and how much of it."""

    number: str
    dated: date
    amount: Amount


class WholeReceipt(msgspec.Struct, frozen=True):
    """A receipt, what it paid, what was owed after it, and the contracts that it let go."""

    receipt: CashReceipt
    documents: list[PaidDocument]
    owed_then: Amount
    let_go: list[int]
    again: bool = False


class Sent(msgspec.Struct, frozen=True):
    """Whether it was queued; false where there is no address."""

    sent: bool


class RoundQuestion(Paging, frozen=True, kw_only=True):
    """Which customers: `q` is found in name, address, phone and documents; by the day due, the way or the name."""

    q: Text | None = None
    overdue: bool = False
    by: Literal["due", "way", "name"] = "due"


class Count(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was counted."""

    pieces: Counting
    note: Words | None = None


@pages.call(
    "GET",
    "/field/customers",
    permission=Permission.CASH_TAKE,
    asked=RoundQuestion,
    answers=Slice[OneStop],
    refusals=(404,),
)
def find(connection: Connection, *, asked: RoundQuestion) -> Slice[OneStop]:
    """The round: whom to go to, and what each owes."""
    bound = own_collector(connection)
    key = part_after(asked, date if asked.by == "due" else str, int, str)
    found = load_round(
        connection,
        bound.collector.id,
        today=bound.today,
        words=(asked.q or "").split()[:_MOST_WORDS],
        only_overdue=asked.overdue,
        order=asked.by,
        after=None if key is None else (key[0], key[1], key[2]),
        limit=asked.limit + 1,
    )
    column = ORDERS[asked.by][0]
    return slice_of(
        found.stops,
        asked,
        shown=_stop_shown,
        key=lambda one: (getattr(one, column), one.customer_id, one.open.currency),
    )


@pages.call("GET", "/field/sums", permission=Permission.CASH_TAKE, answers=list[RoundSum])
def sums(connection: Connection) -> list[RoundSum]:
    """What the round comes to."""
    bound = own_collector(connection)
    return [shaped(RoundSum, one) for one in load_round_sums(connection, bound.collector.id, today=bound.today)]


@pages.call(
    "GET", "/field/customers/<int:number>", permission=Permission.CASH_TAKE, answers=OneCustomer, refusals=(404,)
)
def show(connection: Connection, *, number: int) -> OneCustomer:
    """What one customer owes, how it may be paid, and what was taken of them today."""
    bound, name, owed = own_customer(connection, number)
    taken = load_taken_today(connection, bound.collector.id, number, today=bound.today)
    return OneCustomer(
        number,
        name,
        [shaped(Owed, one, number=one.label) for one in owed],
        [Way(one.code, one.name) for one in own_methods(connection, bound)],
        [shaped(TakenToday, one, receipt=one.label) for one in taken],
    )


@pages.call(
    "POST",
    "/field/payments",
    permission=Permission.CASH_TAKE,
    body=ToTake,
    answers=WholeReceipt,
    status=201,
    refusals=(404, 409),
)
def take(connection: Connection, *, body: ToTake) -> WholeReceipt:
    """Take a payment and give it its receipt's number: it counts at once, and a line that was limited for that is open again."""
    # Two at once for the same customer: the second sees what the first one took.
    hold_customers(connection, [body.customer_id])
    bound, _, owed = own_customer(connection, body.customer_id)
    method = next((one for one in own_methods(connection, bound) if one.code == body.method), None)
    if method is None:
        raise wrong_value("nobody pays a collector by this", pointer="/method")
    amount = money_of(body.amount, "/amount")
    if amount.minor <= 0:
        raise wrong_value("an amount above zero", pointer="/amount/amount")
    picked = next((one for one in owed if one.document_id == body.document_id), None)
    if find_payment(connection, PaymentSource.COLLECTOR, reference_of(bound.collector.id, body.key)) is None:
        # Told again, it has settled what it was for.
        if picked is None and body.document_id is not None:
            raise wrong_value("this customer has no such invoice open", pointer="/document_id")
        _refuse_twin(connection, bound, body, amount)
    taking = Taking(
        bound.collector.id,
        body.customer_id,
        amount,
        method,
        key=body.key,
        value_on=bound.today,
        choices=() if picked is None else (Choice(picked.document_id, label=picked.label),),
        note=body.note,
    )
    taken = done(take_payment(connection, taking, today=bound.today, actor=person().name))
    return _receipt_shown(connection, taken.payment.id, again=taken.again)


@pages.call(
    "GET", "/field/receipts/<int:number>", permission=Permission.CASH_TAKE, answers=WholeReceipt, refusals=(404,)
)
def receipt(connection: Connection, *, number: int) -> WholeReceipt:
    """The receipt of a payment that this collector took."""
    return _receipt_shown(connection, number)


@pages.call(
    "GET",
    "/field/receipts/<int:number>.pdf",
    permission=Permission.CASH_TAKE,
    asked=PaperSize,
    answers=PDF,
    refusals=(404,),
)
def receipt_paper(connection: Connection, *, number: int, asked: PaperSize) -> Callable[[], Response]:
    """The same as PDF, on a sheet or a roll."""
    label = own_receipt(connection, number).label
    issuer_id, paper = load_receipt_paper(connection, number, size=asked.size)
    return lambda: pdf_of(issuer_id, paper, f"receipt-{label}")


@pages.call("POST", "/field/receipts/<int:number>/send", permission=Permission.CASH_TAKE, answers=Sent, refusals=(404,))
def send(connection: Connection, *, number: int) -> Sent:
    """Mail the receipt to the customer."""
    own_receipt(connection, number)
    payment = load_payment(connection, number)
    assert payment is not None, "it has a receipt"
    settled = [(one.document_id, one.amount) for one in load_settles(connection, number)]
    return Sent(send_receipt(connection, payment, settled, made_by=person().name))


@pages.call(
    "GET",
    "/field/sessions",
    permission=Permission.CASH_TAKE,
    asked=Paging,
    answers=Slice[CashSession],
    refusals=(404,),
)
def sessions(connection: Connection, *, asked: Paging) -> Slice[CashSession]:
    """This collector's sessions, the newest first."""
    bound = own_collector(connection)
    key = part_after(asked, int)
    before = None if key is None else key[0]
    rows = load_sessions(connection, collector_id=bound.collector.id, before=before, limit=asked.limit + 1)
    return slice_of(rows, asked, shown=session_shown, key=lambda one: (one.id,))


@pages.call(
    "POST", "/field/sessions", permission=Permission.CASH_TAKE, answers=CashSession, status=201, refusals=(409,)
)
def begin(connection: Connection) -> CashSession:
    """Open a session with nothing in hand; change to begin with is the office's to give."""
    bound = own_collector(connection)
    begun = begin_session(connection, bound.collector.id, zero(bound.issuer.currency), actor=person().name)
    return session_shown(done(begun))


@pages.call("GET", "/field/sessions/<int:number>", permission=Permission.CASH_TAKE, answers=OneSession, refusals=(404,))
def session(connection: Connection, *, number: int) -> OneSession:
    """A session of this collector with all that went through it."""
    return whole_session(connection, own_session(connection, number), load_offer(connection, number))


@pages.call(
    "GET",
    "/field/sessions/<int:number>.pdf",
    permission=Permission.CASH_TAKE,
    asked=PaperLanguage,
    answers=PDF,
    refusals=(404,),
)
def session_paper(connection: Connection, *, number: int, asked: PaperLanguage) -> Callable[[], Response]:
    """The list of a session, for both to sign."""
    own_session(connection, number)
    issuer_id, paper = load_cash_session_paper(connection, number, language=asked.language, now=clock(connection))
    return lambda: pdf_of(issuer_id, paper, f"session-{number}")


@pages.call(
    "PUT",
    "/field/sessions/<int:number>/count",
    permission=Permission.CASH_TAKE,
    body=Count,
    answers=OneSession,
    refusals=(404,),
)
def count(connection: Connection, *, number: int, body: Count) -> OneSession:
    """Count notes and coins, and ask the office to take them."""
    own = own_open_session(connection, number)
    pieces, _ = counted(body.pieces, own.currency)
    save_offer(connection, number, pieces, note=body.note, by=person().name)
    return whole_session(connection, own, load_offer(connection, number))


def _refuse_twin(connection: Connection, bound: Bound, body: ToTake, amount: Money) -> None:
    """Refuse what is like a payment of today, unless it is said to be another one."""
    twin = find_taken_today(connection, bound.collector.id, body.customer_id, amount=amount, today=bound.today)
    if twin is not None and not body.another:
        words = f"{amount} were taken of this customer today: receipt {twin.label}. Say `another` for one more."
        raise Problem(409, words)


def _stop_shown(stop: Stop) -> OneStop:
    return shaped(OneStop, stop)


def _receipt_shown(connection: Connection, number: int, *, again: bool = False) -> WholeReceipt:
    found = own_receipt(connection, number)
    return WholeReceipt(
        receipt_shown(found),
        [PaidDocument(label, day, amount_of(paid)) for label, day, paid in load_paid_documents(connection, number)],
        amount_of(load_owed_then(connection, number)),
        load_let_go(connection, number),
        again,
    )

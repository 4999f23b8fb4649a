"""What is done to a payment that is there: whose it is, what it settles, given back, taken back; its receipt; and many recorded at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated

import msgspec
from flask import Response

from billing.allocation import Choice
from billing.errors import BillingError
from billing.money import Money
from billing.operations.collecting import give_receipt
from billing.operations.giving_back import refund_payment
from billing.operations.payment_effects import load_effects
from billing.operations.payment_messages import send_receipt
from billing.operations.printing import load_receipt_paper
from billing.operations.receiving import Recorded, choose, match_payment, reverse_payment
from billing.operations.receiving_many import NotTold, Told, record_many
from billing.payments import Happening, NewPayment, NotDone, PaymentSource
from billing.store.payment_list import load_settles
from billing.store.payments import load_settled
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._shapes import (
    NO_CONTROL,
    Amount,
    Number,
    PaperSize,
    Words,
    amount_of,
    books_of,
    done,
    money_of,
    shaped,
    there_is_none,
    written,
    wrong_value,
)
from web.api.payments import OnePayment, Settled, known_payment, method_meant, payment_shown
from web.calls import File, Noun
from web.database import Connection
from web.papers import pdf_of
from web.problems import Problem, Wrong

pages = Noun("payments", "deeds")
# What one transaction holds; longer lists are given to `corrente payment bulk`.
_MOST_LINES = 1_000


class OpenAgain(msgspec.Struct, frozen=True):
    """An invoice that is settled otherwise than before. Without `due_on` other credit settles it."""

    invoice: str
    open: Amount
    due_on: date | None


class PaymentDeed(msgspec.Struct, frozen=True):
    """A payment after a deed, and what came of it.

    `opened` are the invoices that it settles less of, or other ones; `settles_now` what it settles newly; `fee` what the next invoice bears for it;
    `again` that it was done before and nothing more happened.
    """

    payment: OnePayment
    opened: list[OpenAgain]
    settles_now: list[Settled]
    fee: Amount | None = None
    again: bool = False
    refund_id: int | None = None


class Taking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why money came back, and when: today without a day. `with_fee`: the next invoice bears what the method charges."""

    reason: Words
    day: date | None = None
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=35, pattern=NO_CONTROL)] | None = None
    reference: Words | None = None
    with_fee: bool = False


class Whose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose a payment is; null: it is nobody's again."""

    customer_id: Number | None
    reason: Words


class ChosenInvoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An invoice that is to be settled; without an amount as far as the money goes."""

    invoice_id: Number
    amount: Amount | None = None


class Chosen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The invoices in the order in which they are settled; none: what fell due first."""

    invoices: Annotated[list[ChosenInvoice], msgspec.Meta(max_length=200)]


class Refund(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes back and how; of today without a day. The money itself is sent by you: this writes it into the books."""

    amount: Amount
    method: Annotated[str, msgspec.Meta(min_length=1, max_length=40, description="the code of a payment method")]
    reason: Words
    day: date | None = None
    reference: Words | None = None


class Receipt(msgspec.Struct, frozen=True):
    """A receipt's number."""

    payment_id: int
    number: str
    issued_on: date
    amount: Amount
    customer: str


class Sent(msgspec.Struct, frozen=True):
    """Whether a message was queued; false where there is no address."""

    sent: bool


class ManyLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One payment of many. `reference` is its name where it comes from: told again it is the same payment."""

    customer_id: Number
    amount: Amount
    reference: Words
    method: Annotated[str, msgspec.Meta(min_length=1, max_length=40)] | None = None
    value_on: date | None = None
    payer: Words | None = None
    note: Words | None = None


class ManyPayments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines, and what holds where a line does not say. `together` is what those come to that are new: with another sum nothing is recorded."""

    lines: Annotated[list[ManyLine], msgspec.Meta(min_length=1, max_length=_MOST_LINES)]
    method: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    together: Amount
    value_on: date | None = None
    issuer_id: Number | None = None
    with_twins: bool = False


class RecordedLine(msgspec.Struct, frozen=True):
    """What became of a line; `again` that it had been recorded before."""

    line: int
    payment_id: int
    amount: Amount
    again: bool
    settles: list[Settled]
    open: Amount


class RecordedMany(msgspec.Struct, frozen=True):
    """All of the lines, and what those that are new come to."""

    recorded: int
    together: Amount
    lines: list[RecordedLine]


@pages.call(
    "POST",
    "/payments/<int:number>/reversal",
    permission=Permission.PAYMENT_GIVE_BACK,
    body=Taking,
    answers=PaymentDeed,
    refusals=(404, 409),
    does=("payment_deeds.reverse",),
)
def take_back(connection: Connection, *, number: int, body: Taking) -> PaymentDeed:
    """Say that a payment came back, or never was: what it had settled is open again."""
    today = _today(connection, number)
    why = Happening(body.day or today, body.reason, reference=body.reference or "")

    def deed() -> Recorded | NotDone:
        return reverse_payment(
            *(connection, number, why), code=body.code, with_fee=body.with_fee, today=today, actor=person().name
        )

    return _done(connection, number, deed)


@pages.call(
    "POST",
    "/payments/<int:number>/match",
    permission=Permission.PAYMENT_GIVE_BACK,
    body=Whose,
    answers=PaymentDeed,
    refusals=(404, 409),
    does=("payment_deeds.match",),
)
def match(connection: Connection, *, number: int, body: Whose) -> PaymentDeed:
    """Say whose a payment is, also where it was said wrong: what it settled is open again, and it settles what its customer owes."""
    today = _today(connection, number)

    def deed() -> Recorded | NotDone:
        return match_payment(connection, number, body.customer_id, reason=body.reason, today=today, actor=person().name)

    return _done(connection, number, deed)


@pages.call(
    "POST",
    "/payments/<int:number>/allocation",
    permission=Permission.PAYMENT_GIVE_BACK,
    body=Chosen,
    answers=PaymentDeed,
    refusals=(404, 409),
    does=("payment_deeds.choose_",),
)
def allocate(connection: Connection, *, number: int, body: Chosen) -> PaymentDeed:
    """Lay a payment on other invoices than those it settles."""
    known_payment(connection, number)
    wanted = [
        Choice(one.invoice_id, None if one.amount is None else money_of(one.amount, f"/invoices/{place}/amount"))
        for place, one in enumerate(body.invoices)
    ]
    if len({one.invoice_id for one in wanted}) < len(wanted):
        raise wrong_value("an invoice is named once", pointer="/invoices")
    return _done(connection, number, lambda: choose(connection, number, wanted, actor=person().name))


@pages.call(
    "POST",
    "/payments/<int:number>/refunds",
    permission=Permission.PAYMENT_GIVE_BACK,
    body=Refund,
    answers=PaymentDeed,
    status=201,
    refusals=(404, 409),
    does=("payment_deeds.refund",),
)
def refund(connection: Connection, *, number: int, body: Refund) -> PaymentDeed:
    """Give back what of a payment settles nothing."""
    today = _today(connection, number)
    issuer = books_of(connection, known_payment(connection, number).issuer_id).issuer
    method = method_meant(connection, issuer, body.method)
    why = Happening(body.day or today, body.reason, reference=body.reference or "")
    amount = money_of(body.amount, "/amount")
    return _done(
        connection,
        number,
        lambda: refund_payment(connection, number, amount, method, why, today=today, actor=person().name),
    )


@pages.call(
    "POST",
    "/payments/<int:number>/receipt",
    permission=Permission.PAYMENT_RECORD,
    answers=Receipt,
    refusals=(404, 409),
    does=("payment_deeds.receipt",),
)
def receipt(connection: Connection, *, number: int) -> Receipt:
    """The receipt of a payment; it takes its number now where it has none."""
    given = done(give_receipt(connection, number, today=_today(connection, number), actor=person().name))
    return shaped(Receipt, given, number=given.label)


@pages.call(
    "GET",
    "/payments/<int:number>/receipt.pdf",
    permission=Permission.PAYMENT_SEE,
    asked=PaperSize,
    answers=File("application/pdf"),
    refusals=(404,),
    does=("payment_deeds.receipt_paper",),
)
def receipt_paper(connection: Connection, *, number: int, asked: PaperSize) -> Callable[[], Response]:
    """The receipt as PDF, on a sheet or a roll."""
    try:
        issuer_id, paper = load_receipt_paper(connection, number, size=asked.size)
    except BillingError as error:
        raise there_is_none() from error
    return lambda: pdf_of(issuer_id, paper, f"receipt-{number}")


@pages.call(
    "POST",
    "/payments/<int:number>/receipt/send",
    permission=Permission.PAYMENT_RECORD,
    answers=Sent,
    refusals=(404,),
    does=("payment_deeds.send",),
)
def send(connection: Connection, *, number: int) -> Sent:
    """Mail the receipt to the customer, also a second time."""
    known = known_payment(connection, number)
    settled = [(one.document_id, one.amount) for one in load_settles(connection, number)]
    return Sent(send_receipt(connection, known, settled, made_by=person().name))


@pages.call(
    "POST",
    "/payments/many",
    permission=Permission.PAYMENT_RECORD,
    body=ManyPayments,
    answers=RecordedMany,
    status=201,
    refusals=(409,),
    does=("payment_many.many",),
)
def record_many_(connection: Connection, *, body: ManyPayments) -> RecordedMany:
    """Record many payments, all or none.

    A line like a payment that is there (customer, method, amount, day) is refused without `with_twins`.
    """
    books = books_of(connection, body.issuer_id)
    for place, one in enumerate(body.lines):
        if one.amount.currency != body.together.currency:
            raise wrong_value("another currency than theirs together", pointer=f"/lines/{place}/amount/currency")
    payments = [
        (
            place,
            NewPayment(
                method=method_meant(
                    connection,
                    books.issuer,
                    one.method or body.method,
                    f"/lines/{place}/method" if one.method else "/method",
                ),
                amount=money_of(one.amount, f"/lines/{place}/amount"),
                value_on=one.value_on or body.value_on or books.today,
                source=PaymentSource.MANUAL,
                reference=one.reference,
                customer_id=one.customer_id,
                payer=one.payer,
                note=one.note,
            ),
        )
        for place, one in enumerate(body.lines)
    ]
    told = record_many(connection, payments, with_twins=body.with_twins, today=books.today, actor=person().name)
    refused = [one for one in told if isinstance(one, NotTold)]
    if refused:
        raise Problem(
            409, "Nothing was recorded.", *(Wrong(_why(one), pointer=f"/lines/{one.line}") for one in refused)
        )
    lines = [one for one in told if isinstance(one, Told)]
    wanted = money_of(body.together, "/together")
    together = sum((one.payment.amount for one in lines if not one.recorded.again), Money(0, wanted.currency))
    if together != wanted:
        raise wrong_value(f"they come to {together}: nothing was recorded", pointer="/together")
    return RecordedMany(
        sum(not one.recorded.again for one in lines), amount_of(together), [_line_shown(one) for one in lines]
    )


def _line_shown(told: Told) -> RecordedLine:
    known = told.recorded.payment
    return RecordedLine(
        line=told.line,
        payment_id=known.id,
        amount=amount_of(known.money),
        again=told.recorded.again,
        settles=[Settled(label, amount_of(amount)) for label, amount in told.settles],
        open=amount_of(known.open),
    )


def _why(refused: NotTold) -> str:
    if refused.why is not None:
        return refused.why.message
    return f"payment {refused.twin} is of the same customer, method, amount and day"


def _done(connection: Connection, number: int, deed: Callable[[], Recorded | int | NotDone]) -> PaymentDeed:
    """Do it, and what came of it beside what was."""
    known = known_payment(connection, number)
    before = load_settled(connection, number)
    outcome = done(deed())
    effects = load_effects(connection, known, before)
    recorded = outcome if isinstance(outcome, Recorded) else None
    return PaymentDeed(
        payment=payment_shown(connection, known_payment(connection, number)),
        opened=[OpenAgain(one.label, amount_of(one.open), one.due_on) for one in effects.opened],
        settles_now=[Settled(label, amount_of(amount)) for label, amount in effects.settles],
        fee=None if recorded is None else written(recorded.fee),
        again=recorded is not None and recorded.again,
        refund_id=outcome if isinstance(outcome, int) else None,
    )


def _today(connection: Connection, number: int) -> date:
    return books_of(connection, known_payment(connection, number).issuer_id).today

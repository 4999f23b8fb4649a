"""Payments: recorded, shown, and taken back."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from billing.operations.receiving import Recorded, record_payment, reverse_payment
from billing.payments import Happening, Method, NewPayment, NotDone, PaymentSource
from billing.store.issuers import Issuer, load_issuers
from billing.store.payment_list import Asked, load_listed
from billing.store.payments import KnownPayment, PaymentRow, load_methods, load_payment, load_settled
from control_plane.access.permissions import Permission
from web.acting import clock, person
from web.api._shapes import NO_CONTROL, Amount, Number, Words, amount_of, money_of, there_is_none
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection
from web.problems import Problem, Wrong

pages = Noun("payments")


class PaymentToRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money that came in. Without `customer_id` it waits with those that nobody knows; without `value_on` it is of today."""

    amount: Amount
    method: Annotated[str, msgspec.Meta(min_length=1, max_length=40, description="the code of a payment method")]
    reference: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=200,
            description="its name where it comes from: told again it is the same payment",
            pattern=NO_CONTROL,
        ),
    ]
    customer_id: Number | None = None
    issuer_id: Number | None = None
    value_on: date | None = None
    payer: Words | None = None
    note: Words | None = None


class PaymentQuestion(Paging, frozen=True, kw_only=True):
    """Which payments: of a customer, of value from and until a day."""

    customer_id: Number | None = None
    since: date | None = None
    until: date | None = None


class ListedPayment(msgspec.Struct, frozen=True):
    """A payment in a list."""

    id: int
    customer_id: int | None
    customer: str | None
    method: str
    amount: Amount
    open: Amount
    value_on: date
    reference: str
    payer: str | None
    reversed_on: date | None


class Settled(msgspec.Struct, frozen=True):
    """How much of a payment settles which invoice."""

    invoice: str
    amount: Amount


class OnePayment(msgspec.Struct, frozen=True):
    """A payment. `open` settles nothing yet; `reversed_on` is the day on which it came back."""

    id: int
    issuer_id: int
    customer_id: int | None
    method: str
    amount: Amount
    open: Amount
    refunded: Amount
    value_on: date
    reference: str
    payer: str | None
    note: str | None
    reversed_on: date | None
    settles: list[Settled]


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why money came back."""

    reason: Words


@pages.call(
    "GET",
    "/payments",
    permission=Permission.PAYMENT_SEE,
    asked=PaymentQuestion,
    answers=Slice[ListedPayment],
    refusals=(404,),
    does=("payments.show_list",),
)
def find(connection: Connection, *, asked: PaymentQuestion) -> Slice[ListedPayment]:
    """Payments, the newest first."""
    wanted = Asked(customer_id=asked.customer_id, since=asked.since, until=asked.until)
    rows = load_listed(connection, wanted, limit=asked.limit + 1, after=part_after(asked, int))
    return slice_of(rows, asked, shown=_listed, key=lambda row: (row.id,))


def _listed(row: PaymentRow) -> ListedPayment:
    return ListedPayment(
        id=row.id,
        customer_id=row.customer_id,
        customer=row.customer,
        method=row.method,
        amount=amount_of(row.money),
        open=amount_of(row.open),
        value_on=row.value_on,
        reference=row.reference,
        payer=row.payer,
        reversed_on=row.reversed_on,
    )


@pages.call(
    "GET",
    "/payments/<int:number>",
    permission=Permission.PAYMENT_SEE,
    answers=OnePayment,
    refusals=(404,),
    does=("payments.show",),
)
def show(connection: Connection, *, number: int) -> OnePayment:
    """One payment with what it settles."""
    known = load_payment(connection, number) if number < 2**63 else None
    if known is None:
        raise there_is_none()
    return _shown(connection, known)


@pages.call(
    "POST",
    "/payments",
    permission=Permission.PAYMENT_RECORD,
    body=PaymentToRecord,
    answers=OnePayment,
    status=201,
    refusals=(409,),
    does=("payment_new.new",),
)
def record(connection: Connection, *, body: PaymentToRecord) -> OnePayment:
    """Record a payment: it settles what fell due first, and a line that was limited for that is open again.

    The same `reference` told again is the same payment, and is answered as it stands.
    """
    issuer = _issuer(connection, body.issuer_id)
    today = _today(connection, issuer)
    payment = NewPayment(
        method=_method(connection, issuer, body.method),
        amount=money_of(body.amount, "/amount"),
        value_on=body.value_on or today,
        source=PaymentSource("manual"),
        reference=body.reference,
        customer_id=body.customer_id,
        payer=body.payer,
        note=body.note,
    )
    return _shown(connection, _done(record_payment(connection, payment, today=today, actor=person().name)))


@pages.call(
    "POST",
    "/payments/<int:number>/reversal",
    permission=Permission.PAYMENT_GIVE_BACK,
    body=Reason,
    answers=OnePayment,
    refusals=(404, 409),
    does=("payment_deeds.reverse",),
)
def take_back(connection: Connection, *, number: int, body: Reason) -> OnePayment:
    """Say that a payment came back: what it had settled is open again."""
    known = load_payment(connection, number) if number < 2**63 else None
    if known is None:
        raise there_is_none()
    issuer = _issuer(connection, known.issuer_id)
    today = _today(connection, issuer)
    happening = Happening(today, body.reason)
    return _shown(connection, _done(reverse_payment(connection, number, happening, today=today, actor=person().name)))


def _today(connection: Connection, issuer: Issuer) -> date:
    """Where the issuer is."""
    return clock(connection).astimezone(ZoneInfo(issuer.zone)).date()


def _done(came: Recorded | NotDone) -> KnownPayment:
    if isinstance(came, NotDone):
        raise Problem(409, came.message)
    return came.payment


def _issuer(connection: Connection, number: int | None) -> Issuer:
    issuers = load_issuers(connection)
    meant = [one for one in issuers if number is None or one.id == number]
    if len(meant) == 1:
        return meant[0]
    words = "there is no such issuer" if number is not None else "there are several issuers: say whose books"
    raise Problem(422, "A value is refused.", Wrong(words, pointer="/issuer_id"))


def _method(connection: Connection, issuer: Issuer, code: str) -> Method:
    methods = {one.code: one for one in load_methods(connection, issuer.id)}
    if code not in methods:
        known = ", ".join(sorted(one.code for one in methods.values() if one.offered))
        raise Problem(
            422, "A value is refused.", Wrong(f"there is no such method; there are {known}", pointer="/method")
        )
    return methods[code]


def _shown(connection: Connection, known: KnownPayment) -> OnePayment:
    return OnePayment(
        id=known.id,
        issuer_id=known.issuer_id,
        customer_id=known.customer_id,
        method=known.method,
        amount=amount_of(known.money),
        open=amount_of(known.open),
        refunded=amount_of(known.refunded),
        value_on=known.value_on,
        reference=known.reference,
        payer=known.payer,
        note=known.note,
        reversed_on=known.reversed_on,
        settles=[Settled(label, amount_of(money)) for label, money in load_settled(connection, known.id)],
    )

"""Payments: recorded and shown.

Next: payment_deeds.py
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec

from billing.operations.receiving import record_payment
from billing.payments import Method, NewPayment, PaymentSource
from billing.store.issuers import Issuer
from billing.store.payment_list import Asked, load_listed
from billing.store.payments import KnownPayment, PaymentRow, load_methods, load_payment, load_settled
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._shapes import (
    NO_CONTROL,
    Amount,
    Number,
    Text,
    Words,
    amount_of,
    books_of,
    done,
    money_of,
    shaped,
    there_is_none,
    wrong_value,
)
from web.calls import Noun, Paging, Slice, part_after, slice_of
from web.database import Connection

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
    """Which payments: of a customer or issuer, of value from and until a day, in a state; `q` is found in who paid and the reference.

    `unmatched` are nobody's yet, of `credit` a part settles nothing, `came_back` are those that were taken back.
    """

    customer_id: Number | None = None
    issuer_id: Number | None = None
    state: Literal["unmatched", "credit", "came_back"] | None = None
    since: date | None = None
    until: date | None = None
    q: Text | None = None


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


class OneMethod(msgspec.Struct, frozen=True):
    """A way in which an issuer is paid; one that is not `offered` any more takes no new payments."""

    code: str
    name: str
    kind: str
    offered: bool


class Whose(msgspec.Struct, frozen=True):
    """Whose: the only issuer's without a number."""

    issuer_id: Number | None = None


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
    wanted = Asked(
        text=asked.q or "",
        customer_id=asked.customer_id,
        issuer_id=asked.issuer_id,
        state=asked.state,
        since=asked.since,
        until=asked.until,
    )
    rows = load_listed(connection, wanted, limit=asked.limit + 1, after=part_after(asked, int))
    return slice_of(rows, asked, shown=_listed, key=lambda row: (row.id,))


def _listed(row: PaymentRow) -> ListedPayment:
    return shaped(ListedPayment, row, amount=row.money)


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
    return payment_shown(connection, known_payment(connection, number))


@pages.call(
    "GET",
    "/payment-methods",
    permission=Permission.PAYMENT_SEE,
    asked=Whose,
    answers=list[OneMethod],
    refusals=(404,),
    does=("payments.show_list",),
)
def methods(connection: Connection, *, asked: Whose) -> list[OneMethod]:
    """The ways in which an issuer is paid, by whose codes payments are recorded."""
    issuer = books_of(connection, asked.issuer_id, asked=True).issuer
    return [shaped(OneMethod, one) for one in load_methods(connection, issuer.id)]


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
    books = books_of(connection, body.issuer_id)
    payment = NewPayment(
        method=method_meant(connection, books.issuer, body.method),
        amount=money_of(body.amount, "/amount"),
        value_on=body.value_on or books.today,
        source=PaymentSource("manual"),
        reference=body.reference,
        customer_id=body.customer_id,
        payer=body.payer,
        note=body.note,
    )
    return payment_shown(
        connection, done(record_payment(connection, payment, today=books.today, actor=person().name)).payment
    )


def method_meant(connection: Connection, issuer: Issuer, code: str, pointer: str = "/method") -> Method:
    """The issuer's method of that code. Raises: Problem."""
    methods = {one.code: one for one in load_methods(connection, issuer.id)}
    if code not in methods:
        known = ", ".join(sorted(one.code for one in methods.values() if one.offered))
        raise wrong_value(f"there is no such method; there are {known}", pointer=pointer)
    return methods[code]


def known_payment(connection: Connection, number: int) -> KnownPayment:
    """The payment of that number. Raises: Problem."""
    known = load_payment(connection, number)
    if known is None:
        raise there_is_none()
    return known


def payment_shown(connection: Connection, known: KnownPayment) -> OnePayment:
    """As it is answered, with what it settles now."""
    settles = [Settled(label, amount_of(money)) for label, money in load_settled(connection, known.id)]
    return shaped(OnePayment, known, amount=known.money, settles=settles)

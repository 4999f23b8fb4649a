"""Orders: what was agreed on, invoiced with or without advances, or cancelled."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import msgspec

from billing.documents import DocumentKind
from billing.operations.orders import cancel_order, draft_advance, draft_final, invoice_advance, invoice_final
from billing.store.acting import acting
from billing.store.quotes import Offer, load_invoices
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._offers import OfferQuestion, find_offers, offer_of
from web.api._shapes import Amount, Words, amount_of, books_of, wrong_value
from web.api.documents import ListedPaper, Paper, issued, paper_shown
from web.calls import Noun, Slice
from web.database import Connection

pages = Noun("orders")


class OrderInvoice(msgspec.Struct, frozen=True):
    """An invoice of an order: an advance before it is delivered, or all that is left."""

    id: int
    number: str
    is_advance: bool
    total: Amount
    to_pay: Amount


class OneOrder(msgspec.Struct, frozen=True):
    """An order as it was issued, and its invoices."""

    document: Paper
    invoices: list[OrderInvoice]


class InvoiceToMake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of the order before it is delivered, or without one all that is left."""

    advance_percent: Annotated[str, msgspec.Meta(pattern=r"^\d{1,3}(\.\d{1,4})?$")] | None = None
    due_days: Annotated[int, msgspec.Meta(ge=0, le=180, description="days to pay")] = 15


class OrderCancellation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is not carried out; it is printed on the credit notes of its advances."""

    reason: Words


@pages.call(
    "GET",
    "/orders",
    permission=Permission.DOCUMENT_SEE,
    asked=OfferQuestion,
    answers=Slice[ListedPaper],
    refusals=(404,),
    does=("orders.list_",),
)
def find(connection: Connection, *, asked: OfferQuestion) -> Slice[ListedPaper]:
    """Orders, the newest first."""
    return find_offers(connection, DocumentKind.ORDER, asked)


@pages.call("GET", "/orders/<int:number>", permission=Permission.DOCUMENT_SEE, answers=OneOrder, does=("orders.show",))
def show(connection: Connection, *, number: int) -> OneOrder:
    """One order and its invoices."""
    return _shown(connection, number)


@pages.call(
    "POST",
    "/orders/<int:number>/invoice",
    permission=Permission.DOCUMENT_SEE,
    also=(Permission.DOCUMENT_ISSUE,),
    body=InvoiceToMake,
    answers=Paper,
    status=201,
    does=("orders.invoice",),
)
def invoice(connection: Connection, *, number: int, body: InvoiceToMake) -> Paper:
    """Issue an invoice of an order: an advance, or what is left. What is issued stays: it is corrected by credit notes alone."""
    found = offer_of(connection, number, DocumentKind.ORDER)
    acting(connection, person().name)
    today = books_of(connection, found.issuer_id).today
    due_on = [today + timedelta(days=body.due_days)]
    if body.advance_percent is None:
        draft = draft_final(connection, number, today=today, due_on=due_on)
    elif Decimal(body.advance_percent) > 0:
        draft = draft_advance(connection, number, today=today, due_on=due_on, percent=Decimal(body.advance_percent))
    else:
        raise wrong_value("more than nothing", pointer="/advance_percent")
    made = (invoice_advance if draft.is_advance else invoice_final)(connection, draft, actor=person().name)
    return paper_shown(issued(connection, made.id))


@pages.call(
    "POST",
    "/orders/<int:number>/cancel",
    permission=Permission.DOCUMENT_SEE,
    also=(Permission.DOCUMENT_ISSUE,),
    body=OrderCancellation,
    answers=OneOrder,
    does=("orders.cancel",),
)
def cancel(connection: Connection, *, number: int, body: OrderCancellation) -> OneOrder:
    """Say that an order is not carried out: its advances are given back."""
    found = offer_of(connection, number, DocumentKind.ORDER)
    acting(connection, person().name)
    today = books_of(connection, found.issuer_id).today
    cancel_order(connection, number, today=today, actor=person().name, reason=body.reason)
    return _shown(connection, number)


def _shown(connection: Connection, number: int) -> OneOrder:
    found = offer_of(connection, number, DocumentKind.ORDER)
    return OneOrder(paper_shown(found), [_invoice(one) for one in load_invoices(connection, number)])


def _invoice(row: Offer) -> OrderInvoice:
    return OrderInvoice(row.id, row.label, row.is_advance, amount_of(row.gross), amount_of(row.payable))

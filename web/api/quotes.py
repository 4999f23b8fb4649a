"""Quotes: written and numbered, and answered; accepted, one becomes an order, a contract, or both."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Final

import msgspec

from billing.documents import DocumentKind
from billing.new_contract import NewTerms
from billing.operations.quotes import (
    Asked,
    AskedLine,
    NoReasonError,
    accept_quote,
    draft_quote,
    refuse_quote,
    send_quote,
)
from billing.store.acting import acting
from billing.store.customers import load_customer
from billing.store.issuers import load_tax_codes
from billing.store.quotes import load_contract_of, load_offer, load_order_of
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._offers import OfferQuestion, find_offers, offer_of
from web.api._shapes import NO_CONTROL, Digits, Number, Words, books_of, refusals_of, wrong_value
from web.api.documents import ListedPaper, Paper, paper_shown
from web.calls import Noun, Slice
from web.database import Connection

pages = Noun("quotes")
# How long a quote holds that nobody says anything of.
_HOLDS: Final = timedelta(days=30)
_MOST_LINES: Final = 100


class QuoteLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line: a product at its own price of the day or another one, or words with a price and the name of a tax code."""

    product_id: Number | None = None
    description: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=NO_CONTROL)] | None = None
    quantity: Digits = "1"
    unit_price: Digits | None = None
    discount_percent: Digits | None = None
    tax_code: Words | None = None


class NewQuote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quote, which holds for 30 days without `valid_until`; `reason` is needed where a product has another price than in the catalogue."""

    EXAMPLE: ClassVar[dict[str, object]] = {
        "customer_id": 7,
        "lines": [
            {"product_id": 2},
            {"description": "Work on the roof", "quantity": "2.5", "unit_price": "40.00", "tax_code": "IT-22"},
        ],
    }

    customer_id: Number
    lines: Annotated[list[QuoteLine], msgspec.Meta(min_length=1, max_length=_MOST_LINES)]
    issuer_id: Number | None = None
    valid_until: date | None = None
    includes_tax: bool = False
    reason: Words | None = None


class OneQuote(msgspec.Struct, frozen=True):
    """A quote as it was issued, and what came of it."""

    document: Paper
    valid_until: date | None
    contract_id: int | None
    order_id: int | None


class QuoteTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms of the contract that it becomes."""

    months: Annotated[int, msgspec.Meta(ge=1, le=12, description="months of a period")] = 1
    due_days: Annotated[int, msgspec.Meta(ge=0, le=180, description="days to pay")] = 15


class QuoteRefusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the customer does not want it."""

    reason: Words | None = None


@pages.call(
    "GET",
    "/quotes",
    permission=Permission.DOCUMENT_SEE,
    asked=OfferQuestion,
    answers=Slice[ListedPaper],
    refusals=(404,),
    does=("quotes.list_",),
)
def find(connection: Connection, *, asked: OfferQuestion) -> Slice[ListedPaper]:
    """Quotes, the newest first."""
    return find_offers(connection, DocumentKind.QUOTE, asked)


@pages.call("GET", "/quotes/<int:number>", permission=Permission.DOCUMENT_SEE, answers=OneQuote, does=("quotes.show",))
def show(connection: Connection, *, number: int) -> OneQuote:
    """One quote and what came of it."""
    return _shown(connection, number)


@pages.call(
    "POST",
    "/quotes",
    permission=Permission.DOCUMENT_SEE,
    also=(Permission.DOCUMENT_ISSUE,),
    body=NewQuote,
    answers=OneQuote,
    status=201,
    does=("quotes.new", "quotes.worked_out"),
)
def new(connection: Connection, *, body: NewQuote) -> OneQuote:
    """Issue a quote: it takes a number, and its prices hold until its last day."""
    books = books_of(connection, body.issuer_id)
    asked = _asked(connection, body, books.issuer.id, books.today)
    acting(connection, person().name)
    with refusals_of(pointer="/lines"), refusals_of(NoReasonError, pointer="/reason"):
        draft = draft_quote(connection, asked, today=books.today)
    made = send_quote(connection, draft, asked=asked, actor=person().name)
    return _shown(connection, made.id)


@pages.call(
    "POST",
    "/quotes/<int:number>/accept",
    permission=Permission.DOCUMENT_SEE,
    also=(Permission.DOCUMENT_ISSUE, Permission.CONTRACT_CHANGE),
    body=QuoteTerms,
    answers=OneQuote,
    does=("quotes.accept",),
)
def accept(connection: Connection, *, number: int, body: QuoteTerms) -> OneQuote:
    """Say that the customer agrees: it becomes an order, a contract, or both."""
    found = offer_of(connection, number, DocumentKind.QUOTE)
    acting(connection, person().name)
    terms = NewTerms(found.issuer_id, months=body.months, due_days=body.due_days)
    day = books_of(connection, found.issuer_id).today
    accept_quote(connection, number, today=day, actor=person().name, terms=terms)
    return _shown(connection, number)


@pages.call(
    "POST",
    "/quotes/<int:number>/refuse",
    permission=Permission.DOCUMENT_SEE,
    also=(Permission.DOCUMENT_ISSUE,),
    body=QuoteRefusal,
    answers=OneQuote,
    does=("quotes.refuse_",),
)
def refuse(connection: Connection, *, number: int, body: QuoteRefusal) -> OneQuote:
    """Say that the customer does not want it: it can't be accepted any more."""
    offer_of(connection, number, DocumentKind.QUOTE)
    acting(connection, person().name)
    refuse_quote(connection, number, actor=person().name, reason=body.reason)
    return _shown(connection, number)


def _shown(connection: Connection, number: int) -> OneQuote:
    found = offer_of(connection, number, DocumentKind.QUOTE)
    offer = load_offer(connection, number)
    assert offer is not None, "it was there a moment ago"
    order = load_order_of(connection, number)
    return OneQuote(
        paper_shown(found), offer.valid_until, load_contract_of(connection, offer), None if order is None else order[0]
    )


def _asked(connection: Connection, body: NewQuote, issuer_id: int, day: date) -> Asked:
    """What is to be offered. Raises: Problem."""
    if load_customer(connection, body.customer_id) is None:
        raise wrong_value("there is no such customer", pointer="/customer_id")
    valid_until = body.valid_until or day + _HOLDS
    if valid_until < day:
        raise wrong_value("that day is past", pointer="/valid_until")
    codes = {one.name: one.id for one in load_tax_codes(connection)}
    lines = tuple(_line(one, codes, f"/lines/{place}") for place, one in enumerate(body.lines))
    return Asked(issuer_id, body.customer_id, lines, valid_until, body.includes_tax, reason=body.reason)


def _line(one: QuoteLine, codes: dict[str, int], place: str) -> AskedLine:
    if one.tax_code is not None and one.tax_code not in codes:
        raise wrong_value("there is no such tax code", pointer=f"{place}/tax_code")
    if one.product_id is None and None in (one.description, one.unit_price, one.tax_code):
        raise wrong_value("a product, or words with a price and a tax code", pointer=place)
    if Decimal(one.quantity) <= 0:
        raise wrong_value("more than nothing", pointer=f"{place}/quantity")
    if one.discount_percent is not None and not 0 <= Decimal(one.discount_percent) <= 100:  # percent
        raise wrong_value("0 to 100", pointer=f"{place}/discount_percent")
    return AskedLine(
        one.product_id,
        Decimal(one.quantity),
        None if one.unit_price is None else Decimal(one.unit_price),
        () if one.discount_percent is None else (Decimal(one.discount_percent),),
        one.description,
        None if one.tax_code is None else codes[one.tax_code],
    )

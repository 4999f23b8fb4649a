"""Documents issued by hand: invoices and credit notes. Tried first (`dry_run`), they are answered whole with their entry, and issue nothing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from billing.credits import Creditable, left_of
from billing.errors import BillingError
from billing.operations.invoices import (
    WantedInvoice,
    WantedLine,
    WrongInvoiceError,
    credit_document,
    make_invoice,
    plan_postings,
)
from billing.periods import Period
from billing.store.acting import acting
from billing.store.issued import NoDocumentError, load_creditable, load_parties_of
from billing.store.parties import load_contract_parties
from control_plane.access.permissions import Permission
from web.acting import person
from web.api._shapes import (
    NO_CONTROL,
    Amount,
    Digits,
    Number,
    Words,
    amount_of,
    books_of,
    refusals_of,
    shaped,
    there_is_none,
    wrong_value,
)
from web.api.documents import Paper, issued, paper_shown
from web.calls import Noun
from web.database import Connection

pages = Noun("documents", "by_hand")
# More lines than anybody types; what is larger is a run's.
_MOST_LINES: Final = 100
Long = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=NO_CONTROL)]


class NewLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line: a product at its own price of the day or another one, or words with a price and the name of a tax."""

    product_id: Number | None = None
    description: Long | None = None
    quantity: Digits = "1"
    unit_price: Digits | None = None
    discount_percent: Digits | None = None
    tax_code: Words | None = None
    since: date | None = None
    until: date | None = None


class NewInvoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An invoice: of a customer, or of a contract, which names payer, issuer, prices and days to pay. Of today without a day."""

    lines: Annotated[list[NewLine], msgspec.Meta(min_length=1, max_length=_MOST_LINES)]
    customer_id: Number | None = None
    contract_id: Number | None = None
    issuer_id: Number | None = None
    day: date | None = None
    due_in_days: Annotated[int, msgspec.Meta(ge=0, le=365)] | None = None
    includes_tax: bool | None = None
    reason: Words | None = None


class CreditLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the invoice, and how much of it, in the invoice's own prices; without an amount all that is left."""

    number: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    amount: Digits | None = None


class NewCreditNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is given back, of which day and why; without lines all that is left of the invoice."""

    reason: Words
    day: date | None = None
    lines: Annotated[list[CreditLine], msgspec.Meta(min_length=1, max_length=1000)] | None = None


class Leg(msgspec.Struct, frozen=True):
    """A leg of its entry: a debit is above zero."""

    code: str
    account: str
    amount: Amount


class Issue(msgspec.Struct, frozen=True):
    """The document as it was issued, and its entry in the ledger."""

    document: Paper
    postings: list[Leg]


class Left(msgspec.Struct, frozen=True):
    """What is left of a line, in the invoice's own prices."""

    number: int
    description: str
    left: Amount


@pages.call(
    "POST",
    "/documents",
    permission=Permission.DOCUMENT_ISSUE,
    also=(Permission.DOCUMENT_SEE,),
    body=NewInvoice,
    answers=Issue,
    status=201,
    refusals=(409,),
    does=("new_invoices.new", "new_invoices.worked_out"),
)
def issue(connection: Connection, *, body: NewInvoice) -> Issue:
    """Issue an invoice: it takes the next number of its register and stays, corrected by credit notes alone."""
    wanted = _wanted(connection, body)
    acting(connection, person().name)
    with refusals_of(), refusals_of(WrongInvoiceError, pointer="/lines"):
        draft, made = make_invoice(connection, wanted, actor=person().name)
    postings = [shaped(Leg, one) for one in plan_postings(connection, draft)]
    return Issue(paper_shown(issued(connection, made.id)), postings)


@pages.call(
    "GET",
    "/documents/<int:number>/left",
    permission=Permission.DOCUMENT_ISSUE,
    also=(Permission.DOCUMENT_SEE,),
    answers=list[Left],
    refusals=(404,),
    does=("credit_notes.credit",),
)
def left(connection: Connection, *, number: int) -> list[Left]:
    """What is left of each line of an invoice, that can be given back."""
    invoice = _creditable(connection, number)
    amounts = left_of(invoice)
    return [Left(one.number, one.printed.description, amount_of(amounts[one.number])) for one in invoice.lines]


@pages.call(
    "POST",
    "/documents/<int:number>/credit-notes",
    permission=Permission.DOCUMENT_ISSUE,
    also=(Permission.DOCUMENT_SEE,),
    body=NewCreditNote,
    answers=Issue,
    status=201,
    refusals=(404, 409),
    does=("credit_notes.credit",),
)
def credit(connection: Connection, *, number: int, body: NewCreditNote) -> Issue:
    """Give an invoice back, all that is left of it or by line, by a credit note."""
    there = left_of(_creditable(connection, number))
    amounts: dict[int, Decimal | None] | None = None if body.lines is None else {}
    for place, one in enumerate(body.lines or ()):
        assert amounts is not None, "there are lines"
        if one.number not in there or one.number in amounts:
            raise wrong_value("no line of it, or named twice", pointer=f"/lines/{place}/number")
        amount = None if one.amount is None else Decimal(one.amount)
        if amount is not None and not 0 < amount <= there[one.number].amount:
            raise wrong_value(f"above zero, and at most {there[one.number]}", pointer=f"/lines/{place}/amount")
        amounts[one.number] = amount
    issuer_id, _ = load_parties_of(connection, number)
    day = body.day or books_of(connection, issuer_id).today
    acting(connection, person().name)
    with refusals_of():
        draft, made = credit_document(
            connection, number, amounts, document_date=day, reason=body.reason, actor=person().name
        )
    postings = [shaped(Leg, one) for one in plan_postings(connection, draft)]
    return Issue(paper_shown(issued(connection, made.id)), postings)


def _wanted(connection: Connection, body: NewInvoice) -> WantedInvoice:
    """The product's question. Raises: Problem."""
    if (body.customer_id is None) == (body.contract_id is None):
        raise wrong_value("either a customer or a contract", pointer="/customer_id")
    if body.contract_id is None:
        books = books_of(connection, body.issuer_id)
    else:
        with refusals_of(BillingError, pointer="/contract_id"):
            books = books_of(connection, load_contract_parties(connection, body.contract_id).issuer_id)
    return WantedInvoice(
        lines=tuple(_line(one, f"/lines/{place}") for place, one in enumerate(body.lines)),
        document_date=body.day or books.today,
        customer_id=body.customer_id,
        issuer_id=books.issuer.id,
        contract_id=body.contract_id,
        includes_tax=body.includes_tax,
        due_in_days=() if body.due_in_days is None else (body.due_in_days,),
        reason=body.reason,
    )


def _line(one: NewLine, place: str) -> WantedLine:
    if not Decimal(one.quantity):
        raise wrong_value("not zero", pointer=f"{place}/quantity")
    during = None
    if one.since is not None or one.until is not None:
        if one.since is None or one.until is None or not one.since <= one.until < date.max:
            raise wrong_value("the first and the last day, or neither", pointer=f"{place}/until")
        during = Period(one.since, one.until + timedelta(days=1))
    return WantedLine(
        product_id=one.product_id,
        description=one.description,
        quantity=Decimal(one.quantity),
        unit_price=None if one.unit_price is None else Decimal(one.unit_price),
        discount_percent=None if one.discount_percent is None else Decimal(one.discount_percent),
        tax_code=one.tax_code,
        during=during,
    )


def _creditable(connection: Connection, number: int) -> Creditable:
    try:
        return load_creditable(connection, number)
    except NoDocumentError as error:
        raise there_is_none() from error

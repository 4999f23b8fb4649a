"""Invoices and credit notes that a person makes: what is wanted becomes a draft, and the draft is issued.

A draft alone is a dry run: its totals without a number.

Units: days are civil dates of the issuer's zone; prices are with tax or without, as the invoice says.
Source: billing model sections 9 and 10.

Next: billing/runs/billing_run.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from billing.credits import credit_draft
from billing.documents import (
    CustomerParty,
    DocumentKind,
    Draft,
    DraftLine,
    Parties,
    Purpose,
    Source,
    draft_document,
    due_days,
)
from billing.due_contract import Article
from billing.errors import BillingError
from billing.money import Money, read_money
from billing.operations.office import Office, load_office
from billing.operations.restoring import look_again
from billing.periods import Period
from billing.plain_text import is_seen
from billing.postings import postings_for
from billing.sentence import Sentence
from billing.store.books import load_chart
from billing.store.contract_items import load_price
from billing.store.credited_charges import credit_charges, hold_charges
from billing.store.documents import Issued, issue
from billing.store.issued import load_creditable, load_parties_of
from billing.store.parties import load_contract_parties, load_parties
from billing.tax import TaxTables
from billing.totals import LineDraft

Connection = psycopg.Connection[Any]


class WrongInvoiceError(BillingError):
    """What was asked for makes no invoice; nothing was written."""


@dataclass(frozen=True, slots=True)
class WantedLine:
    """A line as somebody asks for it. Without a price the product's own of the day; without a product, a tax code by name.

    `account` is the code of a revenue account in the place of the product's.
    """

    product_id: int | None = None
    description: str | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    discount_percent: Decimal | None = None
    tax_code: str | None = None
    account: str | None = None
    during: Period | None = None


@dataclass(frozen=True, slots=True)
class WantedInvoice:
    """An invoice as somebody asks for it. With a contract, its payer, issuer, currency, prices and due days are the contract's."""

    lines: tuple[WantedLine, ...]
    document_date: date
    customer_id: int | None = None
    issuer_id: int | None = None
    contract_id: int | None = None
    currency: str | None = None
    includes_tax: bool | None = None
    due_in_days: tuple[int, ...] = ()
    discount: Decimal | None = None
    reason: str | None = None


def plan_invoice(connection: Connection, wanted: WantedInvoice) -> Draft:
    """The invoice that would be issued; nothing is written.

    Raises: WrongInvoiceError and other BillingErrors that say what is missing.
    """
    if not wanted.lines:
        raise WrongInvoiceError(Sentence("an invoice has at least one line"))
    agreed = load_contract_parties(connection, wanted.contract_id) if wanted.contract_id is not None else None
    issuer_id = agreed.issuer_id if agreed else wanted.issuer_id
    customer_id = agreed.payer_id if agreed else wanted.customer_id
    if issuer_id is None or customer_id is None:
        raise WrongInvoiceError(Sentence("name the issuer and the customer, or a contract that names both"))
    office = load_office(connection, issuer_id)
    customer = load_parties(connection, [customer_id]).get(customer_id)
    if customer is None:
        raise WrongInvoiceError(Sentence("there is no customer %(customer_id)s", customer_id=customer_id))
    currency = wanted.currency or (agreed.currency if agreed else office.issuer.currency)
    includes_tax = wanted.includes_tax
    if includes_tax is None:
        includes_tax = agreed.includes_tax if agreed else False
    days = wanted.due_in_days or ((agreed.due_days,) if agreed else (0,))
    day = wanted.document_date
    lines = [
        _line(connection, office, one, customer, currency=currency, includes_tax=includes_tax, wanted=wanted)
        for one in wanted.lines
    ]
    draft = draft_document(
        lines,
        Parties(office.issuer, customer),
        register=office.register(DocumentKind.INVOICE, customer, Purpose.MANUAL),
        document_date=day,
        currency=currency,
        includes_tax=includes_tax,
        due_on=due_days(day, days),
        stamp=office.stamp(
            DocumentKind.INVOICE, customer, (one.priced.treatment for one in lines), currency=currency, day=day
        ),
        discount=None if wanted.discount is None else read_money(wanted.discount, currency),
        reason=wanted.reason,
    )
    # Billing model section 10: what comes to nothing is not issued. An order that advances paid whole is another matter.
    if not draft.totals.gross:
        raise WrongInvoiceError(Sentence("it comes to nothing: an invoice of nothing takes a number and says nothing"))
    return draft


def plan_credit(
    connection: Connection,
    document_id: int,
    amounts: Mapping[int, Decimal | None] | None,
    *,
    document_date: date,
    reason: str,
) -> Draft:
    """The credit note that would be issued; nothing is written. `amounts` are in the invoice's prices, by line.

    Raises: NoDocumentError, NothingLeftError and other BillingErrors.
    """
    invoice = load_creditable(connection, document_id)
    issuer_id, customer_id = load_parties_of(connection, document_id)
    office = load_office(connection, issuer_id)
    customer = load_parties(connection, [customer_id])[customer_id]
    given: dict[int, Money | None] | None = None
    if amounts is not None:
        given = {
            number: None if amount is None else read_money(amount, invoice.currency)
            for number, amount in amounts.items()
        }
    return credit_draft(
        invoice,
        given,
        Parties(office.issuer, customer),
        register=office.register(DocumentKind.CREDIT_NOTE, customer, Purpose.MANUAL),
        document_date=document_date,
        reason=reason,
        stamp=office.stamp(
            DocumentKind.CREDIT_NOTE,
            customer,
            (one.printed.treatment for one in invoice.lines),
            currency=invoice.currency,
            day=document_date,
        ),
    )


@dataclass(frozen=True, slots=True)
class PlannedPosting:
    """A leg of the entry that a draft would have; a debit is above zero."""

    code: str
    account: str
    amount: Money


def plan_postings(connection: Connection, draft: Draft) -> tuple[PlannedPosting, ...]:
    """What issuing a draft would write into the ledger; nothing is written."""
    chart = {one.id: one for one in load_chart(connection, draft.issuer_id)}
    legs = postings_for(draft, load_office(connection, draft.issuer_id).accounts)
    return tuple(PlannedPosting(chart[leg.account_id].code, chart[leg.account_id].name, leg.amount) for leg in legs)


def make_invoice(connection: Connection, wanted: WantedInvoice, *, actor: str) -> tuple[Draft, Issued]:
    """Issue it; `acting()` must have been told. Raises: what `plan_invoice` and `issue` do."""
    draft = plan_invoice(connection, wanted)
    (issued,) = issue(connection, [draft], made_by=actor)
    return draft, issued


def credit_document(
    connection: Connection,
    document_id: int,
    amounts: Mapping[int, Decimal | None] | None,
    *,
    document_date: date,
    reason: str,
    actor: str,
) -> tuple[Draft, Issued]:
    """Issue a credit note, and give the charges back that its lines billed; `acting()` must have been told.

    Raises: what `plan_credit` and `issue` do.
    """
    charges = hold_charges(connection, document_id)
    draft = plan_credit(connection, document_id, amounts, document_date=document_date, reason=reason)
    (issued,) = issue(connection, [draft], made_by=actor)
    credit_charges(connection, charges, draft, issued.id, made_by=actor)
    look_again(connection, [draft.customer_id], by=f"credit note {issued.label}")
    return draft, issued


def _line(
    connection: Connection,
    office: Office,
    one: WantedLine,
    customer: CustomerParty,
    *,
    currency: str,
    includes_tax: bool,
    wanted: WantedInvoice,
) -> DraftLine:
    article = office.articles.get(one.product_id) if one.product_id is not None else None
    if one.product_id is not None and article is None:
        raise WrongInvoiceError(Sentence("there is no product %(product_id)s", product_id=one.product_id))
    description = one.description or (article.words(customer.language) if article else None)
    if not description or not is_seen(description):
        raise WrongInvoiceError(Sentence("a line without a product needs its words"))
    if one.tax_code is not None:
        code_id = _code(office.tables, one.tax_code)
    elif article is not None:
        code_id = article.tax_code_id
    else:
        raise WrongInvoiceError(
            Sentence("%(description)s: a line without a product needs a tax code", description=description)
        )
    price = one.unit_price
    if price is None:
        if article is None:
            raise WrongInvoiceError(
                Sentence("%(description)s: a line without a product needs a price", description=description)
            )
        price = load_price(
            connection,
            currency=currency,
            includes_tax=includes_tax,
            months=1,
            on=wanted.document_date,
            product=article.id,
        ).period_price
    priced = LineDraft(
        description,
        one.quantity,
        price,
        office.treatment(code_id, customer, wanted.document_date),
        discounts=() if one.discount_percent is None else (one.discount_percent,),
    )
    source = Source(product_id=one.product_id, contract_id=wanted.contract_id, during=one.during)
    return DraftLine(priced, _account(office, one, article), source)


def _account(office: Office, one: WantedLine, article: Article | None) -> int:
    if one.account is None:
        return office.accounts.revenue(article.id if article else None, article.family if article else None)
    found = office.accounts.by_code.get(one.account)
    if found is None:
        raise WrongInvoiceError(
            Sentence(
                "there is no revenue account %(account)s; `corrente issuer account list` shows them",
                account=one.account,
            )
        )
    return found


def _code(tables: TaxTables, name: str) -> int:
    for code in tables.codes.values():
        if code.name == name:
            return code.id
    raise WrongInvoiceError(
        Sentence("there is no tax code %(name)s; `corrente issuer tax list` shows them", name=repr(name))
    )

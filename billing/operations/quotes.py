"""Quotes: what is offered at which prices until when, and what comes of it when the customer agrees.

A quote is sent by issuing it and is answered once: accepted, refused, or over when its last day has passed. Accepted, what
is sold once becomes an order (billing/operations/orders.py), and a plan with its add-ons a contract that waits for activation, at the
prices of the quote.

Units: days of the issuer's zone. The caller owns the transaction and has named the actor (billing/store/acting.py).
Raises: OfferError, which names the document and what to do.
Source: billing model sections 3 and 10.

Next: billing/operations/offer_desk.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import psycopg
from msgspec import structs

from billing.contract_facts import Status
from billing.documents import DocumentKind, Draft, DraftLine, Source, draft_document
from billing.held_items import price_for
from billing.money import settle
from billing.new_contract import NewContract, NewTerms, SoldProduct
from billing.operations.making import make_contract
from billing.operations.offer_desk import (
    OfferDesk,
    OfferError,
    answer_offer,
    desk_for,
    of_groups,
    open_offer,
    same_line,
)
from billing.plain_text import is_seen
from billing.sentence import Sentence
from billing.store.audit import note
from billing.store.contract_items import load_price
from billing.store.documents import Issued, issue
from billing.store.quotes import Offer, OfferLine, load_kinds, load_names, load_overdue_quotes, save_answer
from billing.totals import LineDraft

Connection = psycopg.Connection[Any]

_RECURRING: Final = ("plan", "add_on")


@dataclass(frozen=True, slots=True)
class AskedLine:
    """A product at its price of the day or another one, or something by hand, which has words, a price and a tax code."""

    product_id: int | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    discounts: tuple[Decimal, ...] = ()
    words: str | None = None
    tax_code_id: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a quote is to offer, and to whom. Without a currency it is the issuer's; `reason` is why a product has another price than its own."""

    issuer_id: int
    customer_id: int
    lines: tuple[AskedLine, ...]
    valid_until: date
    includes_tax: bool = False
    currency: str | None = None
    reason: str | None = None


class NoReasonError(OfferError):
    """Products are offered at other prices than the catalogue's, and nobody says why."""

    def __init__(self, products: Iterable[str]) -> None:
        super().__init__(f"another price of {', '.join(products)} than the catalogue's: say why")


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of a quote: an order, a contract, or both."""

    order: Issued | None
    contract_id: int | None


def draft_quote(connection: Connection, asked: Asked, *, today: date) -> Draft:
    """A quote with its prices and taxes, not written yet. Raises: BillingError, NoPriceError, NoReasonError."""
    if asked.valid_until < today:
        raise OfferError(
            Sentence(
                "a quote that holds until %(valid_until)s: today is %(today)s",
                valid_until=asked.valid_until,
                today=today,
            )
        )
    desk = desk_for(connection, asked.issuer_id, asked.customer_id, today)
    currency = asked.currency or desk.parties.issuer.currency
    kinds = load_kinds(connection, [line.product_id for line in asked.lines if line.product_id is not None])
    _check_sold(asked, kinds)
    other_prices = _other_prices(connection, asked)
    if other_prices and not asked.reason:
        raise NoReasonError(other_prices)
    lines = [_asked_line(connection, desk, line, asked, currency=currency) for line in asked.lines]
    draft = draft_document(
        lines,
        desk.parties,
        register=desk.register(DocumentKind.QUOTE),
        document_date=today,
        currency=currency,
        includes_tax=asked.includes_tax,
        valid_until=asked.valid_until,
    )
    _check_prices_come_back(draft, set(kinds.values()))
    return draft


def send_quote(connection: Connection, draft: Draft, *, asked: Asked, actor: str) -> Issued:
    """Number the draft of what was asked: it is sent, and its prices hold until its last day. Prices that are not the catalogue's are audited."""
    issued = issue(connection, [draft], made_by=actor)[0]
    other_prices = _other_prices(connection, asked)
    if other_prices:
        detail = {"prices": other_prices, "reason": asked.reason}
        note(connection, actor=actor, action="quote.override_price", subject=f"quote {issued.label}", detail=detail)
    return issued


def accept_quote(
    connection: Connection, number: int, *, today: date, actor: str, terms: NewTerms | None = None
) -> Accepted:
    """The customer agrees: an order of what is sold once, and a contract of a plan with its add-ons.

    `terms` are the contract's, with the quote's issuer, currency and kind of prices.
    """
    quote = open_offer(connection, number, DocumentKind.QUOTE)
    if quote.valid_until is not None and quote.valid_until < today:
        raise OfferError(
            Sentence(
                "quote %(quote)s held until %(valid_until)s: send another one",
                quote=quote.label,
                valid_until=quote.valid_until,
            )
        )
    order = None
    once = [line for line in quote.lines if line.product_kind not in _RECURRING]
    if once:
        desk = desk_for(connection, quote.issuer_id, quote.customer_id, today)
        order = issue(connection, [_order(desk, quote, once)], made_by=actor)[0]
    contract_id = _contract_of(connection, quote, terms, today=today, actor=actor)
    answer_offer(connection, quote, "accepted", "quote.accept", actor=actor, detail={"contract": contract_id})
    return Accepted(order, contract_id)


def refuse_quote(connection: Connection, number: int, *, actor: str, reason: str | None = None) -> None:
    """The customer does not want it."""
    quote = open_offer(connection, number, DocumentKind.QUOTE)
    answer_offer(connection, quote, "refused", "quote.refuse", actor=actor, detail={"reason": reason} if reason else {})


def expire_quotes(connection: Connection, issuer_id: int, *, today: date, actor: str) -> list[str]:
    """Quotes whose last day has passed without an answer are over; returns their labels."""
    expired = []
    for number, label in load_overdue_quotes(connection, issuer_id, today):
        if save_answer(connection, number, "expired"):
            note(connection, actor=actor, action="quote.expire", subject=f"quote {label}")
            expired.append(label)
    return expired


def _check_sold(asked: Asked, kinds: dict[int, str]) -> None:
    missing = [line.product_id for line in asked.lines if line.product_id not in (None, *kinds)]
    if missing:
        raise OfferError(Sentence("there is no product %(missing)s", missing=missing[0]))
    plans = [line for line in asked.lines if line.product_id is not None and kinds[line.product_id] == "plan"]
    if len(plans) > 1:
        raise OfferError(Sentence("a quote sells one plan, which becomes one contract: send one quote for each"))
    if not plans and "add_on" in kinds.values():
        raise OfferError(Sentence("an add-on goes with a plan: quote both, or add it to the contract that there is"))
    if any(line.unit_price is not None and line.unit_price < 0 for line in asked.lines):
        raise OfferError(Sentence("a price below zero: take it off a line as a discount"))


def _other_prices(connection: Connection, asked: Asked) -> dict[str, str]:
    """By the names of products the prices that are not the catalogue's."""
    named = {line.product_id: line.unit_price for line in asked.lines if line.product_id is not None}
    names = load_names(connection, list(named))
    return {names[product]: str(price) for product, price in named.items() if price is not None}


def _asked_line(
    connection: Connection,
    desk: OfferDesk,
    line: AskedLine,
    asked: Asked,
    *,
    currency: str,
) -> DraftLine:
    article = None if line.product_id is None else desk.office.articles[line.product_id]
    code = line.tax_code_id if article is None else article.tax_code_id
    words = line.words or (article.words(desk.customer.language) if article else None)
    price = line.unit_price
    if price is None and article is not None:
        price = load_price(
            connection,
            currency=currency,
            includes_tax=asked.includes_tax,
            months=1,
            on=desk.today,
            product=article.id,
        ).period_price
    if code is None or not words or not is_seen(words) or price is None:
        raise OfferError(Sentence("a line by hand has words, a price and a tax code"))
    treatment = desk.office.treatment(code, desk.customer, desk.today)
    family = article.family if article else None
    priced = LineDraft(words, line.quantity, price, treatment, line.discounts)
    return DraftLine(priced, desk.office.accounts.revenue(line.product_id, family), Source(product_id=line.product_id))


def _check_prices_come_back(draft: Draft, kinds: set[str]) -> None:
    """A contract, and the order beside it, take their prices from the quote, whose lines are printed without tax."""
    if not draft.includes_tax or kinds.isdisjoint(_RECURRING):
        return
    for line, printed in zip(draft.lines, draft.totals.lines, strict=True):
        left = Fraction(line.priced.unit_price)
        for percent in line.priced.discounts:
            left -= left * Fraction(percent) / 100
        if _agreed_price(printed.unit_price - printed.discount, printed.treatment.rate, draft.currency) != left:
            raise OfferError(
                Sentence(
                    "%(description)s: its price with tax can't be quoted to the cent beside the others; quote it alone or without tax",
                    description=line.priced.description,
                )
            )


def _agreed_price(each: Decimal, rate: Decimal, currency: str) -> Decimal:
    return settle(Fraction(each) * (1 + Fraction(rate) / 100), currency).amount


def _order(desk: OfferDesk, quote: Offer, once: Sequence[OfferLine]) -> Draft:
    """What of a quote is sold once, as it was quoted."""
    whole = len(once) == len(quote.lines)
    lines = [same_line(line) for line in once]
    with_tax = quote.includes_tax and not whole
    if with_tax:
        prices = [_agreed_price(line.unit_price, line.treatment.rate, quote.currency) for line in once]
        lines = [
            structs.replace(line, priced=structs.replace(line.priced, unit_price=price))
            for line, price in zip(lines, prices, strict=True)
        ]
    draft = draft_document(
        lines,
        desk.parties,
        register=desk.register(DocumentKind.ORDER),
        document_date=desk.today,
        currency=quote.currency,
        includes_tax=with_tax,
        from_id=quote.id,
    )
    return of_groups(draft, quote.groups, quote.includes_tax) if whole else draft


def _contract_of(
    connection: Connection, quote: Offer, terms: NewTerms | None, *, today: date, actor: str
) -> int | None:
    sold = {line.product_kind: line for line in quote.lines}
    plan = sold.get("plan")
    if plan is None:
        return None
    agreed = replace(
        terms or NewTerms(quote.issuer_id),
        issuer_id=quote.issuer_id,
        currency=quote.currency,
        includes_tax=quote.includes_tax,
    )
    add_ons = tuple(_sold(line, quote, agreed.months) for line in quote.lines if line.product_kind == "add_on")
    new = NewContract(quote.customer_id, _sold(plan, quote, agreed.months), agreed, Status.PENDING, add_ons)
    connection.execute("SELECT set_config('corrente.detail', %s, true)", (json.dumps({"quote": str(quote.id)}),))
    contract_id = make_contract(connection, new, today=today, actor=actor)
    connection.execute("SELECT set_config('corrente.detail', '', true)")
    return contract_id


def _sold(line: OfferLine, quote: Offer, months: int) -> SoldProduct:
    """What a line sells for periods of so many months; a quote's prices are a month's."""
    assert line.product_id is not None, "what recurs is a product"
    each = line.unit_price - line.discount
    if quote.includes_tax:
        each = _agreed_price(each, line.treatment.rate, quote.currency)
    return SoldProduct(line.product_id, line.quantity, unit_price=price_for(each, months=months, of=1))

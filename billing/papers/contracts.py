"""A contract as it was agreed becomes the paper that both sign.

Source: billing model section 3; italy.md 6 for what a customer must be able to read of a minimum term and of leaving.

Next: billing/papers/template_data.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from billing.money import read_money
from billing.papers.paper import AgreedDiscount, AgreedItem, ContractPaper, Frame, PaperKind, Percent, Price, Span
from billing.papers.parties import address_lines, recipient_of, sender_of

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SoldItem:
    """What a contract sells, in its own prices; `months` None: once."""

    text: str
    quantity: Decimal
    price: Decimal
    months: int | None


@dataclass(frozen=True, slots=True)
class GivenDiscount:
    """What is taken off while it lasts; `until` is the first day without it, `of` what it is of, None: of everything."""

    reason: str
    is_percent: bool
    value: Decimal
    since: date
    until: date | None
    of: str | None


@dataclass(frozen=True, slots=True)
class AgreedTerms:
    """What the books say of a contract. `exits` are months of service that are over, and what leaving costs from then on."""

    number: int
    issuer_id: int
    issuer: Mapping[str, Any]
    customer: Mapping[str, Any]
    language: str
    currency: str
    includes_tax: bool
    dated: date
    starts_on: date | None
    minimum_months: int | None
    notice_days: int | None
    items: tuple[SoldItem, ...]
    discounts: tuple[GivenDiscount, ...] = ()
    exits: tuple[tuple[int, Decimal], ...] = ()
    service_address: Mapping[str, Any] | None = None


def contract_paper(agreed: AgreedTerms, *, language: str | None = None) -> ContractPaper:
    """What is printed of it, in the customer's language or another."""
    spoken, country = language or agreed.language, str(agreed.issuer.get("country", ""))
    customer = recipient_of(agreed.customer, country, spoken)
    frame = Frame(spoken, country, agreed.dated, sender_of(agreed.issuer), customer, str(agreed.number))
    return ContractPaper(
        PaperKind.CONTRACT,
        frame,
        tuple(
            AgreedItem(one.text, one.quantity, Price(one.price, agreed.currency), one.months) for one in agreed.items
        ),
        agreed.includes_tax,
        agreed.starts_on,
        agreed.minimum_months,
        agreed.notice_days,
        service_address=address_lines(agreed.service_address) if agreed.service_address else customer.address,
        # The first month of service is number one.
        early_exit=tuple((months + 1, read_money(cost, agreed.currency)) for months, cost in agreed.exits),
        discounts=tuple(_discount(one, agreed.currency) for one in agreed.discounts),
    )


def _discount(given: GivenDiscount, currency: str) -> AgreedDiscount:
    return AgreedDiscount(
        given.reason if given.of is None else f"{given.reason} ({given.of})",
        Percent(given.value) if given.is_percent else None,
        None if given.is_percent else Price(given.value, currency),
        given.since if given.until is None else None,
        None if given.until is None else Span(given.since, given.until - _ONE_DAY),
    )

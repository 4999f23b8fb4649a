"""A contract as it is to be made: the plan sold, what goes with it, and the terms. Values only.

Units: days of the issuer's zone.
Source: billing model sections 3 to 6.

Next: billing/operations/making.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from billing.charges import Opening
from billing.contract_facts import Status
from billing.periods import Alignment, Basis, Timing

# As many as schema.sql has numbers for.
MOST_INSTALMENTS: Final = 60


class OnNegative(StrEnum):
    """When a change gives back more than it charges: at once, or with what is billed next."""

    CREDIT_NOTE = "credit_note"
    NEXT_DOCUMENT = "next_document"


@dataclass(frozen=True, slots=True)
class SoldProduct:
    """An add-on, or a one-off fee in so many parts. `unit_price`: another than that of the day."""

    product_id: int
    quantity: Decimal = Decimal(1)
    instalments: int = 1
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class NewTerms:
    """How it is billed; what is None comes from the plan's product or the issuer."""

    issuer_id: int
    currency: str | None = None
    months: int = 1
    alignment: Alignment = Alignment.ANNIVERSARY
    billing_day: int | None = None
    timing: Timing = Timing.ANTICIPATED
    fixed_day: int | None = None
    lead_days: int = 0
    basis: Basis = Basis.ACTUAL
    opening: Opening = Opening.PRORATE
    includes_tax: bool = False
    due_days: int = 15
    on_negative: OnNegative = OnNegative.NEXT_DOCUMENT
    billing_group: str | None = None
    payer_id: int | None = None
    service_address_id: int | None = None
    order_fees: bool = False
    trial_days: int | None = None
    minimum_months: int | None = None
    renew_months: int | None = None
    notice_days: int | None = None
    distance: bool = False


@dataclass(frozen=True, slots=True)
class NewContract:
    """Who gets what. A draft goes its way; `pending` was agreed already and waits for activation."""

    customer_id: int
    plan: SoldProduct
    terms: NewTerms
    status: Status = Status.DRAFT
    add_ons: tuple[SoldProduct, ...] = ()
    fees: tuple[SoldProduct, ...] = ()
    promotions: tuple[int, ...] = ()
    planned_start: date | None = None

"""A contract of which something may be due, and what a run makes of it: values only.

Units: days of the billing zone; amounts in the prices of the contract, with or without tax.
Source: billing model sections 5, 6 and 11.

Next: billing/rating.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from billing.charges import Discount, Item, Terms
from billing.contract_facts import Status
from billing.credited_days import Charged
from billing.money import Money
from billing.periods import Period
from billing.totals import TaxTreatment


class ChargeKind(StrEnum):
    """What is due, by the words of the database."""

    PERIOD = "period"
    ONE_OFF = "one_off"
    INSTALMENT = "instalment"
    USAGE = "usage"
    CREDIT = "credit"
    EARLY_EXIT = "early_exit"
    PAUSE_FEE = "pause_fee"


class OnNegative(StrEnum):
    """What happens when more is given back than is charged."""

    CREDIT_NOTE = "credit_note"
    NEXT_DOCUMENT = "next_document"


@dataclass(frozen=True, slots=True)
class Part:
    """One amount of a one-off fee: the whole of it, or an instalment. `charged` before."""

    due_on: date
    amount: Money
    charged: bool


@dataclass(frozen=True, slots=True)
class Fee:
    """A one-off item. `parts` are its instalments, or itself."""

    item_id: int
    family: str
    starts_on: date
    in_instalments: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """Days that a contract does not pay: `whole` periods left out, else its days are credited."""

    id: int
    start: date
    end: date | None
    whole: bool
    settled_through: date | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """The line of an issued document that a credit gives back of, whose document that is, and how the line was taxed."""

    document_id: int
    number: int
    customer_id: int
    treatment: TaxTreatment


class DueCharge(Struct, frozen=True):
    """An amount that a document may take. One that this run makes has an `id` below zero until it is written.

    `carried`: a run of a day before let it wait. `corrects_id`: of which charge it gives back. `which`: the number of an instalment, and
    of how many, where this run makes it.
    """

    id: int
    item_id: int
    kind: ChargeKind
    during: Period
    units: int
    of: int
    full: Money
    discounted: Money
    due_on: date
    corrects_id: int | None = None
    corrects: Corrected | None = None
    carried: bool = False
    stop_id: int | None = None
    which: tuple[int, int] | None = None

    @property
    def net(self) -> Money:
        """What is left of the full price; below zero it is given back."""
        return self.full - self.discounted

    @property
    def is_new(self) -> bool:
        """Whether this run makes it."""
        return self.id < 0


class Position(Struct, frozen=True):
    """How far an item is billed, and when a run finds more of it to bill."""

    item_id: int
    billed_through: date
    due_on: date | None


@dataclass(frozen=True, slots=True)
class Sold:
    """What of an item stands on a line."""

    item_id: int
    product_id: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Article:
    """A product as lines name it; `texts` by language, else its name."""

    id: int
    name: str
    family: str
    tax_code_id: int
    texts: Mapping[str, str]

    def words(self, language: str) -> str:
        """What stands on a document in that language."""
        return self.texts.get(language, self.name)


@dataclass(frozen=True, slots=True)
class DueContract:
    """A contract of which something may be due, with all that its bill turns on."""

    id: int
    customer_id: int
    payer_id: int
    status: Status
    billing_group: str | None
    due_days: int
    includes_tax: bool
    order_fees: bool
    on_negative: OnNegative
    goes_on: bool
    terms: Terms
    items: tuple[Item, ...] = ()
    fees: tuple[Fee, ...] = ()
    discounts: tuple[Discount, ...] = ()
    stops: tuple[Stop, ...] = ()
    waiting: tuple[DueCharge, ...] = ()
    positions: tuple[Position, ...] = ()
    resting: tuple[Item, ...] = ()
    charged: tuple[tuple[Charged, Corrected | None], ...] = ()


class RatedContract(Struct, frozen=True):
    """What a contract owes: charges in order of items and days, how its positions move, which stops are dealt with."""

    contract: DueContract
    charges: tuple[DueCharge, ...]
    moves: tuple[tuple[Position, Position], ...]
    settled: tuple[tuple[int, date], ...] = ()

"""A new price for what is agreed: told 30 days before, from a boundary on, so that no period is split and nothing billed changes.

Units: prices are exact, of one unit for a whole period; days are civil dates.
Source: billing model section 4, unilateral change.

Next: billing/store/price_changes.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

from billing.errors import BillingError
from billing.held_items import price_for
from billing.money import Money, settle
from billing.periods import Cycle

NOTICE: Final = timedelta(days=30)
_LEAST_PERCENT: Final = -100
# No product of a price and a percentage has more.
_DIGITS: Final = 40


class PriceChangeError(BillingError):
    """A change of price that is none, or comes too soon."""


@dataclass(frozen=True, slots=True)
class PriceChange:
    """What a price becomes: so much a month, or so many percent more (below zero: less). One of the two."""

    month_price: Decimal | None = None
    percent: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.month_price is None) == (self.percent is None):
            raise PriceChangeError("a new price is an amount a month, or a percentage: one of the two")
        if self.month_price is not None and self.month_price < 0:
            raise PriceChangeError(f"a price of {self.month_price}: it is 0 or more")
        if self.percent is not None and self.percent < _LEAST_PERCENT:
            raise PriceChangeError(f"{self.percent} percent would leave less than nothing")


@dataclass(frozen=True, slots=True)
class Reach:
    """Which items a change is for: of a product, from a day on; an amount is of one currency and with or without tax, a percentage
    of any (None).
    """

    product_id: int
    day: date
    currency: str | None = None
    includes_tax: bool = False


@dataclass(frozen=True, slots=True)
class PricedItem:
    """A recurring item that a new price may reach. `billed_through` is the first day that is not billed."""

    id: int
    contract_id: int
    currency: str
    includes_tax: bool
    quantity: Decimal
    period_price: Decimal
    cycle: Cycle
    starts_on: date
    ends_on: date | None
    billed_through: date


@dataclass(frozen=True, slots=True)
class NewPrice:
    """An item that ends on a boundary, from which it goes on at another price."""

    item: PricedItem
    on: date
    period_price: Decimal

    @property
    def told_by(self) -> date:
        """The last day on which the customer may be told."""
        return self.on - NOTICE


@dataclass(frozen=True, slots=True)
class PriceTotal:
    """Of all items of one kind: how many, and what they come to in a month, before and after."""

    currency: str
    includes_tax: bool
    items: int
    before: Money
    after: Money


def check_day(day: date, today: date) -> None:
    """Raises: PriceChangeError when customers could not be told 30 days before."""
    if day < today + NOTICE:
        raise PriceChangeError(
            f"{day} is too soon: customers are told {NOTICE.days} days before; {today + NOTICE} is the first day"
        )


def new_price_for(item: PricedItem, change: PriceChange, day: date) -> NewPrice | None:
    """From which boundary at or after a day an item has which price; None where it ends before, or has that price.

    Days that are billed stay as they are billed, so an item that is billed far ahead changes where that ends.
    """
    on = boundary_from(item.cycle, max(day, item.billed_through, item.starts_on))
    if item.ends_on is not None and item.ends_on <= on:
        return None
    price = _changed(item, change)
    return None if price == item.period_price else NewPrice(item, on, price)


def boundary_from(cycle: Cycle, day: date) -> date:
    """The first boundary at or after a day."""
    period = cycle.period_of(day)
    return day if period.start == day else period.end


def price_totals(prices: Iterable[NewPrice]) -> list[PriceTotal]:
    """By currency and whether prices are with tax: amounts in a month, rounded once for all items."""
    return counted_totals((one, 1) for one in prices)


def counted_totals(prices: Iterable[tuple[NewPrice, int]]) -> list[PriceTotal]:
    """The same of prices that so many items have alike."""
    counts: dict[tuple[str, bool], int] = defaultdict(int)
    before: dict[tuple[str, bool], Fraction] = defaultdict(Fraction)
    after: dict[tuple[str, bool], Fraction] = defaultdict(Fraction)
    for one, items in prices:
        kind = (one.item.currency, one.item.includes_tax)
        units = items * Fraction(one.item.quantity) / one.item.cycle.months
        counts[kind] += items
        before[kind] += units * Fraction(one.item.period_price)
        after[kind] += units * Fraction(one.period_price)
    return [
        PriceTotal(*kind, counts[kind], settle(before[kind], kind[0]), settle(after[kind], kind[0]))
        for kind in sorted(counts)
    ]


def _changed(item: PricedItem, change: PriceChange) -> Decimal:
    if change.month_price is not None:
        return price_for(change.month_price, months=item.cycle.months, of=1)
    assert change.percent is not None, "one of the two is there"
    if item.quantity == 1 and settle(item.period_price, item.currency).amount == item.period_price:
        return settle(Fraction(item.period_price) * (100 + Fraction(change.percent)) / 100, item.currency).amount
    # A unit of many may cost less than the smallest coin: rounded to coins it would be nothing, or twice as much.
    with localcontext() as context:
        context.prec = _DIGITS
        return price_for(item.period_price * (100 + change.percent), months=1, of=100)

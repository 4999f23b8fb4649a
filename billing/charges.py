"""What is due of a contract's recurring items: the parts of their periods, less discounts, and credits for days unused.

An item has its own price, dates and place in time up to which it was billed. A charge is one amount for one time. Where a
discount of the contract begins or ends inside a period the period is cut there, and the pieces' full prices add up to the
period's.

Units: `period_price` is what one unit costs for a whole period, exact; times are days of the billing zone, `[start, end)`.
Source: billing model sections 5 to 8.

Next: billing/totals.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import groupby, pairwise

from billing.money import Money, settle, share, zero
from billing.periods import Basis, Cycle, Period, Segment, Timing, due_date, segments_due, telescoped


class Opening(StrEnum):
    """What the days before an item's first boundary cost: their share, a whole period, nothing; or `join`: their share, but
    due with the next period.
    """

    PRORATE = "prorate"
    FULL = "full"
    FREE = "free"
    JOIN = "join"


class DiscountKind(StrEnum):
    """Percent of what is left, or an amount for each whole period."""

    PERCENT = "percent"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a contract's recurring items are counted and fall due. `lead_days` before that, documents are prepared."""

    currency: str
    timing: Timing = Timing.ANTICIPATED
    basis: Basis = Basis.ACTUAL
    opening: Opening = Opening.PRORATE
    fixed_day: int | None = None
    lead_days: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """A plan or an add-on of a contract. `billed_through` is the first day that is not billed."""

    id: int
    family: str
    quantity: Decimal
    period_price: Decimal
    cycle: Cycle
    starts_on: date
    ends_on: date | None
    billed_through: date


@dataclass(frozen=True, slots=True)
class Discount:
    """Taken off one item, a family or, with neither, the whole contract, from a day on until another.

    Lower `priority` first; each counts on what those before it left, and takes no more than that.
    """

    id: int
    kind: DiscountKind
    value: Decimal
    starts_on: date
    ends_on: date | None = None
    priority: int = 100
    item_id: int | None = None
    family: str | None = None

    def covers(self, item: Item, part: Period) -> bool:
        """Whether it is taken off a part of that item that it does not begin or end inside of."""
        return (
            self.item_id in (None, item.id)
            and self.family in (None, item.family)
            and self.starts_on <= part.start
            and (self.ends_on is None or part.end <= self.ends_on)
        )


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount due for a time: `units` of the `of` that a whole period has."""

    item_id: int
    part: Period
    units: int
    of: int
    full: Money
    discounted: Money
    due_on: date

    @property
    def net(self) -> Money:
        """What is left of the full price."""
        return self.full - self.discounted


@dataclass(frozen=True, slots=True)
class Rated:
    """What a contract owes up to a day, which parts of which items are left out for good, and where each item then stands."""

    charges: tuple[Charge, ...]
    stopped: tuple[tuple[int, Period], ...]
    billed_through: dict[int, date]


def rate(
    items: Sequence[Item],
    terms: Terms,
    *,
    through: date,
    discounts: Sequence[Discount] = (),
    stops: Sequence[tuple[date, date | None]] = (),
) -> Rated:
    """All charges that are due up to and with a day.

    Asked again from where it left off it goes on without a gap: in any number of steps the charges are the same.
    `stops` are times in which whole periods are left out, each recorded and never charged later.
    """
    charges: list[Charge] = []
    stopped: list[tuple[int, Period]] = []
    stand: dict[int, date] = {}
    for item in sorted(items, key=lambda one: one.id):
        for segment in _due(item, terms, through):
            stand[item.id] = segment.part.end
            if any(start <= segment.part.start and (end is None or segment.part.end <= end) for start, end in stops):
                stopped.append((item.id, segment.part))
            else:
                charges += _pieces(item, segment, terms, discounts)
    by_id = {item.id: item for item in items}
    return Rated(tuple(_discounted(charges, by_id, discounts, terms)), tuple(stopped), stand)


def next_due(item: Item, terms: Terms) -> date | None:
    """On which day a run finds the next part of an item to bill; None when all its time is billed."""
    if item.ends_on is not None and item.billed_through >= item.ends_on:
        return None
    whole = item.cycle.period_of(item.billed_through)
    part = Period(item.billed_through, whole.end if item.ends_on is None else min(whole.end, item.ends_on))
    return _due_on(item, part, terms) - timedelta(days=terms.lead_days)


def credit_for(charge: Charge, unused: Period, *, cycle: Cycle, basis: Basis, credited: Money) -> Money:
    """What of a charge is given back for days of it that are not used, above zero; never more than is left of it.

    Source: billing model section 7: the share of the days, rounded once; invariant I10.
    """
    start, end = max(unused.start, charge.part.start), min(unused.end, charge.part.end)
    if start >= end:
        return zero(charge.net.currency)
    left = charge.net - credited
    if not charge.units:
        return left
    # A full price for an opening part was counted by its days.
    counted = basis if cycle.units(charge.part, basis)[0] == charge.units else Basis.ACTUAL
    units, _ = cycle.units(Period(start, end), counted)
    given = share(charge.net, units, charge.units)
    return given if given <= left else left


def discount_total(base: Money, discounts: Sequence[tuple[DiscountKind, Decimal]]) -> Money:
    """What discounts in this order take off an amount, each from what the one before left and none below zero."""
    left = base
    for kind, value in discounts:
        left -= _taken(kind, value, left, settle(value, base.currency) if kind is DiscountKind.FIXED else left)
    return base - left


def _due(item: Item, terms: Terms, through: date) -> Iterator[Segment]:
    """The parts of an item that are due, the opening one as its rule says."""
    for segment in segments_due(
        item.cycle,
        billed_through=item.billed_through,
        end=item.ends_on,
        through=through + timedelta(days=terms.lead_days),
        timing=terms.timing,
        basis=terms.basis,
        fixed_day=terms.fixed_day,
    ):
        if _due_on(item, segment.part, terms) - timedelta(days=terms.lead_days) > through:
            return
        yield segment


def _due_on(item: Item, part: Period, terms: Terms) -> date:
    joins = terms.opening is Opening.JOIN and _opens(item, part) and part.end == item.cycle.period_of(part.start).end
    if not joins or part.end == item.ends_on:
        return due_date(part, terms.timing, terms.fixed_day)
    following = item.cycle.period_of(part.end)
    end = following.end if item.ends_on is None else min(following.end, item.ends_on)
    return due_date(Period(part.end, end), terms.timing, terms.fixed_day)


def _opens(item: Item, part: Period) -> bool:
    """Whether a part is the one before the item's first boundary."""
    return part.start == item.starts_on and item.cycle.period_of(part.start).start != part.start


def _pieces(item: Item, segment: Segment, terms: Terms, discounts: Sequence[Discount]) -> Iterator[Charge]:
    """One part, cut where discounts of the contract begin or end; none of them taken off yet."""
    part = segment.part
    days = {day for one in discounts for day in (one.starts_on, one.ends_on) if day and part.start < day < part.end}
    cuts = [Period(start, end) for start, end in pairwise((part.start, *sorted(days), part.end))]
    price = settle(Fraction(item.period_price) * Fraction(item.quantity), terms.currency)
    basis, of = terms.basis, segment.of
    if _opens(item, part) and terms.opening is Opening.FREE:
        price = zero(terms.currency)
    if _opens(item, part) and terms.opening is Opening.FULL:
        # The part is the whole: by its days, since on thirty-day months a 30th up to the 31st counts none.
        basis, of = Basis.ACTUAL, (part.end - part.start).days
    segments = tuple(Segment(cut, item.cycle.units(cut, basis)[0], of) for cut in cuts)
    due_on = _due_on(item, part, terms)
    for one, full in zip(segments, telescoped(price, segments), strict=True):
        yield Charge(item.id, one.part, one.units, one.of, full, zero(terms.currency), due_on)


def _discounted(
    charges: list[Charge], items: dict[int, Item], discounts: Sequence[Discount], terms: Terms
) -> list[Charge]:
    """Take the discounts off. A fixed one of several items is used up by them in their order."""
    for discount in sorted(discounts, key=lambda one: (one.priority, one.id)):
        covered = [index for index, one in enumerate(charges) if discount.covers(items[one.item_id], one.part)]
        offered = dict.fromkeys(covered, zero(terms.currency))
        if discount.kind is DiscountKind.FIXED:
            offered = _offered(discount, charges, covered, items, terms)
        used: dict[Period, Money] = {}
        for index in covered:
            charge = charges[index]
            offer = offered[index] - used.get(charge.part, zero(terms.currency))
            taken = _taken(discount.kind, discount.value, charge.net, offer)
            used[charge.part] = used.get(charge.part, zero(terms.currency)) + taken
            charges[index] = replace(charge, discounted=charge.discounted + taken)
    return charges


def _offered(
    discount: Discount, charges: list[Charge], covered: list[int], items: dict[int, Item], terms: Terms
) -> dict[int, Money]:
    """What a fixed discount gives for each covered piece: its share of a period, so that whole periods get all of it."""
    value = settle(discount.value, terms.currency)
    offered: dict[int, Money] = {}
    for _, of_one_period in groupby(covered, lambda index: _period_key(charges[index], items)):
        indexes = list(of_one_period)
        pieces = tuple(Segment(charges[one].part, charges[one].units, charges[one].of) for one in indexes)
        offered.update(zip(indexes, telescoped(value, pieces), strict=True))
    return offered


def _period_key(charge: Charge, items: dict[int, Item]) -> tuple[int, date]:
    return charge.item_id, items[charge.item_id].cycle.period_of(charge.part.start).start


def _taken(kind: DiscountKind, value: Decimal, left: Money, offer: Money) -> Money:
    if kind is DiscountKind.PERCENT:
        return settle(Fraction(left.amount) * Fraction(value) / 100, left.currency)
    return min(left, offer, key=lambda one: one.minor)

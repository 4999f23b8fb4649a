"""What is due of a contract's recurring items: the parts of their periods, less discounts, and credits for days unused.

An item has its own price, dates and place in time up to which it was billed. A charge is one amount for one time. Where a
discount of an item begins or ends inside a period the period is cut there, and the pieces' full prices add up to the
period's. What an item is charged depends on nothing else that is billed with it, nor on how often it was asked for.

Units: `period_price` is what one unit costs for a whole period, exact; times are days of the billing zone, `[start, end)`.
Source: billing model sections 5 to 8.

Next: billing/credited_days.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct

from billing.money import Money, percent_of, settle, settle_product, zero
from billing.periods import Basis, Cycle, Period, Segment, Timing, due_date, merged, segments_due, telescoped


class Opening(StrEnum):
    """What the days before an item's first boundary cost: their share, a whole period, nothing; or `join`: their share, but
    due with the next period.
    """

    PRORATE = "prorate"
    FULL = "full"
    FREE = "free"
    JOIN = "join"


class ItemKind(StrEnum):
    """What recurs, by the words of the database."""

    PLAN = "plan"
    ADD_ON = "add_on"


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
    kind: ItemKind
    family: str
    quantity: Decimal
    period_price: Decimal
    cycle: Cycle
    starts_on: date
    ends_on: date | None
    billed_through: date


@dataclass(frozen=True, slots=True)
class Discount:
    """Taken off one item, each item of a family or, with neither, the contract, from a day on until another.

    Of the contract percents are taken off each item and an amount off its plan. Lower `priority` first; each counts on
    what those before it left, and takes no more than that.
    """

    id: int
    kind: DiscountKind
    value: Decimal
    starts_on: date
    ends_on: date | None = None
    priority: int = 100
    item_id: int | None = None
    family: str | None = None

    def is_of(self, item: Item) -> bool:
        """Whether it is taken off that item while it lasts."""
        if self.item_id is None and self.family is None:
            return self.kind is DiscountKind.PERCENT or item.kind is ItemKind.PLAN
        return self.item_id in (None, item.id) and self.family in (None, item.family)

    def lasts(self, part: Period) -> bool:
        """Whether it lasts all days of a part that it does not begin or end inside of."""
        return self.starts_on <= part.start and (self.ends_on is None or part.end <= self.ends_on)


class Charge(Struct, frozen=True):
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


class Rated(Struct, frozen=True):
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
    in_order = sorted(discounts, key=lambda one: (one.priority, one.id))
    for item in sorted(items, key=lambda one: one.id):
        of_item = [one for one in in_order if one.is_of(item)]
        for segment in _due(item, terms, through):
            stand[item.id] = segment.part.end
            if any(start <= segment.part.start and (end is None or segment.part.end <= end) for start, end in stops):
                stopped.append((item.id, segment.part))
            else:
                charges += _charges_of(item, segment, terms, of_item)
    return Rated(tuple(charges), tuple(stopped), stand)


def next_due(item: Item, terms: Terms) -> date | None:
    """On which day a run finds the next part of an item to bill; None when all its time is billed."""
    if item.ends_on is not None and item.billed_through >= item.ends_on:
        return None
    whole = item.cycle.period_of(item.billed_through)
    part = Period(item.billed_through, whole.end if item.ends_on is None else min(whole.end, item.ends_on))
    return _due_on(item, part, terms) - timedelta(days=terms.lead_days)


def credit_for(
    charge: Charge, unused: Period, *, cycle: Cycle, basis: Basis, credited: Money, given_back: Sequence[Period] = ()
) -> Money:
    """What of a charge is given back for days of it that are not used, above zero; never more than is left of it.

    Days that were `given_back` before are not again, and all credits of its days together are rounded once: with its last
    day the charge is given back whole. `credited` is all that was given back of it, for days or otherwise.
    Source: billing model section 7: the share of the days, rounded once; invariant I10.
    """
    if not merged((unused,), within=charge.part):
        return zero(charge.net.currency)
    before = units_inside(charge, given_back, cycle, basis)
    after = units_inside(charge, (*given_back, unused), cycle, basis)
    left = charge.net - credited
    given = telescoped(charge.net, before, after, charge.units) if charge.units else left
    return max(zero(left.currency), min(given, left, key=lambda one: one.minor), key=lambda one: one.minor)


def units_inside(charge: Charge, days: Sequence[Period], cycle: Cycle, basis: Basis) -> int:
    """How many units of a charge lie inside of times, each once, counted as the charge was."""
    # A full price for an opening part was counted by its days.
    counted = basis if cycle.units(charge.part, basis)[0] == charge.units else Basis.ACTUAL
    return sum(cycle.units(one, counted)[0] for one in merged(days, within=charge.part))


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
    """Whether a part lies before the item's first boundary."""
    return item.cycle.period_of(part.start).start < item.starts_on


def _charges_of(item: Item, segment: Segment, terms: Terms, discounts: Sequence[Discount]) -> Iterator[Charge]:
    """One part, cut where discounts of the item begin or end, with what they take off.

    What a piece costs is the rounded price up to its end less that up to its start, so that pieces add up.
    """
    part = segment.part
    days = {day for one in discounts for day in (one.starts_on, one.ends_on) if day and part.start < day < part.end}
    price, up_to, of = _priced(item, segment, terms)
    due_on = _due_on(item, part, terms)
    for start, end in pairwise((part.start, *sorted(days), part.end)):
        piece = Period(start, end)
        full = left = telescoped(price, up_to(start), up_to(end), of)
        for one in discounts:
            if one.lasts(piece):
                offer = left if one.kind is DiscountKind.PERCENT else _offered(one, piece, up_to, of, terms)
                left -= _taken(one.kind, one.value, left, offer)
        yield Charge(item.id, piece, up_to(end) - up_to(start), of, full, full - left, due_on)


def _priced(item: Item, segment: Segment, terms: Terms) -> tuple[Money, Callable[[date], int], int]:
    """The price of the whole, the units of it up to a day from where the item's time in this period begins, their sum.

    Counted from there and not from where billing stands: an item whose end was taken back is billed on in that period.
    Source: billing model section 7: telescoping.
    """
    part = segment.part
    price = settle_product(item.period_price, item.quantity, terms.currency)
    begun = item.cycle.period_of(part.start).start
    opens, base = begun < item.starts_on, max(begun, item.starts_on)
    if opens and terms.opening is Opening.FULL:
        # The first part of it is the whole: by its days, since on thirty-day months a 30th up to the 31st counts none.
        days = (part.end - part.start).days
        return price if part.start == base else zero(terms.currency), lambda day: max(0, (day - part.start).days), days
    if opens and terms.opening is Opening.FREE:
        price = zero(terms.currency)
    return price, lambda day: item.cycle.units(Period(base, day), terms.basis)[0] if base < day else 0, segment.of


def _offered(discount: Discount, piece: Period, up_to: Callable[[date], int], of: int, terms: Terms) -> Money:
    """What a fixed discount gives for a piece: its share of a period, so that a whole period gets all of it."""
    before = up_to(discount.starts_on)
    return telescoped(
        settle(discount.value, terms.currency), up_to(piece.start) - before, up_to(piece.end) - before, of
    )


def _taken(kind: DiscountKind, value: Decimal, left: Money, offer: Money) -> Money:
    if kind is DiscountKind.PERCENT:
        return percent_of(left, value)
    return min(left, offer, key=lambda one: one.minor)

"""What a contract's recurring items become by a deed: which end when, which begin beside or after them.

An item that has begun is never rewritten: it ends, and another begins. One that ends as it begins never was: so the
last of several changes of a day counts alone. An item whose days behind its end were given back stays ended; what goes
on after it is another one.

Units: days of the billing zone.
Source: billing model sections 5 and 8.

Next: billing/operations/doing.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import zip_longest
from typing import Final

from billing.charges import ItemKind
from billing.contract_facts import Contract
from billing.periods import Cycle

NEW: Final = 0
# numeric(18, 8)
_UNIT_PRICE: Final = Decimal("0.00000001")
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HeldItem:
    """A recurring item of a contract. `plan` is that of the network; `given_back` when days behind its end were credited.

    `follows` is the item that one to be written goes on from. `repriced`: it begins on a day for which a new price was set.
    """

    id: int
    kind: ItemKind
    product_id: int
    plan: int | None
    quantity: Decimal
    period_price: Decimal
    cycle: Cycle
    starts_on: date
    ends_on: date | None = None
    billed_through: date | None = None
    given_back: bool = False
    follows: int | None = None
    repriced: bool = False

    @property
    def is_void(self) -> bool:
        """It ends as it begins."""
        return self.ends_on == self.starts_on

    def lasts_to(self, day: date) -> bool:
        """Whether it began before a day and goes on up to it at least."""
        return self.starts_on < day and (self.ends_on is None or day <= self.ends_on)


@dataclass(frozen=True, slots=True)
class Moves:
    """New ends of items there are, by their ids, and items that begin, each with no id yet."""

    ends: dict[int, date | None]
    begins: tuple[HeldItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Sold:
    """What a plan costs now for a whole period of some months."""

    product_id: int
    period_price: Decimal


def items_cut(items: Sequence[HeldItem], on: date) -> Moves:
    """Nothing recurs from a day on."""
    return Moves({one.id: max(on, one.starts_on) for one in _alive(items, on)})


def items_until(items: Sequence[HeldItem], end: date | None, *, before: date | None) -> Moves:
    """A day set for the end, or none, in the place of one set before: what lasted to that day lasts to this one.

    Plans that were to follow on the end or later never do. The rest that has not begun waits for the end to come.
    """
    ends: dict[int, date | None] = {}
    begins: list[HeldItem] = []
    for one in items:
        first_plan = one.kind is ItemKind.ADD_ON or not any(
            other.kind is ItemKind.PLAN and other.starts_on < one.starts_on for other in items
        )
        if one.is_void or (end is not None and one.starts_on >= end and first_plan):
            continue
        if end is not None and (one.ends_on is None or one.ends_on > end):
            ends[one.id] = max(one.starts_on, end)
        elif before is not None and one.ends_on == before and (end is None or before < end):
            prices = _prices_set(items, one, before - _ONE_DAY, end)
            until = prices[0].starts_on if prices else end
            if one.given_back and (until is None or before < until):
                begins.append(_next(one, before, until))
            elif not one.given_back:
                ends[one.id] = until
            if one.kind is ItemKind.PLAN:
                _revive(prices, end, ends, begins, again=one.given_back)
    return Moves(ends, tuple(begins))


def plans_from(items: Sequence[HeldItem], contract: Contract, on: date, *, sold: Callable[[int, int], Sold]) -> Moves:
    """The plan items as the contract's plans want them from a day on; `sold` prices a plan that has no item yet."""
    plans = [one for one in items if one.kind is ItemKind.PLAN]
    # One at most: the database keeps a contract's plans apart.
    before = next((one for one in plans if one.lasts_to(on)), None)
    later = [one for one in plans if one.starts_on >= on and not one.is_void]
    ends: dict[int, date | None] = {one.id: one.starts_on for one in later}
    begins: list[HeldItem] = []
    for start, end, plan in _timeline(contract, on):
        goes_on = before is not None and start == on and before.plan == plan and not _closed(before, on)
        if start == on and before is not None and not goes_on:
            ends[before.id] = on
        same = [one for one in plans if one.plan == plan and (one is before or one in later)]
        there = [one for one in same if one.starts_on == start and not one.given_back]
        if goes_on and before is not None:
            there = [before]
        # A price that was set for the very day stands for what goes on.
        after = start - _ONE_DAY if goes_on else start
        prices = _prices_set(plans, (there or same)[-1], after, end) if same else []
        until = prices[0].starts_on if prices else end
        if there:
            ends[there[0].id] = until
        else:
            like = before or max(plans, key=lambda one: one.id)
            begins.append(_begun(same, plan, (start, until), like=like, sold=sold))
        _revive(prices, end, ends, begins, again=not there)
    return Moves(ends, tuple(begins))


def items_again(
    items: Sequence[HeldItem], contract: Contract, on: date, *, last: date | None, sold: Callable[[int, int], Sold]
) -> Moves:
    """What recurred up to a last day recurs again from a day on, as it was agreed; the plan is the one in force now."""
    ended = [] if last is None else _ended_on(items, last)
    plans = [one for one in items if one.kind is ItemKind.PLAN]
    begins: list[HeldItem] = []
    for start, end, plan in _timeline(contract, on):
        # A price that was set for a day to come counts from then on, not before.
        same = sorted(
            (one for one in plans if one.plan == plan and not (one.repriced and one.starts_on > start)),
            key=lambda one: one.id,
        )
        like = max(plans, key=lambda one: one.id)
        prices = _prices_set(plans, same[-1], start, end) if same else []
        begins.append(_begun(same, plan, (start, prices[0].starts_on if prices else end), like=like, sold=sold))
        _revive(prices, end, {}, begins, again=True)
    begins += (_next(one, on, contract.ends_on) for one in ended)
    return Moves({}, tuple(begins))


def _ended_on(items: Sequence[HeldItem], last: date) -> list[HeldItem]:
    """Add-ons that ended on a day or never began because of it; of a product, the latter stand for those they followed."""
    never = [one for one in items if one.kind is ItemKind.ADD_ON and one.is_void and one.starts_on >= last]
    latest = {one.product_id: one for one in sorted(never, key=lambda one: one.id)}
    ended = [one for one in items if one.kind is ItemKind.ADD_ON and one.ends_on == last]
    return [*(one for one in ended if one.product_id not in latest), *latest.values()]


def items_recycled(
    items: Sequence[HeldItem], on: date, cycle: Cycle, *, price: Callable[[HeldItem, int], Decimal]
) -> Moves:
    """From a day on everything recurs by other periods; `price` says what an item costs for so many months."""
    ends: dict[int, date | None] = {}
    begins: list[HeldItem] = []
    for one in _alive(items, on):
        start = max(on, one.starts_on)
        ends[one.id] = start
        begins.append(replace(_next(one, start, one.ends_on), cycle=cycle, period_price=price(one, cycle.months)))
    return Moves(ends, tuple(begins))


def price_for(period_price: Decimal, *, months: int, of: int) -> Decimal:
    """What was agreed for periods of `of` months, for periods of `months`: a unit price, to its eight places."""
    with localcontext() as context:
        context.prec = 40
        return (period_price * months / of).quantize(_UNIT_PRICE, ROUND_HALF_UP)


def item_on(items: Sequence[HeldItem], day: date) -> HeldItem | None:
    """The plan's item on a day, else the last there was or the first there will be."""
    plans = sorted(
        (one for one in items if one.kind is ItemKind.PLAN and not one.is_void), key=lambda one: one.starts_on
    )
    begun = [one for one in plans if one.starts_on <= day]
    if begun:
        return begun[-1]
    return plans[0] if plans else None


def _alive(items: Sequence[HeldItem], on: date) -> list[HeldItem]:
    return [one for one in items if not one.is_void and (one.ends_on is None or one.ends_on > on)]


def _closed(item: HeldItem, on: date) -> bool:
    """Whether it can't go on beyond a day that it ends on."""
    return item.ends_on == on and item.given_back


def _timeline(contract: Contract, on: date) -> list[tuple[date, date | None, int]]:
    """The plans from a day on up to the contract's end, each with its days."""
    plan = contract.plan
    starts: list[tuple[date, int]] = []
    for day, other in contract.plan_changes:
        if day <= on:
            plan = other
        else:
            starts.append((day, other))
    starts.insert(0, (on, plan))
    ends = [*(day for day, _ in starts[1:]), contract.ends_on]
    return [(start, end, plan) for (start, plan), end in zip(starts, ends, strict=True) if end is None or start < end]


def _prices_set(items: Sequence[HeldItem], base: HeldItem, after: date, end: date | None) -> list[HeldItem]:
    """The items that an item goes on in, at prices set for days after a day and before an end; of a day the last one set."""
    set_later = {
        one.starts_on: one
        for one in sorted(items, key=lambda one: one.id)
        if one.repriced and one.id > base.id and (one.kind, one.product_id) == (base.kind, base.product_id)
    }
    return [set_later[day] for day in sorted(set_later) if after < day and (end is None or day < end)]


def _revive(
    prices: Sequence[HeldItem], end: date | None, ends: dict[int, date | None], begins: list[HeldItem], *, again: bool
) -> None:
    """Items with a price of their own follow each other up to an end; `again`: as new ones, behind another new one."""
    for one, after in zip_longest(prices, prices[1:]):
        until = after.starts_on if after else end
        if again or one.given_back:
            begins.append(_next(one, one.starts_on, until))
        else:
            ends[one.id] = until


def _begun(
    same: Sequence[HeldItem],
    plan: int,
    days: tuple[date, date | None],
    *,
    like: HeldItem,
    sold: Callable[[int, int], Sold],
) -> HeldItem:
    """A plan's item: as it was agreed before, else at the price of now, in the periods of the contract."""
    if same:
        last = same[-1]
        price = price_for(last.period_price, months=like.cycle.months, of=last.cycle.months)
        return replace(_next(last, *days), cycle=like.cycle, period_price=price)
    now = sold(plan, like.cycle.months)
    new = replace(_next(like, *days), plan=plan, product_id=now.product_id, follows=None)
    return replace(new, period_price=now.period_price)


def _next(item: HeldItem, start: date, end: date | None) -> HeldItem:
    """The same again for other days."""
    new = replace(item, id=NEW, starts_on=start, ends_on=end, billed_through=None, given_back=False)
    return replace(new, follows=item.id)

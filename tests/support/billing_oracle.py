"""What a contract costs, told day by day: slow, and without a line of the rules that it is held against.

It walks the calendar, looks at each day by itself and puts days together again that are charged alike.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import accumulate, groupby
from typing import Any

DAY = timedelta(days=1)


@dataclass(frozen=True)
class ToldCharge:
    """What some days of an item cost: the whole price and what is left of it, in the smallest unit of the currency."""

    item_id: int
    start: date
    end: date
    full: int
    net: int


def is_boundary(day: date, *, anchor: date, wanted_day: int, months: int) -> bool:
    """Whether a period begins on a day: its month is in the row, and its number wanted, or the month has no such number."""
    apart = (day.year - anchor.year) * 12 + day.month - anchor.month
    is_last = (day + DAY).month != day.month
    return apart % months == 0 and (day.day == wanted_day or (is_last and day.day < wanted_day))


def days_from(start: date, end: date) -> Iterator[date]:
    """Each day from one up to another."""
    while start < end:
        yield start
        start += DAY


def weight(day: date, *, thirty: bool) -> int:
    """What a day counts. Of months of thirty a 30th counts none before a 31st, and a February's last what is missing."""
    if not thirty:
        return 1
    after = day + DAY
    return 30 * (after.month != day.month) + min(after.day, 30) - min(day.day, 30)


def nearest(exact: Fraction) -> int:
    """The whole number nearest to one that is not below zero; a half is the greater."""
    return int(exact + Fraction(1, 2))


def boundaries_around(first: date, last: date, **row: Any) -> list[date]:
    """Every day on which a period begins, from a year before a time to a year after it."""
    year = timedelta(days=400)
    return [day for day in days_from(first - year, last + year) if is_boundary(day, **row)]


def told_charges(item: Any, *, through: date, places: int, thirty: bool, discounts: Any = ()) -> list[ToldCharge]:
    """What an item costs from its start up to a day or its end: a charge for days of one period and the same discounts.

    For openings that cost their days, and days of the month up to 28 when months have thirty.
    """
    row = {"anchor": item.cycle.anchor, "wanted_day": item.cycle.wanted_day, "months": item.cycle.months}
    price = nearest(Fraction(item.period_price) * Fraction(item.quantity) * 10**places)
    last = through if item.ends_on is None else min(through, item.ends_on)
    boundaries = boundaries_around(item.starts_on, last, **row)
    # How much the days up to each one count.
    days = list(days_from(boundaries[0], boundaries[-1] + DAY))
    counted = dict(zip(days, accumulate((weight(day, thirty=thirty) for day in days), initial=0), strict=False))
    told: list[ToldCharge] = []
    periods = groupby(days_from(item.starts_on, last), lambda day: bisect_right(boundaries, day))
    for number, in_period in periods:
        start, end = boundaries[number - 1], boundaries[number]
        for in_force, alike in groupby(in_period, lambda day: _in_force(item, discounts, day)):
            run = list(alike)

            def part(amount: int, since: date, until: date, whole: int = counted[end] - counted[start]) -> int:
                """An amount for the whole, of the days from one until another."""
                return nearest(Fraction(amount * (counted[until] - counted[since]), whole))

            begun, after = max(start, item.starts_on), run[-1] + DAY
            full = net = part(price, begun, after) - part(price, begun, run[0])
            for one in in_force:
                if one.kind == "percent":
                    net -= nearest(net * Fraction(one.value) / 100)
                else:
                    amount, since = nearest(Fraction(one.value) * 10**places), max(begun, one.starts_on)
                    net -= min(net, part(amount, since, after) - part(amount, since, run[0]))
            told.append(ToldCharge(item.id, run[0], after, full, net))
    return told


def _in_force(item: Any, discounts: Any, day: date) -> tuple[Any, ...]:
    """The discounts that are taken off an item on a day, in their order."""
    return tuple(
        one
        for one in sorted(discounts, key=lambda each: (each.priority, each.id))
        if one.starts_on <= day
        and (one.ends_on is None or day < one.ends_on)
        and (
            one.item_id == item.id
            or one.family == item.family
            or (one.item_id is None and one.family is None and (one.kind == "percent" or item.kind == "plan"))
        )
    )

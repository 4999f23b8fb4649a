"""Billing periods: boundaries counted from an anchor, half-open `[start, end)`, and the share of one that was served.

Dates are local civil dates of the billing zone, so a day of 23 or 25 hours is a day. Every boundary is counted from the
anchor, never from the boundary before: 31 January, 28 February, 31 March.

Source: billing model sections 6 and 7.

Next: billing/charges.py
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from billing.errors import BillingError
from billing.money import Money, share

# Natural quarters, half-years and years begin in January, so a calendar period divides the year.
CALENDAR_MONTHS: Final = (1, 2, 3, 4, 6, 12)
LONGEST_PERIOD_MONTHS: Final = 12


class Basis(StrEnum):
    """What a day is a share of: the days that are there, or twelve months of thirty."""

    ACTUAL = "actual"
    THIRTY = "thirty"


class Alignment(StrEnum):
    """Where the first boundary lies, at or after the first billable day."""

    ANNIVERSARY = "anniversary"
    DAY_OF_MONTH = "day_of_month"
    CALENDAR = "calendar"


class Timing(StrEnum):
    """When a period is due: on its start or on its end."""

    ANTICIPATED = "anticipated"
    POSTICIPATED = "posticipated"


class Period(Struct, frozen=True):
    """Days from `start` up to, and without, `end`."""

    start: date
    end: date

    def __post_init__(self) -> None:
        assert self.start < self.end, f"{self.start} to {self.end} is no period"


@dataclass(frozen=True, slots=True)
class Cycle:
    """The boundaries of a contract item: every `months` from the month of `anchor`, on `wanted_day` or the month's last.

    Raises: BillingError for a length that is not 1 to 12 months, or an anchor that its wanted day does not give.
    """

    anchor: date
    wanted_day: int
    months: int

    def __post_init__(self) -> None:
        if not 1 <= self.months <= LONGEST_PERIOD_MONTHS:
            raise BillingError(f"a period of {self.months} months: 1 to {LONGEST_PERIOD_MONTHS} whole months")
        if not 1 <= self.wanted_day <= 31:
            raise BillingError(f"billing day {self.wanted_day}: 1 to 31")
        if self.anchor != _on_day(self.anchor.year, self.anchor.month, self.wanted_day):
            raise BillingError(f"the anchor {self.anchor} is not on billing day {self.wanted_day}")

    def boundary(self, k: int) -> date:
        """The k-th boundary; 0 is the anchor, those before it are negative."""
        month = self.anchor.year * 12 + self.anchor.month - 1 + k * self.months
        return _on_day(month // 12, month % 12 + 1, self.wanted_day)

    def period_of(self, day: date) -> Period:
        """The aligned period that holds a day."""
        return _period_of(self.anchor, self.wanted_day, self.months, day)

    def units(self, part: Period, basis: Basis) -> tuple[int, int]:
        """How much of its aligned period a part is: (units of it, units of the whole).

        A part never reaches over a boundary. With thirty-day months, day 31 counts as 30, as does a boundary that a
        short month moved: what is a whole period is whole, and parts that meet add up to it.
        """
        whole = self.period_of(part.start)
        assert part.end <= whole.end, f"{part} reaches over the boundary {whole.end}"
        if basis is Basis.ACTUAL:
            return (part.end - part.start).days, (whole.end - whole.start).days
        of = 30 * self.months
        return self._thirty(part.end, whole, of) - self._thirty(part.start, whole, of), of

    def _thirty(self, day: date, whole: Period, of: int) -> int:
        """Units from the period's start up to a day of it, 0 to `of`."""
        if day == whole.end:
            return of
        months = (day.year - whole.start.year) * 12 + day.month - whole.start.month
        # A start that a short month moved forward would count below zero.
        return max(0, 30 * months + min(day.day, 30) - min(self.wanted_day, 30))


class Segment(Struct, frozen=True):
    """A part of one aligned period with its share of it: `units` of `of`."""

    part: Period
    units: int
    of: int

    def net(self, price: Money) -> Money:
        """What this part costs when a whole period costs `price`."""
        return share(price, self.units, self.of)


def first_boundary(start: date, alignment: Alignment, *, months: int, day: int | None = None) -> tuple[date, int]:
    """The first boundary at or after the first billable day, and the wanted day that goes with it.

    `day` is asked for by `day_of_month` and by nothing else.
    Raises: BillingError when it is missing or not wanted, or a calendar period does not divide the year.
    """
    if (day is not None) != (alignment is Alignment.DAY_OF_MONTH):
        raise BillingError(f"alignment {alignment} {'needs' if day is None else 'takes no'} billing day")
    if alignment is Alignment.ANNIVERSARY:
        return start, start.day
    if day is not None:
        return _first_on(start, day), day
    if months not in CALENDAR_MONTHS:
        raise BillingError(f"a calendar period of {months} months does not divide the year: {CALENDAR_MONTHS}")
    begun = date(start.year, (start.month - 1) // months * months + 1, 1)
    return (start if start == begun else Cycle(begun, 1, months).boundary(1)), 1


def segments_between(cycle: Cycle, served: Period, basis: Basis) -> Iterator[Segment]:
    """Cut a served time at the boundaries: each piece with its share of the aligned period that holds it."""
    start = served.start
    while start < served.end:
        end = min(cycle.period_of(start).end, served.end)
        part = Period(start, end)
        units, of = cycle.units(part, basis)
        yield Segment(part, units, of)
        start = end


def segments_due(
    cycle: Cycle,
    *,
    billed_through: date,
    end: date | None,
    through: date,
    timing: Timing,
    basis: Basis,
    fixed_day: int | None = None,
) -> tuple[Segment, ...]:
    """What is due up to and with a day, from where billing stands: whole periods, and parts where it starts or ends.

    `end` is the first day without service. When a part is due says `due_date`.
    """
    due: list[Segment] = []
    start = billed_through
    while end is None or start < end:
        whole_end = cycle.period_of(start).end
        part = Period(start, whole_end if end is None else min(whole_end, end))
        if due_date(part, timing, fixed_day) > through:
            break
        units, of = cycle.units(part, basis)
        due.append(Segment(part, units, of))
        start = part.end
    return tuple(due)


def due_date(part: Period, timing: Timing, fixed_day: int | None = None) -> date:
    """The day on which a part is due: its start or its end, or the first such day of a month at or after that."""
    day = part.start if timing is Timing.ANTICIPATED else part.end
    return day if fixed_day is None else _first_on(day, fixed_day)


def telescoped(price: Money, start: int, end: int, of: int) -> Money:
    """The price of a part of a period so that the parts together are rounded once.

    It is the rounded price up to its end less that up to its start, both as units from where the first part begins, so the
    parts of a whole period add up to its price.
    Source: billing model section 7; invariant I11.
    """
    return share(price, end, of) - share(price, start, of)


def merged(times: Iterable[Period], *, within: Period) -> tuple[Period, ...]:
    """Their days inside of a time, each once: disjoint, in order, with days between them."""
    kept: list[Period] = []
    for one in sorted(times, key=lambda time: time.start):
        start, end = max(one.start, within.start), min(one.end, within.end)
        if kept and start <= kept[-1].end:
            start, end = kept[-1].start, max(end, kept[-1].end)
            kept.pop()
        if start < end:
            kept.append(Period(start, end))
    return tuple(kept)


def gaps(times: Iterable[Period], *, within: Period) -> tuple[Period, ...]:
    """What is left of a time without others: disjoint, in order."""
    left: list[Period] = []
    start = within.start
    for one in merged(times, within=within):
        if start < one.start:
            left.append(Period(start, one.start))
        start = one.end
    return (*left, Period(start, within.end)) if start < within.end else tuple(left)


# A run asks for the same few periods of thousands of items that share their billing day.
@lru_cache(maxsize=4096)
def _period_of(anchor: date, wanted_day: int, months: int, day: date) -> Period:
    cycle = Cycle(anchor, wanted_day, months)
    k = ((day.year - anchor.year) * 12 + day.month - anchor.month) // months
    # The month alone tells it but for the days of a boundary's own month that lie before the boundary.
    if day < cycle.boundary(k):
        k -= 1
    return Period(cycle.boundary(k), cycle.boundary(k + 1))


def _on_day(year: int, month: int, day: int) -> date:
    # No month is shorter than 28 days.
    return date(year, month, day if day <= 28 else min(day, monthrange(year, month)[1]))


def _first_on(start: date, day: int) -> date:
    """The first date with that day of the month, or the month's last, at or after a date."""
    here = _on_day(start.year, start.month, day)
    if here >= start:
        return here
    year, month = divmod(start.year * 12 + start.month, 12)
    return _on_day(year, month + 1, day)

"""Days that a contract does not pay: what of its charges is given back for a pause or a restriction with `credit_days`.

The days inside a charged period are given back when the restriction ends or the period does, whichever comes first; so
nothing is given back ahead of time, and a restriction lifted early takes nothing back. In arrears it is the same: a period
is charged when it ends, and its days not served are given back in the same run. What else gave days of a charge back,
such as a plan change, is minded by their dates: no day twice, and never more than is left of the charge.

Units: days of the billing zone, `[start, end)`; amounts given back are above zero.
Source: billing model sections 3.2 and 7; invariant I10.

Next: billing/totals.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing.charges import Charge, Item, Terms, credit_for, units_inside
from billing.money import Money
from billing.periods import Basis, Cycle, Period, gaps, merged


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge as it stands: how much of it was given back for whatever reason, and which days by that."""

    id: int
    charge: Charge
    credited: Money
    given_back: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True)
class DaysNotPaid:
    """Days that are not to be paid; those before `settled_through` are dealt with. Without `end` they last."""

    id: int
    start: date
    end: date | None = None
    settled_through: date | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """An amount given back for days of a charge: `units` of the `of` that a whole period has.

    Days that come to nothing, such as one of a price of cents, are told too: with the next ones they may be a cent.
    """

    charge_id: int
    item_id: int
    part: Period
    units: int
    of: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be given back, and up to which day each of the times is dealt with by it, where that moved on."""

    credits: tuple[Credit, ...]
    settled_through: dict[int, date]


def credits_due(
    charged: Sequence[Charged],
    times: Sequence[DaysNotPaid],
    items: Sequence[Item],
    terms: Terms,
    *,
    through: date,
) -> Settled:
    """All that is to be given back up to and with a day.

    `charged` are the charges of the contract that reach beyond where a time is settled, those just rated among them, and
    `items` its recurring items as the rating left them. Asked again with what it gave back, it gives back nothing more.
    """
    cycles = {item.id: item for item in items}
    stand = {one.id: one for one in charged}
    credits: list[Credit] = []
    settled: dict[int, date] = {}
    for time in times:
        begin = time.settled_through or time.start
        done = min(through, time.end or through)
        for item in items:
            if item.ends_on is None or item.billed_through < item.ends_on:
                done = min(done, max(begin, item.billed_through))
        for one in sorted(stand.values(), key=lambda each: (each.charge.item_id, each.charge.part.start, each.id)):
            item = cycles[one.charge.item_id]
            part = _served_by(one.charge, item, time, begin)
            if part is None:
                continue
            if through < min(_period_end(one.charge, item), time.end or date.max):
                done = min(done, part.start)
                continue
            given = tuple(give_back(one, part, cycle=item.cycle, basis=terms.basis))
            credits += given
            stand[one.id] = after_credits(one, given)
        if begin < done:
            settled[time.id] = done
    return Settled(tuple(credits), settled)


def give_back(one: Charged, unused: Period, *, cycle: Cycle, basis: Basis) -> Iterator[Credit]:
    """What is given back of a charge for days of it, a credit for each stretch of them that was not given back before."""
    charge, before, credited = one.charge, list(one.given_back), one.credited
    for part in (left for inside in merged([unused], within=charge.part) for left in gaps(before, within=inside)):
        left_of_it = charge.net - credited
        amount = credit_for(charge, part, cycle=cycle, basis=basis, credited=credited, given_back=before)
        before.append(part)
        credited += amount
        if left_of_it:
            units = units_inside(charge, [part], cycle, basis)
            yield Credit(one.id, charge.item_id, part, units, charge.of, amount)


def after_credits(one: Charged, given: Sequence[Credit]) -> Charged:
    """The charge as it stands after credits of it."""
    credited = one.credited
    for credit in given:
        credited += credit.amount
    return replace(one, credited=credited, given_back=(*one.given_back, *(credit.part for credit in given)))


def _served_by(charge: Charge, item: Item, time: DaysNotPaid, begin: date) -> Period | None:
    """The days of a charge inside of a time and still in service; what lies behind an item's end its end gives back."""
    start = max(charge.part.start, begin)
    end = min(charge.part.end, time.end or date.max, item.ends_on or date.max)
    return Period(start, end) if start < end else None


def _period_end(charge: Charge, item: Item) -> date:
    """Where the period ends that a charge is of, or the item inside of it."""
    return min(item.cycle.period_of(charge.part.start).end, item.ends_on or date.max)

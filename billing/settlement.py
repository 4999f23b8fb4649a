"""What of an invoice is settled, and so whether it is open, paid in part, paid, overdue or written off. Derived, never stored.

What settled it counts on its parts in the order in which they fall due.

Units: `settled` is what payments, credit notes and write-offs settled of it; days of the issuer's zone.
Source: billing model sections 10 and 12.

Next: billing/credits.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.documents import Due
from billing.money import Money, share, zero


class SettlementState(StrEnum):
    """How an invoice stands. Overdue comes before paid in part; written off is an invoice with nothing left of which some was let go."""

    OPEN = "open"
    PART_PAID = "part_paid"
    PAID = "paid"
    OVERDUE = "overdue"
    WRITTEN_OFF = "written_off"


@dataclass(frozen=True, slots=True)
class Standing:
    """`due_on` is the first day on which something is still to be paid; `overdue` what should be there by now."""

    state: SettlementState
    open: Money
    overdue: Money
    due_on: date | None


def left_of(dues: Iterable[Due], amount: Money) -> tuple[Due, ...]:
    """The parts without their first so much of money, by their days: what is open after that was paid. Nothing is below zero."""
    by_day = sorted(dues, key=lambda one: one.due_on)
    if not amount:
        return tuple(by_day)
    left: list[Due] = []
    for due in by_day:
        taken = min(due.amount, amount, key=lambda one: one.minor)
        amount -= taken
        if taken != due.amount:
            left.append(Due(due.due_on, due.amount - taken))
    return tuple(left)


def standing_of(
    payable: Money, settled: Money, dues: Sequence[Due], *, today: date, written_off: bool = False
) -> Standing:
    """How an invoice stands today. A part is overdue from the day after its due day; `written_off`: some of it was let go."""
    assert zero(payable.currency) <= settled <= payable, f"{settled} settled of {payable}"
    left = payable - settled
    overdue, first, before = zero(payable.currency), None, zero(payable.currency)
    for due in sorted(dues, key=lambda one: one.due_on):
        before += due.amount
        missing = before - settled
        if missing.minor <= 0:
            continue
        first = first or due.due_on
        if due.due_on < today:
            overdue = missing
    if not left:
        state = SettlementState.WRITTEN_OFF if written_off else SettlementState.PAID
    elif overdue:
        state = SettlementState.OVERDUE
    else:
        state = SettlementState.PART_PAID if settled else SettlementState.OPEN
    return Standing(state, left, overdue, first)


def fallen_due(tax: Money, settled: Money, payable: Money) -> Money:
    """How much of a document's deferred tax is owed by now: as much of it as is settled of what is payable, all of it when nothing is.

    Counted from the document's first day, so that what falls due from one day to another is a difference, and all parts come to the tax to the cent.
    """
    if not payable:
        return tax
    return share(tax, min(max(settled.minor, 0), payable.minor), payable.minor)

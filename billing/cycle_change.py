"""From which day a deed may count, and a change of the billing period: its length, or the day of the month it begins on.

Units: days of the billing zone.
Source: billing model section 8.

Next: billing/contracts.py
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from billing import deeds as do
from billing.contract_facts import Contract
from billing.deeds import Billing, Changed, Reason, Refused
from billing.errors import BillingError
from billing.periods import Alignment, Cycle, first_boundary


def decide_change_cycle(contract: Contract, deed: do.ChangeCycle, today: date) -> Changed | Refused:
    """The contract with other periods from a day on: what is paid of the old ones beyond it is given back."""
    if contract.cycle is None:
        return Refused(Reason.INCOMPLETE, "it has no billing period; give it terms first")
    if refused := day_refused(contract, deed.on, today):
        return refused
    try:
        cycle = _cycle_for(contract.cycle, deed)
    except BillingError as error:
        return Refused(Reason.NOT_OFFERED, str(error))
    if cycle == contract.cycle:
        return Refused(Reason.SAME, "its periods are like that already")
    billing = Billing(items_start=deed.on, items_end=deed.on, credit_from=paid_ahead(contract, deed.on), cycle=cycle)
    return Changed(replace(contract, cycle=cycle), "period_changed", deed.on, billing)


def _cycle_for(now: Cycle, deed: do.ChangeCycle) -> Cycle:
    """The new periods: from the same anchor as before, or from the day, or from the next such day of a month."""
    months = deed.months or now.months
    if deed.day is not None:
        return Cycle(*first_boundary(deed.on, Alignment.DAY_OF_MONTH, months=months, day=deed.day), months)
    return Cycle(deed.on, deed.on.day, months) if deed.restart else replace(now, months=months)


def day_refused(contract: Contract, on: date, today: date, *, ahead: bool = True) -> Refused | None:
    """Why a deed can't count from a day: not yet, in closed books, before the service or after its end."""
    if on > today and not ahead:
        return Refused(Reason.DATE_AHEAD, f"{on} is after today {today}; do it on that day")
    if contract.books_open_from is not None and on < contract.books_open_from:
        return Refused(Reason.BOOKS_CLOSED, f"the books are closed before {contract.books_open_from}; name a later day")
    starts = [day for day in (contract.starts_on, contract.free_from) if day is not None]
    if starts and on < max(starts):
        return Refused(Reason.BEFORE_START, f"{on} is before {max(starts)}, from which day it is as it is now")
    if contract.ends_on is not None and on >= contract.ends_on:
        return Refused(Reason.AFTER_END, f"it ends on {contract.ends_on}; {on} is not before that")
    return None


def paid_ahead(contract: Contract, day: date) -> date | None:
    """The day from which what was paid is given back; None when nothing was paid beyond it."""
    return day if contract.paid_through is not None and day < contract.paid_through else None

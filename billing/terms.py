"""How long a contract binds: minimum term, what leaving earlier costs, tacit renewal, notice, withdrawal.

Units: days of the billing zone; an end is the first day without service.
Source: billing model section 4.

Next: billing/contract_facts.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from billing.charges import Discount, Item, Terms, rate
from billing.money import Money, total, zero
from billing.periods import Cycle, Timing

# After a tacit renewal nobody is held longer than this, whatever the contract says.
LONGEST_NOTICE_AFTER_RENEWAL_DAYS: Final = 30
# Distance contracts; the day of signing is not counted.
WITHDRAWAL_DAYS: Final = 14
# After a change of price or terms by the issuer.
FREE_EXIT_DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Binding:
    """What was agreed about the end. With a term and no `renew_months` the contract ends by itself at the term's end."""

    minimum_until: date | None = None
    renew_months: int | None = None
    notice_days: int = 0


@dataclass(frozen=True, slots=True)
class ExitTable:
    """What leaving early costs, by offer: (from so many whole months of service on, this much), in rising order.

    `plan` with its `discounts` is what the customer pays for as long as he stays.
    """

    steps: tuple[tuple[int, Money], ...]
    plan: Item
    terms: Terms
    discounts: tuple[Discount, ...] = ()

    def __post_init__(self) -> None:
        months = [step for step, _ in self.steps]
        assert months == sorted(set(months)), f"the steps of an exit table rise: {months}"


def term_until(start: date, months: int) -> date:
    """The first day after so many months from a day, on the same day of the month or the month's last."""
    return Cycle(start, start.day, 1).boundary(months)


def whole_months(start: date, end: date) -> int:
    """How many whole months of service lie between two days, counted from the first."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return max(0, months if term_until(start, months) <= end else months - 1)


def exit_cost(table: ExitTable, *, starts_on: date, ends_on: date, minimum_until: date | None) -> Money:
    """What leaving on a day costs, without instalments: the table's amount for the whole months of service.

    Never more than the customer would have paid for the plan up to the end of the minimum term, less its discounts, and
    nothing from that day on.
    """
    nothing = zero(table.terms.currency)
    if minimum_until is None or ends_on >= minimum_until:
        return nothing
    served = whole_months(starts_on, ends_on)
    written = [amount for months, amount in table.steps if months <= served]
    cost = written[-1] if written else nothing
    if not cost:
        return nothing
    begun = min(table.plan.starts_on, ends_on)
    stays = replace(table.plan, starts_on=begun, billed_through=ends_on, ends_on=minimum_until)
    # When it would have been due is all one: all of it by then.
    terms = replace(table.terms, timing=Timing.ANTICIPATED, fixed_day=None, lead_days=0)
    rest = rate([stays], terms, through=minimum_until, discounts=table.discounts).charges
    return min(cost, total((one.net for one in rest), nothing.currency), key=lambda one: one.minor)


def term_end(binding: Binding, day: date) -> date | None:
    """Where the term ends that a day lies in: the minimum term, or one of the renewals counted from its end."""
    if binding.minimum_until is None or day < binding.minimum_until:
        return binding.minimum_until
    if binding.renew_months is None:
        return None
    renewals = whole_months(binding.minimum_until, day) // binding.renew_months + 1
    return term_until(binding.minimum_until, renewals * binding.renew_months)


def is_renewed(binding: Binding, day: date) -> bool:
    """Whether the contract had been renewed tacitly by a day."""
    return binding.renew_months is not None and binding.minimum_until is not None and binding.minimum_until <= day


def notice_due(binding: Binding, day: date) -> tuple[str, date] | None:
    """Which notice about the end of the running term is due and on which day: `renewal` or `expiry`; None without one."""
    end = term_end(binding, day)
    if end is None:
        return None
    return "expiry" if binding.renew_months is None else "renewal", end - timedelta(days=binding.notice_days)


def earliest_end(binding: Binding, today: date) -> date:
    """The first end that a customer can ask for today: the agreed notice, after a tacit renewal 30 days at most."""
    days = binding.notice_days
    if is_renewed(binding, today):
        days = min(days, LONGEST_NOTICE_AFTER_RENEWAL_DAYS)
    return today + timedelta(days=days)


def may_withdraw(signed_on: date, today: date) -> bool:
    """Whether a distance contract can still be withdrawn from."""
    return signed_on <= today <= signed_on + timedelta(days=WITHDRAWAL_DAYS)


def leaves_free(changed_on: Sequence[date], today: date) -> bool:
    """Whether the issuer told of a change of price or terms in the last 60 days, so that leaving costs nothing."""
    return any(day <= today <= day + timedelta(days=FREE_EXIT_DAYS) for day in changed_on)

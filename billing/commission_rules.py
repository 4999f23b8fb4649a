"""By which rules agents earn: one-off or recurring, percent or flat, for all products or one, for how long, from when on.

Source: billing model section 16.

Next: billing/commissions.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from billing.money import Money
from billing.payments import NotDone
from billing.periods import Cycle
from billing.sentence import Sentence

_HUNDRED: Final = Decimal(100)
_MOST_MONTHS: Final = 600


class RuleKind(StrEnum):
    """What is earned on: a contract that was brought, or each of its invoices."""

    ONE_OFF = "one_off"
    RECURRING = "recurring"


@dataclass(frozen=True, slots=True)
class Rule:
    """One way of earning: so many percent, or an amount flat.

    One-off: flat once it is in service, percent of its first invoice. Recurring: of each invoice, flat for each one. `product_id`: of its
    lines alone. In force for what is dated from `since` up to and with `until`. `months`: of invoices so long from the contract's
    start. `survives_months`: a contract that ends before earns nothing. `after_periods`: not payable before so many invoices are paid.
    """

    id: int
    kind: RuleKind
    percent: Decimal | None = None
    flat: Money | None = None
    product_id: int | None = None
    agent_id: int | None = None
    since: date = date.min
    until: date | None = None
    months: int | None = None
    survives_months: int | None = None
    after_periods: int | None = None

    def holds(self, day: date) -> bool:
        """Whether it is in force for what is dated so."""
        return self.since <= day and (self.until is None or day <= self.until)


def refuse_rule(rule: Rule) -> NotDone | None:
    """Why a rule is not taken."""
    if (rule.percent is None) == (rule.flat is None):
        return NotDone("a rule gives so many percent, or an amount: say one of them")
    if rule.percent is not None and not 0 < rule.percent <= _HUNDRED:
        return NotDone("%(percent)s percent: give more than 0 and at most 100", percent=rule.percent)
    if rule.flat is not None and rule.flat.minor <= 0:
        return NotDone("a commission of %(flat)s: give an amount above zero", flat=rule.flat)
    if rule.until is not None and rule.until < rule.since:
        return NotDone("a rule from %(since)s up to %(until)s holds on no day", since=rule.since, until=rule.until)
    for said, months in ((Sentence("earns for"), rule.months), (Sentence("survives"), rule.survives_months)):
        if months is not None and not 1 <= months <= _MOST_MONTHS:
            return NotDone(
                "%(said)s %(months)s months: give 1 to %(most)s", said=said, months=months, most=_MOST_MONTHS
            )
    if rule.months is not None and rule.kind is RuleKind.ONE_OFF:
        return NotDone("a one-off commission is earned once: it has no number of months")
    if rule.after_periods is not None and not 1 <= rule.after_periods <= _MOST_MONTHS:
        return NotDone(
            "payable after %(after_periods)s paid invoices: give 1 to %(most)s",
            after_periods=rule.after_periods,
            most=_MOST_MONTHS,
        )
    return None


def precedence(rule: Rule) -> tuple[bool, bool, int]:
    """What takes a line comes first: an agent's own rule before everybody's, a product's before all products'."""
    return (rule.agent_id is None, rule.product_id is None, rule.id)


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the month's last."""
    return Cycle(day, day.day, 1).boundary(months)

"""Words about agents: why something was earned, what a rule gives, what a deed does to an agent's sums.

Next: money_words.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from billing.commission_rules import Rule, RuleKind
from billing.commissions import Cause
from billing.money import Money
from web.language import gettext, lazy, money_shown, ngettext, number_shown

CAUSES: Final = {
    Cause.ACTIVATION.value: lazy("Activation"),
    Cause.PAID.value: lazy("Invoice paid"),
    Cause.WITHDRAWN.value: lazy("Payment taken back"),
    Cause.ADJUSTED.value: lazy("Adjusted"),
    Cause.EARLY_END.value: lazy("Contract ended early"),
}
KINDS: Final[dict[str, Any]] = {
    RuleKind.RECURRING.value: lazy("Of each invoice that is paid"),
    RuleKind.ONE_OFF.value: lazy("Once a contract"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How many contracts are an agent's, and what was earned and is not settled."""

    contracts: int
    waiting: Sequence[Money]


def sums_shown(sums: Sequence[Money]) -> str:
    """Amounts in each currency, 0 for none."""
    return ", ".join(map(money_shown, sums)) or "0"


def standing_words(name: str, before: Standing, now: Standing) -> str:
    """What a deed changes for an agent."""
    return gettext(
        "%(name)s: contracts %(before)s → %(now)s; not settled %(waiting_before)s → %(waiting)s.",
        name=name,
        before=before.contracts,
        now=now.contracts,
        waiting_before=sums_shown(before.waiting),
        waiting=sums_shown(now.waiting),
    )


def rule_words(rule: Rule, products: Mapping[int, str]) -> str:
    """What a rule gives, and on which conditions."""
    gives = money_shown(rule.flat) if rule.flat is not None else f"{number_shown(rule.percent)} %"
    said = [gives, str(KINDS[rule.kind.value]).lower()]
    if rule.product_id is not None:
        said.append(gettext("for %(product)s alone", product=products.get(rule.product_id, str(rule.product_id))))
    if rule.months is not None:
        said.append(ngettext("for %(num)s month", "for %(num)s months", rule.months))
    if rule.survives_months is not None:
        said.append(
            ngettext(
                "if the contract lives %(num)s month", "if the contract lives %(num)s months", rule.survives_months
            )
        )
    if rule.after_periods is not None:
        said.append(
            ngettext("payable after %(num)s paid invoice", "payable after %(num)s paid invoices", rule.after_periods)
        )
    return ", ".join(said)

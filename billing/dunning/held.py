"""Who is left alone: by exclusions, which hold for days, and by respites, which hold until their minute.

Source: billing model section 14; invariant I24.

Next: evaluation.py
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from billing.dunning.facts import Exclusion, ExclusionKind, Facts
from billing.dunning.policy import Action, Step
from billing.dunning.reasons import Reason, Why, because

# Until when it holds: a day, a moment, or `date.max` for good.
Held = tuple[Reason, date | datetime | None]
_WHY: Final = {
    ExclusionKind.WHITELIST: Why.WHITELISTED,
    ExclusionKind.EXEMPT: Why.EXEMPT,
    ExclusionKind.PUBLIC_BODY: Why.PUBLIC_BODY,
    ExclusionKind.ESSENTIAL: Why.ESSENTIAL,
}


def held_contract(facts: Facts, contract: int, *, today: date) -> Held | None:
    """What keeps a contract from being limited or ended on a day."""
    for one in facts.exclusions:
        if one.contract_id in (None, contract) and one.holds_on(today):
            return _told(one)
    return None


def held_notice(facts: Facts, step: Step, concerned: frozenset[int], *, today: date) -> Held | None:
    """What keeps a customer from being written to, charged or proposed to be ended.

    A whitelist of the customer does, or of each contract that is concerned. A public body pays no fees.
    """
    listed: set[int] = set()
    for one in facts.exclusions:
        if not one.holds_on(today):
            continue
        whole = one.kind is ExclusionKind.WHITELIST or (
            one.kind is ExclusionKind.PUBLIC_BODY and step.action is not Action.NOTIFY
        )
        if one.contract_id is None and whole:
            return _told(one)
        if one.contract_id is not None and one.kind is ExclusionKind.WHITELIST:
            listed.add(one.contract_id)
            if concerned and concerned <= listed:
                return _told(one)
    return None


def respite_of(facts: Facts, contract: int | None, *, moment: datetime) -> Held | None:
    """The promise or, for a contract, the relief that holds longest at a moment."""
    holding = [one for one in facts.respites if one.contract_id in (None, contract) and one.holds_at(moment)]
    if not holding:
        return None
    longest = max(holding, key=lambda one: one.end)
    why = Why.PROMISED if longest.contract_id is None else Why.RELIEVED
    return because(why, until=longest.end), longest.end


def _told(one: Exclusion) -> Held:
    until = one.until or date.max
    if one.kind in (ExclusionKind.WHITELIST, ExclusionKind.EXEMPT):
        return because(_WHY[one.kind], until=until, reason=one.reason), until
    return because(_WHY[one.kind]), until

"""Restrictions of a contract in service, who lifts them, and the relief that a promise to pay gives from dunning.

Whether the contract's status admits these deeds was decided before.

Units: days of the billing zone.
Source: billing model sections 3.2 and 3.3.

Next: billing/contracts.py
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from billing import deeds as do
from billing.contract_facts import Contract, Level, Origin, Restriction
from billing.deeds import Billing, Changed, Lifter, Network, Reason, Refused
from billing.periods import Period

# Who lifts what: paying lifts dunning and nothing else.
LIFTERS: Final = {
    Origin.DUNNING: {Lifter.PAYMENT, Lifter.OPERATOR},
    Origin.CUSTOMER_PAUSE: {Lifter.END_DATE, Lifter.CUSTOMER},
    Origin.ADMIN: {Lifter.OPERATOR},
    Origin.ABUSE: {Lifter.OPERATOR},
    Origin.LEGAL: {Lifter.OPERATOR},
    Origin.TECHNICAL: {Lifter.PROVISIONING},
}


def decide_restrict(contract: Contract, deed: do.Restrict, today: date) -> Changed | Refused:
    """The contract with one more restriction."""
    if not deed.authorised:
        return Refused(Reason.ROLE, f"a restriction of origin {deed.origin} needs a policy or a role that may")
    if any((one.origin, one.level) == (deed.origin, deed.level) for one in contract.restrictions):
        return Refused(Reason.SAME, f"it is already {deed.level} by {deed.origin}")
    placed = Restriction(deed.origin, deed.level, today, credits_days=deed.credits_days)
    after = replace(contract, restrictions=(*contract.restrictions, placed))
    return Changed(after, "restricted", today, network=Network.LEVEL)


def decide_lift(contract: Contract, deed: do.Lift, today: date) -> Changed | Refused:
    """The contract without the restrictions of an origin; the days they took that are not paid."""
    lifted = [one for one in contract.restrictions if one.origin is deed.origin]
    if not lifted:
        return Refused(Reason.NOT_RESTRICTED, f"no restriction of origin {deed.origin} is in force")
    if deed.by not in LIFTERS[deed.origin]:
        who = ", ".join(sorted(LIFTERS[deed.origin]))
        return Refused(Reason.NOT_BY_THEM, f"a restriction of origin {deed.origin} is lifted by {who}, not {deed.by}")
    ended = ((one, min(today, one.until or today)) for one in lifted if one.credits_days)
    days = tuple(Period(one.since, until) for one, until in ended if one.since < until)
    after = replace(contract, restrictions=tuple(one for one in contract.restrictions if one not in lifted))
    return Changed(after, "lifted", today, Billing(days_not_paid=days), Network.LEVEL)


def decide_promise(contract: Contract, deed: do.Promise, today: date) -> Changed | Refused:
    """The contract with its relief from dunning."""
    if all(one.origin is not Origin.DUNNING for one in contract.restrictions):
        return Refused(
            Reason.NOT_RESTRICTED, "no restriction of origin dunning is in force, so there is no relief from it"
        )
    if contract.relief_until is not None:
        return Refused(Reason.RELIEF, f"there is a relief up to {contract.relief_until}; one at a time")
    if not deed.within_limits or deed.until < today:
        return Refused(Reason.LIMIT, f"a promise up to {deed.until} is beyond what number, debt and days allow")
    return Changed(replace(contract, relief_until=deed.until), "promised", today, network=Network.LEVEL)


def decide_end_relief(contract: Contract, deed: do.EndRelief, today: date) -> Changed | Refused:
    """The contract without its relief: dunning counts again."""
    if contract.relief_until is None:
        return Refused(Reason.NO_RELIEF, "there is no relief to end")
    if today < contract.relief_until:
        return Refused(Reason.TOO_EARLY, f"the relief lasts up to {contract.relief_until}, today is {today}")
    if not deed.debt_open:
        return Refused(Reason.NO_DEBT, "the debt is paid; lift the dunning restriction instead")
    return Changed(replace(contract, relief_until=None), "relief_over", today, network=Network.LEVEL)


def decide_pause(contract: Contract, deed: do.Pause, today: date) -> Changed | Refused:
    """The contract with a pause set for its days."""
    if deed.until <= deed.start or deed.start < today:
        return Refused(Reason.TOO_EARLY, f"a pause begins on {today} or later and ends after its beginning")
    if contract.ends_on is not None and deed.until > contract.ends_on:
        return Refused(Reason.AFTER_END, f"a pause ends with the contract on {contract.ends_on} at the latest")
    for one in contract.restrictions:
        other = one.origin is Origin.CUSTOMER_PAUSE
        if other and one.since < deed.until and (one.until is None or deed.start < one.until):
            return Refused(Reason.OVERLAP, f"it is paused from {one.since} to {one.until or 'further notice'} already")
    placed = Restriction(Origin.CUSTOMER_PAUSE, Level.BLOCKED, deed.start, deed.until, credits_days=True)
    after = replace(contract, restrictions=(*contract.restrictions, placed))
    billing = Billing(days_not_paid=(Period(deed.start, deed.until),))
    return Changed(after, "paused", deed.start, billing, Network.LEVEL)

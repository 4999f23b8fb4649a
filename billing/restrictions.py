"""Restrictions of a contract in service, and who lifts them.

Whether the contract's status admits these deeds was decided before. A promise to pay is of who owes, not of a contract: billing/operations/promising.py.

Units: days of the billing zone.
Source: billing model sections 3.2 and 3.3.

Next: billing/contracts.py
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from billing import deeds as do
from billing.contract_facts import BilledAs, Contract, Level, Origin, Restriction, Status, pauses_from
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
# Who may leave out whole periods: billing is chosen when they limit.
STOPPING: Final = frozenset({Origin.ADMIN, Origin.LEGAL})


def decide_restrict(contract: Contract, deed: do.Restrict, today: date) -> Changed | Refused:
    """The contract with one more restriction."""
    if not deed.authorised:
        return Refused(Reason.ROLE, f"a restriction of origin {deed.origin} needs a policy or a role that may")
    if deed.billing is BilledAs.STOP and deed.origin not in STOPPING:
        who = ", ".join(sorted(STOPPING))
        return Refused(Reason.NOT_BY_THEM, f"whole periods are left out by {who}, not by {deed.origin}")
    if any((one.origin, one.level) == (deed.origin, deed.level) for one in contract.restrictions):
        return Refused(Reason.SAME, f"it is already {deed.level} by {deed.origin}")
    placed = Restriction(deed.origin, deed.level, today, billing=deed.billing)
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
    if deed.by is Lifter.END_DATE:
        # Another may be set for later.
        lifted = [one for one in lifted if one.until is None or one.until <= today]
    if not lifted:
        return Refused(Reason.TOO_EARLY, f"no restriction of origin {deed.origin} is over on {today}")
    ended = ((one, min(today, one.until or today)) for one in lifted if one.billing is BilledAs.CREDIT_DAYS)
    days = tuple(Period(one.since, until) for one, until in ended if one.since < until)
    never = pauses_from(lifted, today)
    after = replace(contract, restrictions=tuple(one for one in contract.restrictions if one not in lifted))
    return Changed(after, "lifted", today, Billing(days_not_paid=days, pauses_back=never), Network.LEVEL)


def decide_pause(contract: Contract, deed: do.Pause, today: date) -> Changed | Refused:
    """The contract with a pause set for its days, and the fee that the offer asks for it, once a pause."""
    if deed.until <= deed.start or deed.start < today:
        return Refused(Reason.TOO_EARLY, f"a pause begins on {today} or later and ends after its beginning")
    if contract.ends_on is not None and deed.until > contract.ends_on:
        return Refused(Reason.AFTER_END, f"a pause ends with the contract on {contract.ends_on} at the latest")
    for one in contract.restrictions:
        other = one.origin is Origin.CUSTOMER_PAUSE
        if other and one.since < deed.until and (one.until is None or deed.start < one.until):
            return Refused(Reason.OVERLAP, f"it is paused from {one.since} to {one.until or 'further notice'} already")
    if deed.billing is BilledAs.STOP:
        return Refused(Reason.NOT_BY_THEM, f"the days of a pause are {BilledAs.CREDIT_DAYS} or {BilledAs.BILL}")
    placed = Restriction(Origin.CUSTOMER_PAUSE, Level.BLOCKED, deed.start, deed.until, deed.billing)
    after = replace(contract, restrictions=(*contract.restrictions, placed))
    credited = deed.billing is BilledAs.CREDIT_DAYS
    # Where nothing recurs there is nothing to pay less of, and so no fee.
    owes = credited and not deed.fee_waived and contract.status is Status.ACTIVE
    billing = Billing(
        days_not_paid=(Period(deed.start, deed.until),) if credited else (),
        pause_fee=contract.pause_fee if owes else None,
    )
    return Changed(after, "paused", deed.start, billing, Network.LEVEL)

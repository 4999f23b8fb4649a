"""What is done to contracts, why it may be refused, and what is told of them, in words for people."""

from __future__ import annotations

from typing import Any, Final

from billing.deeds import Reason
from web.language import lazy

# Each deed by the name that billing/contracts.py gives it: its label, what it means, and how grave it is.
DEEDS: Final[dict[str, tuple[Any, Any, str]]] = {
    "propose": (
        lazy("Propose"),
        lazy("The draft goes to the customer. Unanswered, it expires after its day."),
        "primary",
    ),
    "accept": (lazy("Accept"), lazy("The customer agrees. It then waits for activation."), "primary"),
    "refuse": (lazy("Refuse"), lazy("The customer does not want it."), "danger"),
    "expire": (lazy("Let expire"), lazy("The customer did not answer."), "danger"),
    "activate": (lazy("Activate"), lazy("Service begins; items and fees count from then."), "primary"),
    "cancel": (lazy("Give up"), lazy("It was never activated. What was charged is taken back."), "danger"),
    "end-trial": (lazy("End the trial"), lazy("The first billable day has come."), "primary"),
    "make-free": (lazy("Make free of charge"), lazy("No recurring charges from a day on."), "warning"),
    "make-billable": (lazy("Charge again"), lazy("At the prices that were agreed."), "primary"),
    "change-plan": (
        lazy("Change plan"),
        lazy("The rest of the old one is given back; the network changes with its day."),
        "primary",
    ),
    "keep-plan": (
        lazy("Take back a change of plan"),
        lazy("The change that waits for a day does not come."),
        "primary",
    ),
    "change-period": (
        lazy("Change billing period"),
        lazy("Other periods from a day on: their length or their day."),
        "primary",
    ),
    "move": (lazy("Move"), lazy("The service is at another place of the customer."), "primary"),
    "restrict": (lazy("Limit the service"), lazy("Throttle, walled garden or blocked."), "danger"),
    "lift": (lazy("Lift a limit"), lazy("Limits of other origins stay."), "primary"),
    "pause": (lazy("Pause"), lazy("No service for some days, which are not paid unless you say so."), "danger"),
    "end": (lazy("Set its end"), lazy("The first day without service; one that has come ends it now."), "danger"),
    "keep": (lazy("Take back its end"), lazy("It goes on."), "primary"),
    "reach-end": (lazy("End it now"), lazy("The end that was set has come."), "danger"),
    "reopen": (lazy("Reopen"), lazy("Service again, within the days that allow it."), "primary"),
    "withdraw": (
        lazy("Customer withdraws"),
        lazy("Within 14 days of a contract at a distance: service ends today, all charges are taken back."),
        "danger",
    ),
}
REFUSALS: Final[dict[Reason, Any]] = {
    Reason.STATUS: lazy("Its status does not allow that any more: somebody may have changed it. Look at its page."),
    Reason.END_REACHED: lazy("Its end is reached: end it first."),
    Reason.INCOMPLETE: lazy("Something is missing first: its customer, plan, billing period or billing terms."),
    Reason.NOT_SIGNED: lazy("It is neither signed nor recorded by you."),
    Reason.NO_ACCOUNT: lazy("No account is bound to it: bind one first."),
    Reason.TOO_EARLY: lazy("It is too early for that."),
    Reason.DATE_AHEAD: lazy("That day is still to come."),
    Reason.BOOKS_CLOSED: lazy("The books of that day are closed: choose a later one."),
    Reason.NOT_DISTANCE: lazy("It was not concluded at a distance: set its end instead."),
    Reason.BEFORE_START: lazy("That is before its service begins."),
    Reason.AFTER_END: lazy("That is after its end."),
    Reason.ROLE: lazy("Your role may not do that."),
    Reason.NOT_EXPLAINED: lazy("It needs a reason and a day after today on which it is looked at again."),
    Reason.NO_PRICE: lazy("No price is set: set one in the catalogue first."),
    Reason.NOT_RESTRICTED: lazy("There is no such limit."),
    Reason.NOT_BY_THEM: lazy("That limit is not lifted by you."),
    Reason.NOT_OFFERED: lazy("That is not offered: choose what is."),
    Reason.LOCKED: lazy("Its plan is locked until a later day."),
    Reason.SAME: lazy("It is so already."),
    Reason.NOTICE: lazy("The notice that was agreed is longer: choose a later day, or waive it."),
    Reason.OVERLAP: lazy("That overlaps another one."),
    Reason.NO_END: lazy("No end is set."),
    Reason.NO_CHANGE: lazy("No change of plan waits for that day."),
    Reason.TOO_LATE: lazy("It is too late for that: make a new contract."),
    Reason.RESOLD: lazy("Its line or account serves another contract: make a new one."),
    Reason.NOT_THEIRS: lazy("That place is none of the customer's."),
}
EVENTS: Final[dict[str, Any]] = {
    "created": lazy("Made"),
    "price_change": lazy("Price change"),
    "proposed": lazy("Proposed"),
    "accepted": lazy("Accepted"),
    "refused": lazy("Refused"),
    "expired": lazy("Expired"),
    "activated": lazy("Activated"),
    "cancelled": lazy("Given up"),
    "trial_over": lazy("Trial over"),
    "made_free": lazy("Made free of charge"),
    "made_billable": lazy("Charged again"),
    "plan_changed": lazy("Plan changed"),
    "plan_kept": lazy("Change of plan taken back"),
    "period_changed": lazy("Billing period changed"),
    "address_moved": lazy("Moved"),
    "restricted": lazy("Limited"),
    "lifted": lazy("Limit lifted"),
    "paused": lazy("Paused"),
    "end_scheduled": lazy("End set"),
    "end_withdrawn": lazy("End taken back"),
    "ended": lazy("Ended"),
    "reopened": lazy("Reopened"),
    "withdrawn": lazy("Withdrawn from"),
    "account_bound": lazy("Account bound"),
    "account_released": lazy("Account released"),
}
ORIGINS: Final[dict[str, Any]] = {
    "dunning": lazy("unpaid bills"),
    "customer_pause": lazy("a pause that the customer asked for"),
    "admin": lazy("the operator"),
    "abuse": lazy("abuse"),
    "legal": lazy("a legal order"),
    "technical": lazy("a technical reason"),
}
CHARGES: Final[dict[str, Any]] = {
    "period": lazy("Recurring"),
    "one_off": lazy("Once"),
    "usage": lazy("Usage"),
    "credit": lazy("Given back"),
    "early_exit": lazy("Leaving early"),
    "instalment": lazy("Instalment"),
    "pause_fee": lazy("Fee of a pause"),
}
NOTICES: Final[dict[str, Any]] = {
    "renewal": lazy("Renewal"),
    "expiry": lazy("Expiry"),
    "price_change": lazy("Price change"),
    "term_change": lazy("Change of terms"),
}
BILLED: Final[dict[str, Any]] = {
    "bill": lazy("Its days are billed as ever"),
    "credit_days": lazy("Its days are given back"),
    "stop": lazy("Whole periods in it are left out"),
}
TIMINGS: Final[dict[str, Any]] = {
    "anticipated": lazy("When a period begins"),
    "posticipated": lazy("When a period is over"),
}

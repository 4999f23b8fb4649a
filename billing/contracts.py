"""The life cycle of a contract: what a deed makes of it, or why it is refused and what is possible instead.

Every pair of status and deed that `_TABLE` does not name is refused. Checks stand in a written order, one reason each.
A deed counts from a day: never after today where the status itself would tell an untruth until then, and never before
the open fiscal period.

Units: days of the billing zone; `today` is passed in.
Source: billing model sections 3.3, 4 and 8.

Next: billing/charges.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from billing import deeds as do
from billing.contract_facts import Contract, Status, pauses_from
from billing.cycle_change import day_refused, decide_change_cycle, paid_ahead
from billing.deeds import Billing, Changed, Deed, Network, Reason, Refused
from billing.money import Money
from billing.restrictions import decide_lift, decide_pause, decide_restrict
from billing.terms import earliest_end, exit_cost, leaves_free, may_withdraw, term_until

Outcome = Changed | Refused

# A customer has so long to answer, unless the proposal says another day.
PROPOSAL_HOLDS: Final = timedelta(days=30)
IN_SERVICE: Final = frozenset({Status.TRIAL, Status.ACTIVE, Status.FREE})


def decide_deed(contract: Contract, deed: Deed, today: date) -> Outcome:
    """The contract after a deed with what follows from it, or the refusal."""
    name, statuses, decide = _TABLE[type(deed)]
    if contract.status not in statuses:
        possible = ", ".join(possible_deeds(contract.status))
        onward = f"possible from here: {possible}" if possible else "make a new contract"
        return Refused(Reason.STATUS, f"can't {name}: the contract is {contract.status}; {onward}")
    reached = contract.status in IN_SERVICE and contract.ends_on is not None and contract.ends_on <= today
    if reached and not isinstance(deed, do.ReachEnd):
        return Refused(Reason.END_REACHED, f"can't {name}: its end of {contract.ends_on} is reached; end it first")
    return decide(contract, deed, today)


def possible_deeds(status: Status) -> tuple[str, ...]:
    """What can be done to a contract of a status, if its guards allow; named like the commands that do it."""
    return tuple(name for name, statuses, _ in _TABLE.values() if status in statuses)


def plan_on(contract: Contract, day: date) -> int:
    """The plan in force on a day, by the changes known now."""
    return ([contract.plan] + [plan for on, plan in contract.plan_changes if on <= day])[-1]


def _propose(contract: Contract, deed: do.Propose, today: date) -> Outcome:
    if not contract.complete:
        return Refused(Reason.INCOMPLETE, "customer and plan are not complete; fill in what is missing first")
    until = deed.valid_until or today + PROPOSAL_HOLDS
    if until < today:
        return Refused(Reason.TOO_EARLY, f"a proposal that holds until {until}: today is {today}")
    return Changed(replace(contract, status=Status.PROPOSAL, valid_until=until), "proposed", today)


def _accept(contract: Contract, deed: do.Accept, today: date) -> Outcome:
    if deed.signed_on is None and not deed.recorded_by:
        return Refused(Reason.NOT_SIGNED, "neither signed nor recorded by an operator; one of them is needed")
    signed_on = deed.signed_on or today
    if signed_on > today:
        return Refused(Reason.DATE_AHEAD, f"signed on {signed_on}, which is after today {today}")
    if contract.valid_until is not None and signed_on > contract.valid_until:
        return Refused(Reason.TOO_LATE, f"it held until {contract.valid_until}, signed on {signed_on}; make a new one")
    after = replace(contract, status=Status.PENDING, signed_on=signed_on)
    return Changed(after, "accepted", today, Billing(one_off_fees=contract.order_fees), Network.PREPARE)


def _turn_down(event: str) -> Callable[[Contract, Any, date], Outcome]:
    return lambda contract, _, today: Changed(replace(contract, status=Status.CANCELLED), event, today)


def _activate(contract: Contract, deed: do.Activate, today: date) -> Outcome:
    if not contract.account_bound:
        return Refused(Reason.NO_ACCOUNT, "no service account is bound to it; bind one first")
    if refused := day_refused(contract, deed.on, today, ahead=False):
        return refused
    billable = max(deed.on + timedelta(days=contract.trial_days), contract.billable_from or deed.on)
    binding, ends_on = contract.binding, contract.ends_on
    if contract.minimum_months:
        binding = replace(binding, minimum_until=term_until(deed.on, contract.minimum_months))
        if binding.renew_months is None:
            ends_on = ends_on or binding.minimum_until
    after = replace(
        contract,
        status=Status.TRIAL if today < billable else Status.ACTIVE,
        starts_on=deed.on,
        billable_from=billable,
        binding=binding,
        ends_on=ends_on,
    )
    billing = Billing(items_start=billable, items_end=ends_on, one_off_fees=not contract.order_fees)
    return Changed(after, "activated", deed.on, billing, Network.ON)


def _end_trial(contract: Contract, deed: do.EndTrial, today: date) -> Outcome:
    first = contract.billable_from
    if first is None or today < first:
        return Refused(Reason.TOO_EARLY, f"the first billable day is {first or 'not set'}, today is {today}")
    return Changed(replace(contract, status=Status.ACTIVE), "trial_over", first, Billing(items_start=first))


def _make_free(contract: Contract, deed: do.MakeFree, today: date) -> Outcome:
    if not deed.authorised:
        return Refused(Reason.ROLE, "making a contract free needs a role that may")
    if not deed.reason.strip() or deed.review_on <= today:
        return Refused(Reason.NOT_EXPLAINED, "a free contract needs a reason and a day after today for its review")
    if refused := day_refused(contract, deed.on, today, ahead=False):
        return refused
    after = replace(
        contract,
        status=Status.FREE,
        free_from=deed.on,
        free_reason=deed.reason.strip(),
        free_review_on=deed.review_on,
    )
    never = pauses_from(contract.restrictions, deed.on)
    billing = Billing(items_end=deed.on, credit_from=paid_ahead(contract, deed.on), pauses_back=never)
    return Changed(after, "made_free", deed.on, billing)


def _make_billable(contract: Contract, deed: do.MakeBillable, today: date) -> Outcome:
    if not contract.priced:
        return Refused(Reason.NO_PRICE, "no price is set; set one first")
    if refused := day_refused(contract, deed.on, today):
        return refused
    after = replace(
        contract, status=Status.ACTIVE, billable_from=deed.on, free_from=None, free_reason=None, free_review_on=None
    )
    billing = Billing(items_start=deed.on, items_end=contract.ends_on)
    return Changed(after, "made_billable", deed.on, billing, Network.CHECK)


def _change_plan(contract: Contract, deed: do.ChangePlan, today: date) -> Outcome:
    if deed.at is do.ChangeAt.NEXT_BOUNDARY and contract.cycle is None:
        return Refused(Reason.INCOMPLETE, "it has no billing period and so no next boundary; name a date")
    boundary = contract.cycle.period_of(today).end if contract.cycle else today
    on = deed.on or (boundary if deed.at is do.ChangeAt.NEXT_BOUNDARY else today)
    if refused := day_refused(contract, on, today):
        return refused
    if not deed.offered:
        return Refused(Reason.NOT_OFFERED, f"plan {deed.plan} is not offered; choose one that is")
    if contract.plan_locked_until is not None and on < contract.plan_locked_until:
        return Refused(Reason.LOCKED, f"its plan is locked until {contract.plan_locked_until}; change it then")
    if plan_on(contract, on) == deed.plan:
        return Refused(Reason.SAME, f"on {on} it has that plan already")
    # Of several changes of one day the last counts; back to what was before, there is no change at all.
    others = tuple(one for one in contract.plan_changes if one[0] != on)
    back = plan_on(replace(contract, plan_changes=others), on) == deed.plan
    after = replace(contract, plan_changes=others if back else tuple(sorted((*others, (on, deed.plan)))))
    billing = Billing()
    if contract.status is Status.ACTIVE:
        billing = Billing(plan=deed.plan, replaces_same_day=len(others) < len(contract.plan_changes))
        if not back:
            start = max(on, contract.billable_from or on)
            billing = replace(billing, items_start=start, items_end=on, credit_from=paid_ahead(contract, on))
    return Changed(after, "plan_changed", on, billing, Network.PROFILE)


def _keep_plan(contract: Contract, deed: do.KeepPlan, today: date) -> Outcome:
    others = tuple(one for one in contract.plan_changes if one[0] != deed.on)
    if deed.on <= today or others == contract.plan_changes:
        return Refused(Reason.NO_CHANGE, f"no change of plan waits for {deed.on}")
    after = replace(contract, plan_changes=others)
    billing = Billing()
    if contract.status is Status.ACTIVE:
        billing = Billing(plan=plan_on(after, deed.on), replaces_same_day=True)
    return Changed(after, "plan_kept", deed.on, billing, Network.PROFILE)


def _move_address(contract: Contract, deed: do.MoveAddress, today: date) -> Outcome:
    if deed.address == contract.service_address:
        return Refused(Reason.SAME, "the service is at that address already")
    if refused := day_refused(contract, deed.on, today, ahead=False):
        return refused
    return Changed(replace(contract, service_address=deed.address), "address_moved", deed.on, network=Network.CHECK)


def _schedule_end(contract: Contract, deed: do.ScheduleEnd, today: date) -> Outcome:
    if not deed.authorised:
        return Refused(Reason.ROLE, "setting a contract's end needs a role that may")
    if refused := day_refused(replace(contract, ends_on=None), deed.on, today):
        return refused
    if deed.on == contract.ends_on:
        return Refused(Reason.SAME, f"it ends on {deed.on} already")
    first = earliest_end(contract.binding, today)
    if deed.on < first and not deed.notice_waived:
        return Refused(
            Reason.NOTICE, f"with notice given today it ends on {first} or later, or a role waives the notice"
        )
    after = replace(
        contract,
        ends_on=deed.on,
        exit_is_free=deed.free_of_cost or leaves_free(contract.terms_changed_on, today),
        plan_changes=tuple(one for one in contract.plan_changes if one[0] < deed.on),
    )
    return Changed(after, "end_scheduled", deed.on, Billing(items_end=deed.on))


def _withdraw_end(contract: Contract, deed: do.WithdrawEnd, today: date) -> Outcome:
    if not deed.authorised:
        return Refused(Reason.ROLE, "taking back a contract's end needs a role that may")
    if contract.ends_on is None:
        return Refused(Reason.NO_END, "no end is set")
    # Without renewal it would have ended by itself with its term: an earlier end gives way to that, that to none.
    until = contract.binding.minimum_until if contract.binding.renew_months is None else None
    ends_on = until if until is not None and contract.ends_on < until else None
    billing = Billing(items_go_on=contract.ends_on, items_end=ends_on)
    return Changed(replace(contract, ends_on=ends_on, exit_is_free=False), "end_withdrawn", today, billing)


def _reach_end(contract: Contract, deed: do.ReachEnd, today: date) -> Outcome:
    end = contract.ends_on
    if end is None:
        return Refused(Reason.NO_END, "no end is set; schedule one first")
    if today < end:
        return Refused(Reason.TOO_EARLY, f"it ends on {end}, today is {today}")
    billing = Billing(
        items_end=end,
        credit_from=paid_ahead(contract, end),
        instalments_due=True,
        exit_cost=cost_of_leaving(contract, end),
        pauses_back=pauses_from(contract.restrictions, end),
    )
    return Changed(replace(contract, status=Status.ENDED, relief_until=None), "ended", end, billing, Network.OFF)


def _reopen(contract: Contract, deed: do.Reopen, today: date) -> Outcome:
    end = contract.ends_on
    assert end is not None, "the database keeps an ended contract's end"
    if today > end + timedelta(days=contract.reopen_days):
        return Refused(Reason.TOO_LATE, f"it ended on {end}, more than {contract.reopen_days} days ago; make a new one")
    if contract.line_is_resold:
        return Refused(Reason.RESOLD, "its line or account serves another contract; make a new one")
    if deed.on < end:
        return Refused(Reason.OVERLAP, f"it was in service until {end}; reopen it from then on")
    if refused := day_refused(replace(contract, ends_on=None), deed.on, today, ahead=False):
        return refused
    after = replace(contract, status=Status.ACTIVE, ends_on=None, billable_from=deed.on, exit_is_free=False)
    after = replace(after, free_from=None, free_reason=None, free_review_on=None)
    return Changed(after, "reopened", deed.on, Billing(items_start=deed.on), Network.ON)


def _cancel(contract: Contract, deed: do.Cancel, today: date) -> Outcome:
    after = replace(contract, status=Status.CANCELLED)
    return Changed(after, "cancelled", today, Billing(reverse_issued=True), Network.REMOVE)


def _withdraw(contract: Contract, deed: do.Withdraw, today: date) -> Outcome:
    if not contract.distance:
        return Refused(Reason.NOT_DISTANCE, "it was not concluded at a distance; schedule its end or cancel it")
    if contract.signed_on is None or not may_withdraw(contract.signed_on, today):
        return Refused(Reason.TOO_LATE, f"signed on {contract.signed_on}, withdrawal is open for 14 days from then")
    if contract.status is Status.PENDING:
        after = replace(contract, status=Status.CANCELLED)
        return Changed(after, "withdrawn", today, Billing(reverse_issued=True), Network.REMOVE)
    after = replace(contract, status=Status.ENDED, ends_on=today, relief_until=None)
    return Changed(after, "withdrawn", today, Billing(items_end=today, reverse_issued=True), Network.OFF)


def cost_of_leaving(contract: Contract, end: date) -> Money | None:
    """What leaving early costs; None when nothing, as where nothing would have been paid: in service for free."""
    free = contract.exit_is_free or contract.status is Status.FREE
    if contract.exit_table is None or free or contract.starts_on is None:
        return None
    until = contract.binding.minimum_until
    return exit_cost(contract.exit_table, starts_on=contract.starts_on, ends_on=end, minimum_until=until) or None


# The names are the commands': a refusal that says what is possible is to be typed. A handler's second argument is its own deed, which the table's key names: the type of all of them together is Any.
_TABLE: Final[dict[type[Deed], tuple[str, frozenset[Status], Callable[[Contract, Any, date], Outcome]]]] = {
    do.Propose: ("propose", frozenset({Status.DRAFT}), _propose),
    do.Accept: ("accept", frozenset({Status.PROPOSAL}), _accept),
    do.Refuse: ("refuse", frozenset({Status.PROPOSAL}), _turn_down("refused")),
    do.Expire: ("expire", frozenset({Status.PROPOSAL}), _turn_down("expired")),
    do.Activate: ("activate", frozenset({Status.PENDING}), _activate),
    do.Cancel: ("cancel", frozenset({Status.PENDING}), _cancel),
    do.EndTrial: ("end-trial", frozenset({Status.TRIAL}), _end_trial),
    do.MakeFree: ("make-free", frozenset({Status.TRIAL, Status.ACTIVE}), _make_free),
    do.MakeBillable: ("make-billable", frozenset({Status.FREE}), _make_billable),
    do.ChangePlan: ("change-plan", frozenset({Status.ACTIVE, Status.FREE}), _change_plan),
    do.KeepPlan: ("keep-plan", frozenset({Status.ACTIVE, Status.FREE}), _keep_plan),
    do.ChangeCycle: ("change-period", frozenset({Status.ACTIVE}), decide_change_cycle),
    do.MoveAddress: ("move", IN_SERVICE, _move_address),
    do.Restrict: ("restrict", IN_SERVICE, decide_restrict),
    do.Lift: ("lift", IN_SERVICE, decide_lift),
    do.Pause: ("pause", IN_SERVICE, decide_pause),
    do.ScheduleEnd: ("end", IN_SERVICE, _schedule_end),
    do.WithdrawEnd: ("keep", IN_SERVICE, _withdraw_end),
    do.ReachEnd: ("reach-end", IN_SERVICE, _reach_end),
    do.Reopen: ("reopen", frozenset({Status.ENDED}), _reopen),
    do.Withdraw: ("withdraw", IN_SERVICE | {Status.PENDING}, _withdraw),
}

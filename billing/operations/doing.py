"""One deed of a contract in one transaction: decided, written with what it bills and what the network must follow, told.

Raises: BillingError where something must be mended first, such as a product without a price.
Units: days of the issuer's zone.
Source: billing model sections 3 to 8.

Next: billing/store/deeds.py
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from billing import deeds as do
from billing.contract_facts import Contract, Origin, Status
from billing.contracts import decide_deed
from billing.credited_days import give_back
from billing.deeds import Changed, Deed, Reason, Refused
from billing.errors import BillingError
from billing.held_items import (
    HeldItem,
    Moves,
    Sold,
    item_on,
    items_again,
    items_cut,
    items_recycled,
    items_until,
    plans_from,
    price_for,
)
from billing.operations.invoices import credit_document
from billing.periods import Cycle, Period, first_boundary
from billing.sentence import Sentence
from billing.store import contract_items as items_store
from billing.store import deeds as store
from billing.store import outbox
from billing.store.acting import acting
from billing.store.contract_items import NoPriceError
from billing.store.contracts import DeedTerms, KnownContract, load_contracts
from billing.store.customers import load_addresses
from billing.store.dunning import look_at_payer
from billing.store.outbox import Event
from billing.store.positions import hold_contracts, place_items

Connection = psycopg.Connection[Any]
_NOTHING = Moves({})


class NoContractError(BillingError):
    """A deed names a contract that is not there."""


def do_deed(
    connection: Connection,
    contract_id: int,
    deed: Deed,
    *,
    today: date,
    actor: str,
    reason: str = "",
    zone: str = "UTC",
) -> Changed | Refused:
    """Do something to a contract, in the caller's transaction; refused, nothing was written.

    `reason` stands on restrictions and in the event. `zone` is for contracts without terms, which no issuer bills.
    Raises: NoContractError.
    """
    if not store.hold_contract(connection, contract_id):
        raise NoContractError(Sentence("there is no contract %(contract_id)s", contract_id=contract_id))
    hold_contracts(connection, [contract_id])
    known = load_contracts(connection, [contract_id], today=today, zone=zone)[contract_id]
    outcome = decide_deed(known.facts, deed, today)
    if isinstance(outcome, Changed):
        outcome = _refused_for_want(connection, known, deed, today) or outcome
    if isinstance(outcome, Refused):
        return outcome
    acting(connection, actor, event=outcome.event, effective_on=outcome.effective_on)
    given = {one.name: getattr(deed, one.name) for one in fields(deed)}
    detail = store.begin_event(connection, known, outcome.contract, deed=given, reason=reason)
    store.save_facts(connection, known, outcome.contract, today=today, actor=actor, reason=reason)
    if known.terms is not None:
        _bill(connection, known, known.terms, deed, outcome, today=today, actor=actor)
    told = {"contract": contract_id, "event": outcome.event, "status": str(outcome.contract.status)}
    told_event = Event("contract.changed", {**told, "effective_on": outcome.effective_on}, contract_id)
    outbox.write(connection, [told_event])
    store.end_event(
        connection,
        known,
        outcome.contract,
        actor=actor,
        event=outcome.event,
        effective_on=outcome.effective_on,
        detail=detail,
    )
    if isinstance(deed, do.Restrict) and deed.origin is Origin.DUNNING:
        # A payment of this moment did not see it. Last, so that nobody is waited for with the look held.
        look_at_payer(connection, contract_id)
    return outcome


def _refused_for_want(connection: Connection, known: KnownContract, deed: Deed, today: date) -> Refused | None:
    """Why a deed lacks what the catalogue, the terms or the customer would have to give it."""
    if isinstance(deed, do.MoveAddress) and deed.address not in {
        one.id for one in load_addresses(connection, known.customer_id)
    }:
        words = f"address {deed.address} is none of contract {known.id}'s customer; `corrente customer show` lists them"
        return Refused(Reason.NOT_THEIRS, words)
    if known.terms is None:
        if isinstance(deed, do.MakeFree | do.MoveAddress):
            return Refused(Reason.INCOMPLETE, f"contract {known.id} has no billing terms that could say so")
        return None
    if isinstance(deed, do.MakeBillable):
        plan, there = known.facts.plan, list(known.items)
    elif isinstance(deed, do.ChangePlan) and known.facts.status is Status.ACTIVE:
        plan, there = deed.plan, [one for one in known.items if one.ends_on is None or one.ends_on > today]
    else:
        return None
    # A plan that it has, or is to have, it has at the price that was agreed.
    if any(one.plan == plan for one in there):
        return None
    if not items_store.is_offered(connection, plan, today):
        return Refused(Reason.NOT_OFFERED, f"no product sells plan {plan} on {today}; choose one that is offered")
    try:
        _price_on(connection, known.terms, plan=plan, months=_months(known), on=today)
    except NoPriceError as error:
        return Refused(Reason.NO_PRICE, str(error))
    return None


def _bill(
    connection: Connection,
    known: KnownContract,
    terms: DeedTerms,
    deed: Deed,
    done: Changed,
    *,
    today: date,
    actor: str,
) -> None:
    """Items, fees and charges as the deed leaves them; then each item's place, so that a run finds what is due."""
    billing, after = done.billing, done.contract
    if isinstance(deed, do.Activate):
        _activate(connection, known, terms, after, fees=billing.one_off_fees)
    elif billing.one_off_fees:
        items_store.begin_fees(connection, known.id, today, months=_months(known))
    moves = _moves(connection, known, terms, deed, done, today=today)
    items_store.save_moves(connection, known.id, known.items, moves)
    _settle(connection, known, terms, deed, done, today=today, actor=actor)
    if known.facts.status not in (Status.DRAFT, Status.PROPOSAL) or billing.one_off_fees:
        place_items(connection, [known.id])


def _settle(
    connection: Connection,
    known: KnownContract,
    terms: DeedTerms,
    deed: Deed,
    done: Changed,
    *,
    today: date,
    actor: str,
) -> None:
    """What is given back and what is owed beside the items' own time."""
    billing, after = done.billing, done.contract
    if billing.reverse_issued:
        _reverse(connection, known.id, done.event, today=today, actor=actor)
        if after.status is Status.ENDED:
            store.never_bill(connection, known.id, today, reason=done.event, actor=actor)
    elif billing.credit_from or billing.plan or billing.cycle or isinstance(deed, do.ReachEnd | do.MakeFree):
        _give_back(connection, known.id, terms, today=today, actor=actor)
    if after.status is Status.ENDED and after.ends_on is not None:
        store.cut_stops(connection, known.id, after.ends_on)
    if billing.instalments_due:
        items_store.settle_instalments(connection, known.id, today)
    item = item_on(known.items, today)
    if billing.exit_cost and item is not None and after.ends_on is not None:
        items_store.save_exit(connection, item.id, billing.exit_cost, on=after.ends_on, due_on=today, actor=actor)
    if billing.pause_fee or billing.pauses_back:
        _pause_fees(connection, known, deed, billing, today=today, actor=actor)
    if isinstance(deed, do.Reopen):
        for credit in items_store.load_owed(connection, known.id, kind="early_exit"):
            items_store.save_credit(connection, credit, due_on=today, actor=actor)


def _pause_fees(
    connection: Connection, known: KnownContract, deed: Deed, billing: do.Billing, *, today: date, actor: str
) -> None:
    """Charge what a pause costs; give back what one cost that took no day."""
    if isinstance(deed, do.Pause) and billing.pause_fee:
        item = item_on(known.items, deed.start)
        assert item is not None, "its offer has the fee"
        pause = Period(deed.start, deed.until)
        items_store.save_pause_fee(connection, item.id, billing.pause_fee, pause=pause, actor=actor)
    if billing.pauses_back:
        items_store.give_back_pause_fees(connection, known.id, billing.pauses_back, due_on=today, actor=actor)


def _moves(
    connection: Connection, known: KnownContract, terms: DeedTerms, deed: Deed, done: Changed, *, today: date
) -> Moves:
    """What becomes of the recurring items."""
    billing, after, items = done.billing, done.contract, known.items

    def sold(plan: int, months: int) -> Sold:
        return _price_on(connection, terms, plan=plan, months=months, on=today)

    def price(item: HeldItem, months: int) -> Decimal:
        return _agreed_or_offered(connection, terms, item, months, on=today)

    match deed:
        case do.ChangePlan() | do.KeepPlan() if billing.plan is not None:
            on = max(done.effective_on, after.billable_from or done.effective_on)
            return plans_from(items, after, on, sold=sold)
        case do.ChangeCycle() if billing.cycle is not None:
            return items_recycled(items, done.effective_on, billing.cycle, price=price)
        case do.ScheduleEnd():
            return items_until(items, deed.on, before=known.facts.ends_on)
        case do.WithdrawEnd():
            return items_until(items, billing.items_end, before=billing.items_go_on)
        case do.MakeFree() | do.ReachEnd() | do.Withdraw() if billing.items_end is not None:
            return items_cut(items, billing.items_end)
        case do.MakeBillable() | do.Reopen():
            last = known.facts.free_from or known.facts.ends_on
            return items_again(items, after, deed.on, last=last, sold=sold) if items else _NOTHING
        case _:
            return _NOTHING


def _activate(connection: Connection, known: KnownContract, terms: DeedTerms, after: Contract, *, fees: bool) -> None:
    """Begin what was agreed on the first billable day, with the boundaries that the terms want."""
    first = after.billable_from
    assert first is not None, "activation sets it"
    assert after.starts_on is not None, "activation sets it"

    def cycle(months: int) -> Cycle:
        return Cycle(*first_boundary(first, terms.alignment, months=months, day=terms.billing_day), months)

    items_store.begin_items(connection, known.id, first, cycle=cycle, until=after.ends_on)
    if fees:
        items_store.begin_fees(connection, known.id, after.starts_on, months=_months(known))


def _give_back(connection: Connection, contract_id: int, terms: DeedTerms, *, today: date, actor: str) -> None:
    """Credit what was charged for days behind the items' ends; what was given back before is not given twice."""
    for charged, cycle, unused in items_store.load_beyond(connection, contract_id):
        for credit in give_back(charged, unused, cycle=cycle, basis=terms.basis):
            items_store.save_credit(connection, credit, due_on=max(today, credit.part.start), actor=actor)


def _reverse(connection: Connection, contract_id: int, event: str, *, today: date, actor: str) -> None:
    """Give everything back: credit notes for what was issued, and what waits comes to nothing."""
    waiting = items_store.load_owed(connection, contract_id)
    for credit in waiting:
        items_store.save_credit(connection, credit, due_on=today, actor=actor)
    items_store.cover(connection, [one.charge_id for one in waiting])
    items_store.end_fees(connection, contract_id)
    for document_id, lines in items_store.load_issued(connection, contract_id).items():
        why = f"contract {contract_id} {event}"
        credit_document(connection, document_id, lines, document_date=today, reason=why, actor=actor)


def _months(known: KnownContract) -> int:
    """How long the contract's periods are."""
    return next((one.cycle.months for one in known.items if one.plan is not None), 1)


def _price_on(connection: Connection, terms: DeedTerms, *, plan: int, months: int, on: date) -> Sold:
    return items_store.load_price(
        connection, currency=terms.currency, includes_tax=terms.includes_tax, months=months, on=on, plan=plan
    )


def _agreed_or_offered(connection: Connection, terms: DeedTerms, item: HeldItem, months: int, *, on: date) -> Decimal:
    """For periods of another length: the price that is offered for just that length, else the agreed one by the month."""
    offered = items_store.load_own_price(
        connection,
        item.product_id,
        currency=terms.currency,
        includes_tax=terms.includes_tax,
        months=months,
        on=on,
    )
    same = months == item.cycle.months
    return (
        offered
        if offered is not None and not same
        else price_for(item.period_price, months=months, of=item.cycle.months)
    )

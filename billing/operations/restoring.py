"""What is not owed any more is open again at once: dunning looks at a customer in the transaction that moves money.

Whenever money moves, is contested or promised, `look_again` is called within that same transaction. It only makes lighter; what
would be done further is left to the pass (pursuing.py), minutes later and within the hours.

Units: `now` is aware; days are of the issuer's zone.
Source: billing model sections 12 and 14; invariants I19 to I24.

Next: billing/operations/pursuing.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from billing.calendar import billing_day
from billing.contract_facts import Level, Origin
from billing.dunning.changes import changes_for, levels_by_run
from billing.dunning.debt import instalments_left
from billing.dunning.evaluation import CaseChange, Evaluation, evaluate
from billing.dunning.facts import InForce
from billing.dunning.policy import SEVERITY
from billing.dunning.promise import PromiseState
from billing.dunning.reasons import Reason
from billing.dunning.words import say
from billing.messages.message import NewMessage
from billing.messages.plain_values import day_told, money_told
from billing.store import dunning as store
from billing.store import outbox
from billing.store.dunning_facts import Account, load_accounts
from billing.store.messages import queue
from billing.store.outbox import Event
from billing.store.promises import KnownPromise, settle_promise

Connection = psycopg.Connection[Any]
JOB: Final = "job dunning"
OPEN_AGAIN: Final = "restored"


@dataclass(frozen=True, slots=True)
class Changing:
    """What becomes of the restrictions of an account: lighter ones in the place of others, heavier ones, those that are lifted."""

    lighter: tuple[store.Lighter, ...]
    heavier: tuple[tuple[int, Level], ...]
    lift: tuple[int, ...]


def look_again(
    connection: Connection, customer_ids: Iterable[int], now: datetime | None = None, *, by: str = "payment"
) -> int:
    """Make lighter at once what these customers, who are held, owe no more; how many restrictions were lifted.

    Who acts was said before in this transaction. `by` is who lifts. Without `now` it is the time of the transaction. What is to be
    done further is left to the next pass.
    """
    ids = sorted(set(customer_ids))
    if not ids:
        return 0
    if now is None:
        row = connection.execute("SELECT now()").fetchone()
        assert row is not None
        now = row[0]
    store.look_at_debtors(connection, ids, now)
    concerned = store.load_concerned(connection, ids)
    if not concerned:
        return 0
    return sum(_lighten(connection, account, now, by) for account in load_accounts(connection, concerned, now))


def _lighten(connection: Connection, account: Account, now: datetime, by: str) -> int:
    found = evaluated(connection, account, now)
    if found is None:
        return 0
    account, evaluation = found
    has = levels_by_run(account.facts.restrictions)
    levels = {
        contract: min(level, evaluation.levels[contract], key=lambda one: SEVERITY[one])
        for contract, level in has.items()
        if contract in evaluation.levels
    }
    changing = changing_of(account, evaluation, levels)
    assert not changing.heavier, f"{account.key}: {changing.heavier} though only lighter was asked for"
    store.place_lighter(connection, changing.lighter, now)
    lifted = store.lift(connection, changing.lift, now=now, by=by)
    cleared = [account.case_id] if evaluation.case is CaseChange.CLEARED and account.case_id is not None else []
    store.clear_cases(connection, cleared, now)
    tell_restored(connection, account, changing)
    outbox.write(connection, (*lift_events(account, changing, by), *cleared_events(account, cleared)))
    return lifted


def evaluated(connection: Connection, account: Account, now: datetime) -> tuple[Account, Evaluation] | None:
    """What the rules say now, after plans that are over and promises that are kept or broken are noted. None: nothing is left."""
    if _end_plans(connection, account, now):
        reloaded = _reload(connection, account, now)
        if reloaded is None:
            return None
        account = reloaded
    evaluation = evaluate(account.facts, account.policy, now)
    settled = settle_promise(connection, account, evaluation.debt.amount, now) if account.promised else None
    if settled is not None:
        if settled.promise.state is PromiseState.BROKEN:
            queue(connection, [_promise_broken(account, settled)], made_by=JOB)
        reloaded = _reload(connection, account, now)
        if reloaded is None:
            return None
        account = reloaded
        evaluation = evaluate(account.facts, account.policy, now)
    return account, evaluation


def changing_of(account: Account, evaluation: Evaluation, levels: Mapping[int, Level]) -> Changing:
    """What makes the restrictions of an account those levels."""
    restrictions = account.facts.restrictions
    changes = changes_for(restrictions, levels, pursued=evaluation.pursued)
    has = levels_by_run(restrictions)
    lighter = [one for one in changes.place if SEVERITY[one[1]] <= SEVERITY[has.get(one[0])]]
    instead = {contract: _heaviest(restrictions, contract) for contract, _ in lighter}
    reason = why_line(evaluation.reasons, account) if lighter else ""
    held = {contract for contract, one in instead.items() if account.rows[one.id].held_since is not None}
    return Changing(
        tuple(store.Lighter(instead[contract].id, level, reason) for contract, level in lighter),
        tuple(one for one in changes.place if one not in lighter),
        lifts_beside(account, changes.lift, levels, waiting=frozenset(held)),
    )


def lifts_beside(
    account: Account, lift: Iterable[int], levels: Mapping[int, Level], *, waiting: frozenset[int]
) -> tuple[int, ...]:
    """Of what is to be lifted, without what still has to hold until something heavier counts that waits for a person."""
    by_run = [one for one in account.facts.restrictions if one.origin is Origin.DUNNING and not one.by_person]
    counting = {one.id for one in by_run if account.rows[one.id].held_since is None}
    held = waiting | {
        one.contract_id for one in by_run if one.id not in counting and one.level is levels.get(one.contract_id)
    }
    kept = {one.id for one in by_run if one.id in counting and one.contract_id in held and _is_lighter(one, levels)}
    return tuple(one for one in lift if one not in kept)


def _is_lighter(one: InForce, levels: Mapping[int, Level]) -> bool:
    return SEVERITY[one.level] < SEVERITY[levels.get(one.contract_id)]


def _heaviest(restrictions: Iterable[InForce], contract: int) -> InForce:
    """The heaviest limit that a run of dunning placed on a contract that has one."""
    mine = [
        one
        for one in restrictions
        if one.contract_id == contract and one.origin is Origin.DUNNING and not one.by_person
    ]
    return max(mine, key=lambda one: SEVERITY[one.level])


def tell_restored(connection: Connection, account: Account, changing: Changing) -> None:
    """Tell the customer that a line is open again, where a limit is gone without another in its place."""
    instead = {one.instead for one in changing.lighter}
    heavier = {contract for contract, _ in changing.heavier}
    kept = {one.contract_id for one in account.facts.restrictions if one.id not in changing.lift}
    gone = [
        one.id
        for one in account.facts.restrictions
        if one.id in changing.lift
        and one.id not in instead
        and one.contract_id not in heavier | kept
        # One that has ended is open to nobody.
        and one.contract_id in account.facts.contracts
        and account.rows[one.id].held_since is None
    ]
    if gone:
        told = NewMessage(
            account.customer_id, OPEN_AGAIN, f"restored {max(gone)}", issuer_id=account.key[1], at_once=True
        )
        queue(connection, [told], made_by=JOB)


def lift_events(account: Account, changing: Changing, by: str) -> Iterator[Event]:
    """What others are told of limits that are gone or lighter; of what became heavier the step tells."""
    becomes = {one.instead: one.level for one in changing.lighter}
    heavier = {contract for contract, _ in changing.heavier}
    for one in account.facts.restrictions:
        counted = account.rows[one.id].held_since is None and one.contract_id not in heavier
        if one.id in changing.lift and counted:
            told = {"customer": account.customer_id, "level": one.level, "becomes": becomes.get(one.id), "by": by}
            yield Event("dunning.lifted", {"contract": one.contract_id, **told}, one.contract_id)


def cleared_events(account: Account, case_ids: Iterable[int]) -> Iterator[Event]:
    """What others are told of cases that are over."""
    for number in case_ids:
        yield Event("dunning.cleared", {"case": number, "customer": account.customer_id, "currency": account.key[2]})


def _promise_broken(account: Account, known: KnownPromise) -> NewMessage:
    """That what was promised was not paid."""
    day = billing_day(known.promise.until, account.policy.guard.zone)
    data: dict[str, object] = {"amount": money_told(known.promise.amount), "until": day_told(day), "pay_page": None}
    origin = f"promise {known.id} broken"
    return NewMessage(account.customer_id, "promise_broken", origin, data=data, issuer_id=account.key[1])


def why_line(reasons: Iterable[Reason], account: Account) -> str:
    """The reasons as a line for those who look; what customers read is in their own language."""
    return "; ".join(dict.fromkeys(say(one, "en", account.policy.guard.zone) for one in reasons))


def _reload(connection: Connection, account: Account, now: datetime) -> Account | None:
    again = load_accounts(connection, [account.customer_id], now)
    return next((one for one in again if one.key == account.key), None)


def _end_plans(connection: Connection, account: Account, now: datetime) -> bool:
    """End the plans of instalments that are paid, and those whose instalment is later than their grace."""
    today = billing_day(now, account.policy.guard.zone)
    ended = False
    for plan in account.facts.plans:
        left = instalments_left(account.facts.documents, plan)
        late = left and left[0].due_on + timedelta(days=account.grace_days[plan.id]) < today
        if left is not None and not late:
            continue
        reason = f"the instalment of {left[0].due_on} was not paid" if left else "paid"
        store.end_plans(connection, [plan.id], on=today, by=JOB, reason=reason)
        ended = True
    return ended

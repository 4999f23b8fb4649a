"""Promises to pay taken and reviewed: the lines that a debt limits are open for the promised hours.

Each is one transaction of the caller's; the customer's account is held first. A proof of payment is a promise too, which a person
looks at: valid, the money is given time to come; not valid, the lines are limited again at the next moment that is allowed.

Units: `now` is aware.
Source: billing model section 14; invariant I26.

Next: billing/dunning/promise.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from billing.calendar import billing_day
from billing.contract_facts import Origin
from billing.dunning.evaluation import Evaluation
from billing.dunning.facts import Respite
from billing.dunning.guard import next_open
from billing.dunning.promise import RefusedPromise, ReviewError, decide_promise, review_proof
from billing.messages.message import NewMessage
from billing.messages.plain_values import day_told, money_told
from billing.operations.restoring import evaluated, look_again
from billing.payments import NotDone
from billing.store import dunning as store
from billing.store import promises as promise_store
from billing.store.acting import acting
from billing.store.customer_papers import save_attachment
from billing.store.dunning_facts import Account, Key, load_accounts
from billing.store.message_readers import load_senders
from billing.store.messages import queue
from billing.store.payments import hold_customers
from billing.store.promises import KnownPromise

Connection = psycopg.Connection[Any]
_REMINDED_BEFORE: Final = timedelta(days=1)
_REMINDERS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Proof:
    """What a customer shows for having paid: a file."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """A promise that was taken, and on how many contracts it opens the line."""

    known: KnownPromise
    reliefs: int


def take_promise(
    connection: Connection,
    key: Key,
    *,
    now: datetime,
    asked_by: str,
    actor: str,
    proof: Proof | None = None,
) -> Taken | RefusedPromise | NotDone:
    """A promise of a customer to pay what is owed to an issuer in a currency; refused, nothing is written."""
    customer, _, currency = key
    if not hold_customers(connection, [customer]):
        return NotDone("there is no customer %(customer_id)s", customer_id=customer)
    acting(connection, actor)
    account = next((one for one in load_accounts(connection, [customer], now) if one.key == key), None)
    found = None if account is None else evaluated(connection, account, now)
    if found is None:
        return NotDone("customer %(customer)s owes nothing in %(currency)s", customer=customer, currency=currency)
    account, evaluation = found
    past = [one.promise for one in promise_store.load_promises(connection, key, hold=True)]
    # What is told of a refusal is the same whether the day's pass has opened the case or not.
    decided = decide_promise(
        evaluation.debt.amount,
        past,
        account.policy,
        case_id=account.case_id or 0,
        now=now,
        has_proof=proof is not None,
    )
    if isinstance(decided, RefusedPromise):
        return decided
    case_id = account.case_id or store.open_cases(connection, [key], now)[key]
    proof_id = None if proof is None else _keep(connection, customer, proof, actor)
    promise = replace(decided, case_id=case_id)
    promise_id = promise_store.save_promise(connection, promise, asked_by=asked_by, made_by=actor, proof_id=proof_id)
    reliefs = _open_lines(connection, account, promise_id, promise.respite, by=actor)
    store.save_looks(connection, [(key, promise.until)])
    _tell(connection, account, promise_id, promise.until, evaluation)
    known = promise_store.load_promise(connection, promise_id)
    assert known is not None
    return Taken(known, reliefs)


def review_promise(
    connection: Connection, promise_id: int, *, valid: bool, now: datetime, actor: str
) -> KnownPromise | NotDone:
    """Say what is to be thought of a promise's proof of payment.

    Valid, it is kept, and nothing is limited until the money has had as long to come as a promise with a proof is worth.
    """
    known = promise_store.load_promise(connection, promise_id)
    if known is None:
        return NotDone("there is no promise %(promise_id)s: `corrente promise list` shows them", promise_id=promise_id)
    customer = known.key[0]
    hold_customers(connection, [customer])
    acting(connection, actor)
    known = promise_store.load_promise(connection, promise_id)
    assert known is not None
    account = next((one for one in load_accounts(connection, [customer], now) if one.key == known.key), None)
    if account is None:
        return NotDone(
            "customer %(customer)s owes nothing any more: promise %(promise_id)s needs no review",
            customer=customer,
            promise_id=promise_id,
        )
    guard = account.policy.guard
    try:
        after = review_proof(known.promise, valid=valid, guard=guard, now=now)
    except ReviewError as error:
        return NotDone("promise %(promise_id)s: %(error)s", promise_id=promise_id, error=error.why)
    if valid:
        time_to_come = now + timedelta(hours=account.policy.promise.proof_hours)
        after = replace(after, respite_until=max(after.respite_until, next_open(guard, time_to_come)))
    promise_store.save_review(connection, promise_id, valid=valid, by=actor, now=now)
    promise_store.save_outcome(connection, promise_id, after, now)
    if valid:
        _open_lines(connection, account, promise_id, Respite(now, after.respite_until), by=actor)
    store.save_looks(connection, [(known.key, after.respite_until)])
    look_again(connection, [customer], now, by=f"promise {promise_id}")
    reviewed = promise_store.load_promise(connection, promise_id)
    assert reviewed is not None
    return reviewed


def remind_of_promises(connection: Connection, *, now: datetime) -> int:
    """Write to whoever promised to pay by tomorrow and has not yet, once for each promise; how many."""
    due = promise_store.load_due_promises(connection, now=now, by=now + _REMINDED_BEFORE, limit=_REMINDERS_AT_ONCE)
    zones = {one.id: one.zone for one in load_senders(connection)}
    told = [
        NewMessage(
            one.key[0],
            "promise_due",
            f"promise {one.id} due",
            {
                "amount": money_told(one.promise.amount),
                "until": day_told(billing_day(one.promise.until, zones[one.key[1]])),
            },
            issuer_id=one.key[1],
            expires_at=one.promise.until,
        )
        for one in due
    ]
    return len(queue(connection, told, made_by="promise"))


def _keep(connection: Connection, customer: int, proof: Proof, actor: str) -> int:
    """The proof as a file of its customer."""
    return save_attachment(
        connection,
        customer,
        name=proof.name,
        media_type=proof.media_type,
        content=proof.content,
        author=actor,
        contract_id=None,
    )


def _open_lines(connection: Connection, account: Account, promise_id: int, during: Respite, *, by: str) -> int:
    """Reliefs of the contracts that a debt limits."""
    limited = sorted({one.contract_id for one in account.facts.restrictions if one.origin is Origin.DUNNING})
    reason = f"promise {promise_id}"
    return promise_store.give_reliefs(connection, promise_id, limited, during, reason=reason, by=by)


def _tell(connection: Connection, account: Account, promise_id: int, until: datetime, evaluation: Evaluation) -> None:
    day = billing_day(until, account.policy.guard.zone)
    data: dict[str, object] = {"amount": money_told(evaluation.debt.amount), "until": day_told(day)}
    told = NewMessage(
        account.customer_id,
        "promise_made",
        f"promise {promise_id}",
        data=data,
        issuer_id=account.key[1],
        at_once=True,
    )
    queue(connection, [told], made_by="promise")

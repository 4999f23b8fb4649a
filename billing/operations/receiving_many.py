"""Many payments at once, recorded all or none.

Next: billing/operations/receiving.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from billing.money import Money
from billing.operations.receiving import Recorded, record_payment
from billing.payments import NewPayment, NotDone
from billing.store.payments import find_twin, hold_customers, load_payment, load_settled

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A line with what became of it."""

    line: int
    payment: NewPayment
    recorded: Recorded
    settles: tuple[tuple[str, Money], ...]


@dataclass(frozen=True, slots=True)
class NotTold:
    """A line that is not recorded: it is refused, or is like the payment `twin`."""

    line: int
    why: NotDone | None = None
    twin: int | None = None


def record_many(
    connection: Connection, payments: Sequence[tuple[int, NewPayment]], *, with_twins: bool, today: date, actor: str
) -> list[Told] | list[NotTold]:
    """Record all of them in the caller's transaction, which rolls back what is not all recorded.

    Lines like a payment that is there are refused without `with_twins`, unless that is one of these, given again.
    """
    hold_customers(connection, [one.customer_id for _, one in payments if one.customer_id is not None])
    if not with_twins and (twins := _twins(connection, payments)):
        return twins
    done: dict[int, Told] = {}
    # In the order of customers, as a run counts them: neither waits for the other.
    for line, payment in sorted(payments, key=lambda one: one[1].customer_id or 0):
        recorded = record_payment(connection, payment, today=today, actor=actor)
        if isinstance(recorded, NotDone):
            return [NotTold(line, recorded)]
        done[line] = Told(line, payment, recorded, tuple(load_settled(connection, recorded.payment.id)))
    return [done[line] for line, _ in payments]


def _twins(connection: Connection, payments: Sequence[tuple[int, NewPayment]]) -> list[NotTold]:
    mine = {one.reference for _, one in payments}
    wrong = []
    for line, payment in payments:
        twin = find_twin(connection, payment)
        known = None if twin is None else load_payment(connection, twin)
        if known is not None and known.reference not in mine:
            wrong.append(NotTold(line, twin=known.id))
    return wrong

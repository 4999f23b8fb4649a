"""What a day brings to contracts by itself: ends of trials, pauses, contracts and proposals, plans whose day has come, notices.

Each contract is a transaction of its own: one that can't be dealt with is told, and the others are. Done twice, the second
finds nothing.

Units: days of the issuer's zone.
Source: billing model sections 3.3, 4 and 19.

Next: billing/operations/doing.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.contract_facts import Origin
from billing.deeds import Changed, Deed, EndTrial, Expire, Lift, Lifter, ReachEnd
from billing.errors import BillingError
from billing.operations.doing import do_deed
from billing.store.deeds_due import Bound, Reached, apply_plan_changes, load_bound, load_reached, save_notices
from billing.terms import notice_due

Connection = psycopg.Connection[Any]
ACTOR: Final = "job daily_deeds"


@dataclass(frozen=True, slots=True)
class Passed:
    """What a day brought: (contract, event) as done, (contract, reason) where it could not be, and how many of the rest."""

    done: tuple[tuple[int, str], ...]
    problems: tuple[tuple[int, str], ...]
    plans: int
    notices: int


def deeds_due(
    connection: Connection, today: date, *, issuer_id: int | None = None, zone: str = "UTC", actor: str = ACTOR
) -> Passed:
    """Do all that is due today for an issuer's contracts; without an issuer, for those that have no terms.

    Opens its own transactions; within one of the caller's they are parts of it. `zone` is where the days are counted.
    """
    with connection.transaction():
        plans = apply_plan_changes(connection, today, issuer_id=issuer_id)
    done: list[tuple[int, str]] = []
    problems: list[tuple[int, str]] = []
    for reached in load_reached(connection, issuer_id, today=today, zone=zone):
        for deed in _deeds_of(reached):
            try:
                with connection.transaction():
                    outcome = do_deed(connection, reached.contract_id, deed, today=today, actor=actor, zone=zone)
            except (BillingError, psycopg.Error) as error:
                if connection.broken:
                    raise
                problems.append((reached.contract_id, str(error).partition("\n")[0]))
                break
            if isinstance(outcome, Changed):
                done.append((reached.contract_id, outcome.event))
                continue
            now = load_reached(connection, issuer_id, today=today, zone=zone, contract_id=reached.contract_id)
            # Who was quicker has done it, or something after which it is not to be done: no problem of anybody's.
            if any(deed in _deeds_of(one) for one in now):
                problems.append((reached.contract_id, outcome.sentence))
    notices = 0
    if issuer_id is not None:
        with connection.transaction():
            notices = save_notices(connection, list(_notices(load_bound(connection, issuer_id), today)))
    return Passed(tuple(done), tuple(problems), plans, notices)


def _deeds_of(reached: Reached) -> list[Deed]:
    """In the order in which they can be done: after its end nothing else can."""
    if reached.proposal_over:
        return [Expire()]
    if reached.end_reached:
        return [ReachEnd()]
    deeds: list[Deed] = []
    if reached.trial_over:
        deeds.append(EndTrial())
    if reached.pause_over:
        deeds.append(Lift(Origin.CUSTOMER_PAUSE, Lifter.END_DATE))
    return deeds


def _notices(contracts: list[Bound], today: date) -> Iterator[tuple[int, str, date]]:
    """Notices about the end of a running term whose day has come. Who leaves anyhow is told of no renewal."""
    for one in contracts:
        found = notice_due(one.binding, today)
        if found is None:
            continue
        kind, due_on = found
        if due_on <= today and (kind == "expiry" or one.ends_on is None):
            yield one.contract_id, kind, due_on

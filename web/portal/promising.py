"""A promise to pay, given in the portal or on the page where limited lines land."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from flask import g

from billing.dunning.promise import RefusedPromise
from billing.dunning.reasons import Why
from billing.operations.promising import Proof, Taken, take_promise
from billing.payments import NotDone
from billing.store.portal_page import Owed, load_owed
from web.acting import clock
from web.database import Connection
from web.language import gettext, lazy, moment_shown

_REFUSED: Final = {
    Why.NOTHING_OWED: lazy("Nothing is owed."),
    Why.NOT_PURSUED: lazy("What is owed is so little that nothing is limited for it."),
    Why.PROMISED: lazy("You have promised already: your line is open meanwhile."),
    Why.PROMISE_BROKEN: lazy("A promise was not kept, so no other one is taken for a while."),
    Why.PROMISES_OF_CASE: lazy("No more promises are taken for this debt."),
    Why.PROMISES_OF_MONTH: lazy("No more promises are taken this month."),
}


@dataclass(frozen=True, slots=True)
class Promised:
    """It was taken, and holds so long."""

    until: datetime


def promise(
    connection: Connection, customer_id: int, *, now: datetime, proof: Proof | None = None
) -> Promised | RefusedPromise | NotDone:
    """Promise to pay what is overdue, of the account with the oldest debt. Refused, nothing is written."""
    owed = load_owed(connection, customer_id, limit=1)
    if not owed:
        return NotDone("nothing is owed")
    key = (customer_id, owed[0].issuer_id, owed[0].open.currency)
    actor = g.get("actor") or f"customer {customer_id}"
    taken = take_promise(connection, key, now=now, asked_by="portal", actor=actor, proof=proof)
    return Promised(taken.known.promise.until) if isinstance(taken, Taken) else taken


def try_promise(
    connection: Connection, owed: Sequence[Owed], customer_id: int, *, proof: Proof | None = None
) -> Promised | RefusedPromise | NotDone:
    """What would come of one now: it is tried, and taken back."""
    if not owed:
        return NotDone("nothing is owed")
    with connection.transaction() as trial:
        taken = promise(connection, customer_id, now=clock(connection), proof=proof)
        raise psycopg.Rollback(trial)
    return taken


def promise_possible(connection: Connection, owed: Sequence[Owed], customer_id: int) -> bool:
    """Whether one would be taken now."""
    return isinstance(try_promise(connection, owed, customer_id), Promised)


def words_of_refusal(refused: RefusedPromise | NotDone) -> str:
    """Why no promise is taken, for people."""
    if isinstance(refused, NotDone):
        return gettext("No promise is needed: nothing is pursued now.")
    said = str(_REFUSED.get(refused.reason.why, lazy("No promise can be taken now.")))
    if refused.until is None:
        return said
    until = gettext("Until %(moment)s.", moment=moment_shown(refused.until))
    return f"{said} {until}"

"""Documents queued for the tax authority as they are issued, where their issuer has an account.

Fed by the outbox, which has a document once and in the transaction that issued it: nothing is searched for, and nothing
waits in the billing run. What was issued before an account was made, or when it was off, is queued by hand.

Next: work.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import psycopg

from billing.einvoice.outcome import State
from billing.einvoice.states import REJECTED
from billing.store import einvoices as store
from billing.store.einvoices import Candidate
from billing.store.outbox import HandedOver
from control_plane.einvoice.provider import provider_for

Connection = psycopg.Connection[Any]

_ISSUED: Final = frozenset({"document.issued", "document.credited"})
# What it corrects never reached the authority, or does not count there.
_NEVER_ISSUED: Final = REJECTED | {State.DRAFT}


def queue_issued(connection: Connection, events: Iterable[HandedOver]) -> int:
    """Queue what these events say was issued, in the caller's transaction; returns how many will be sent."""
    # An event of another form is nobody's reason to hold up all others.
    told = [event.payload.get("document") for event in events if event.name in _ISSUED]
    ids = [number for number in told if isinstance(number, int)]
    return queue_documents(connection, ids) if ids else 0


def queue_documents(connection: Connection, ids: Sequence[int], *, earlier_too: bool = False) -> int:
    """Queue these documents, those of accounts that don't count their day with `earlier_too`; returns how many will be sent."""
    found = store.load_candidates(connection, ids, earlier_too=earlier_too)
    return store.queue(connection, ((one, _problem(one)) for one in found))


def _problem(one: Candidate) -> str:
    """Why a document is held: what takes back a document that by law was never issued stays inside."""
    description = provider_for(one.provider).describe()
    if one.kind not in description.kinds:
        return f"{description.name} takes no {one.kind.replace('_', ' ')}"
    if one.corrects is None:
        return ""
    if one.corrects_state in REJECTED and not description.manner.rejected_is_unissued:
        return ""
    if one.corrects_state in _NEVER_ISSUED:
        return f"it stays inside: {one.corrects}, which it corrects, was not accepted"
    if one.corrects_state is None:
        return (
            f"{one.corrects}, which it corrects, was never sent: look whether the authority is to be told of this one"
        )
    return ""

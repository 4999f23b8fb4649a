"""What a payer contests at the bank is no debt while the bank decides: a dispute of the invoices that the payment had settled.

The money is gone and its invoices are open again; they are withheld from dunning until the provider says how it ended. Won, the
money comes again and pays them; lost, they are debt by their own days. A person may close it before (`corrente dunning resolve`).

Source: billing model section 14, exclusions.

Next: billing/operations/holding_back.py
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import psycopg

from billing.gateways.events import EventKind
from billing.money import Money
from billing.operations.holding_back import close_told, write_dispute
from billing.store.holding_back import load_open_invoice

Connection = psycopg.Connection[Any]
# How a provider says that a dispute is over.
OUTCOMES: Final = {
    EventKind.DISPUTE_WON: "won: the money came again",
    EventKind.DISPUTE_LOST: "lost: the money is gone",
}


def withhold(connection: Connection, before: Mapping[int, Money], *, reference: str, reason: str, actor: str) -> int:
    """Contest what of these invoices is open now and was not before; on how many. The customer is held, and looked at by the caller."""
    opened = 0
    for document, was in before.items():
        known = load_open_invoice(connection, document)
        if known is None:
            continue
        amount = min(known.open - was, known.open - known.disputed, key=lambda one: one.minor)
        if amount.minor > 0:
            done = write_dispute(
                connection, document, amount, reason=reason, now=_now(connection), actor=actor, reference=reference
            )
            opened += isinstance(done, int)
    return opened


def decided(connection: Connection, kind: EventKind, reference: str, *, actor: str) -> int:
    """Close what a dispute had withheld, once its provider says how it ended; how many invoices."""
    return close_told(connection, reference, outcome=OUTCOMES[kind], now=_now(connection), actor=actor)


def _now(connection: Connection) -> datetime:
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now

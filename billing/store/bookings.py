"""Entries of events that move money: one an event, named after it, so that none is booked twice.

Next: billing/store/payments.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from billing.payments import booking_day
from billing.postings import Leg
from billing.store.books import load_closed, write_legs


@dataclass(frozen=True, slots=True)
class When:
    """The day that an event is of, and when and by whom it is written; `note` is what statements say of it."""

    dated: date
    today: date
    actor: str
    note: str = ""


def book_event(
    connection: psycopg.Connection[Any],
    issuer_id: int,
    event: tuple[str, int],
    legs: tuple[Leg, ...],
    when: When,
) -> None:
    """Write the entry of an event (its kind and number) on a day that is open, before the event's own row."""
    kind, number = event
    dated = booking_day(when.dated, load_closed(connection, issuer_id), when.today)
    row = connection.execute(
        "INSERT INTO entry (issuer_id, dated, source, source_id, kind, currency, made_by, note) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (issuer_id, dated, kind, number, kind, legs[0].amount.currency, when.actor, when.note or None),
    ).fetchone()
    assert row is not None, "an insert returns its row"
    write_legs(connection, row[0], legs)

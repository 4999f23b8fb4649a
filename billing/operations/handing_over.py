"""Cash sessions: opened with an amount, counted and handed over with the difference in the books; what was wrong is set right in the next one.

Who hands over holds the session first: of two at once the second finds it closed.

Units: days of the issuer's zone; `today` is passed in.
Source: billing model section 16; invariant I30.

Next: billing/store/cash.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from billing.cash import Destination, HandOver, count_cash, hand_over_legs, withdrawal_legs
from billing.money import Money
from billing.payments import NotDone, booking_day
from billing.store import cash as store
from billing.store import outbox
from billing.store.acting import acting
from billing.store.bookings import When, book_event
from billing.store.books import load_closed
from billing.store.cash import Session
from billing.store.collectors import load_collector
from billing.store.documents import take_ids
from billing.store.ledger import load_accounts
from billing.store.outbox import Event
from billing.store.payments import write_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Handed:
    """A session that was handed over, with what was found."""

    session: Session
    hand: HandOver


def begin_session(
    connection: Connection,
    collector_id: int,
    opening: Money,
    *,
    actor: str,
    pieces: Mapping[Decimal, int] | None = None,
) -> Session | NotDone:
    """Open a session with an amount of cash from the main cash, counted by denomination where `pieces` are given."""
    collector = load_collector(connection, collector_id)
    if collector is None or not collector.active:
        if collector is None:
            return NotDone("there is no collector %(collector_id)s", collector_id=collector_id)
        return NotDone("%(collector)s collects no more", collector=collector.name)
    if opening.minor < 0:
        return NotDone("an opening of %(opening)s: give what the collector is given, or nothing", opening=opening)
    if pieces:
        counted = count_cash(pieces, opening.currency)
        if isinstance(counted, NotDone):
            return counted
        if counted != opening:
            return NotDone(
                "%(counted)s are counted and %(opening)s are to be given: make them the same",
                counted=counted,
                opening=opening,
            )
    acting(connection, actor)
    number = store.open_session(connection, collector_id, opening, actor=actor)
    if number is None:
        return NotDone(
            "%(collector)s has an open session in %(currency)s: `corrente cash close` hands it over",
            collector=collector.name,
            currency=opening.currency,
        )
    if pieces:
        store.save_count(connection, number, "opening", pieces)
    return _loaded(connection, number)


def withdraw(
    connection: Connection,
    session_id: int,
    amount: Money,
    to: Destination,
    *,
    reason: str,
    today: date,
    actor: str,
) -> Session | NotDone:
    """Take cash out of an open session: to the main cash, or paid in at the bank. Never more than should be there."""
    session = _held(connection, session_id)
    if isinstance(session, NotDone):
        return session
    if amount.currency != session.currency or amount.minor <= 0 or session.takings.with_collector < amount:
        return NotDone(
            "%(amount)s of session %(session_id)s: %(with_collector)s came in and are there",
            amount=amount,
            session_id=session_id,
            with_collector=session.takings.with_collector,
        )
    acting(connection, actor)
    (number,) = take_ids(connection, "cash_withdrawal_id_seq", 1)
    legs = withdrawal_legs(amount, to, load_accounts(connection, session.issuer_id))
    book_event(connection, session.issuer_id, ("cash_withdrawal", number), legs, When(today, today, actor, reason))
    row = (("id", number), ("session_id", session_id), ("amount", amount.amount), ("dated", today), ("reason", reason))
    write_row(connection, "cash_withdrawal", (*row, ("made_by", actor)))
    return _loaded(connection, session_id)


def hand_over(
    connection: Connection,
    session_id: int,
    pieces: Mapping[Decimal, int],
    *,
    taken_by: str,
    today: date,
    actor: str,
    note: str | None = None,
    seen: Money | None = None,
) -> Handed | NotDone:
    """Close a session on what was counted: all of it goes to the main cash, the difference to its account.

    `seen` is what should have been there as it was counted: where it changed since, nothing is handed over.
    What was taken back of the collector's payments since the hand-over before counts in this one.
    """
    session = _held(connection, session_id)
    if isinstance(session, NotDone):
        return session
    counted = count_cash(pieces, session.currency)
    if isinstance(counted, NotDone):
        return counted
    acting(connection, actor)
    store.list_taken_back(connection, session_id)
    # Again: what was taken back while the session was waited for is in it now, what comes later in the next one.
    session = _loaded(connection, session_id)
    if seen is not None and session.takings.expected != seen:
        return _gone_on(session, seen)
    hand = HandOver(session.takings, counted)
    store.save_count(connection, session_id, "closing", pieces)
    legs = hand_over_legs(hand, load_accounts(connection, session.issuer_id))
    said = f"{session.collector}, session {session_id}"
    if legs:
        book_event(connection, session.issuer_id, ("cash_session", session_id), legs, When(today, today, actor, said))
    dated = booking_day(today, load_closed(connection, session.issuer_id), today)
    done = store.close_session(
        connection,
        session_id,
        closed_on=dated,
        actor=actor,
        taken_by=taken_by,
        expected=hand.takings.expected,
        counted=counted,
        note=note,
    )
    assert done, "it is held and was open"
    _tell(connection, hand, session)
    return Handed(_loaded(connection, session_id), hand)


def _gone_on(session: Session, seen: Money) -> NotDone:
    return NotDone(
        "session %(session)s has gone on: %(expected)s should be there now, it was %(seen)s; count again",
        session=session.id,
        expected=session.takings.expected,
        seen=seen,
    )


def _tell(connection: Connection, hand: HandOver, session: Session) -> None:
    told = {
        "session": session.id,
        "collector": session.collector_id,
        "currency": session.currency,
        "counted": hand.counted.amount,
        "difference": hand.difference.amount,
    }
    outbox.write(connection, [Event("cash_session.closed", told)])


def _held(connection: Connection, session_id: int) -> Session | NotDone:
    if not store.hold_session(connection, session_id):
        return NotDone("there is no session %(session_id)s: `corrente cash list` shows them", session_id=session_id)
    session = _loaded(connection, session_id)
    if session.closed_at is not None:
        return NotDone(
            "session %(session_id)s was handed over on %(closed_on)s to %(taken_by)s: what was wrong is set right in the next one",
            session_id=session_id,
            closed_on=session.closed_on,
            taken_by=session.taken_by,
        )
    return session


def _loaded(connection: Connection, session_id: int) -> Session:
    session = store.load_session(connection, session_id)
    assert session is not None, f"session {session_id} is there"
    return session

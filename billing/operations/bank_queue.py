"""The queue of banks' lines that wait for a person: choose whose a line is or what it took back, ignore it, take a choice back.

Each is one transaction of the caller's. What was recorded as nobody's is matched by an entry; what is ignored is taken out of the
receipts that nobody knows; taking back a choice leaves the payment as nobody's again.

Units: days of the issuer's zone; `today` is in the desk.
Source: billing model section 12.

Next: billing/store/bank_files.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from billing.allocation import Choice
from billing.banking.matching import Suggestion
from billing.operations.bank_import import Desk, record_line, reference_of, take_back
from billing.operations.receiving import Recorded, choose, match_payment, reverse_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.store import bank_files as store
from billing.store.bank_files import KeptLine
from billing.store.bank_known import has_line
from billing.store.payments import load_payment

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Decided:
    """What a line is now, and the payment behind it as it stands."""

    state: str
    payment: Recorded | None = None


def choose_customer(
    connection: Connection, line_id: int, customer_id: int, choices: Sequence[Choice], desk: Desk, *, reason: str
) -> Decided | NotDone:
    """A line that came in is that customer's, also where it was said to be another's."""
    kept = _held(connection, line_id)
    if isinstance(kept, NotDone):
        return kept
    if kept.line.amount.minor < 0 or kept.state not in ("waiting", "recorded"):
        return NotDone(f"line {line_id} {_stands(kept)}: only what came in and waits is a customer's")
    done: Recorded | NotDone
    if kept.payment_id is None:
        pick = Suggestion(customer_id, 0, ())
        done = record_line(connection, kept, desk, pick)
    else:
        done = match_payment(
            connection, kept.payment_id, customer_id, reason=reason, today=desk.today, actor=desk.actor
        )
    if not isinstance(done, NotDone) and choices:
        done = choose(connection, done.payment.id, choices, actor=desk.actor)
    if isinstance(done, NotDone):
        return done
    store.decide_line(connection, line_id, "recorded", actor=desk.actor, reason=reason, payment_id=done.payment.id)
    return Decided("recorded", done)


def choose_payment(
    connection: Connection, line_id: int, payment_id: int, desk: Desk, *, reason: str
) -> Decided | NotDone:
    """A line is that payment: what went out took it back, what came in was recorded before."""
    kept = _held(connection, line_id)
    if isinstance(kept, NotDone):
        return kept
    known = load_payment(connection, payment_id)
    if known is None or known.issuer_id != desk.account.issuer_id:
        return NotDone(f"there is no payment {payment_id} of {desk.account.issuer}")
    if kept.line.amount.minor > 0:
        if kept.state != "waiting" or kept.payment_id is not None or known.money != kept.line.amount:
            return NotDone(
                f"line {line_id} {_stands(kept)} of {kept.line.amount}, payment {payment_id} is of {known.money}"
            )
        if known.reversed_on is not None:
            return NotDone(
                f"payment {payment_id} came back on {known.reversed_on}: what line {line_id} tells is another one"
            )
        if not kept.doubt and has_line(connection, payment_id):
            return NotDone(f"payment {payment_id} is another line of a bank: what line {line_id} tells is another one")
        store.decide_line(connection, line_id, "recorded", actor=desk.actor, reason=reason, payment_id=payment_id)
        return Decided("recorded", Recorded(known, again=True))
    if kept.state not in ("waiting", "ignored"):
        return NotDone(f"line {line_id} {_stands(kept)}: it took a payment back already")
    done = take_back(connection, kept, desk, payment_id)
    if isinstance(done, NotDone):
        return done
    store.decide_line(connection, line_id, "returned", actor=desk.actor, reason=reason, payment_id=payment_id)
    return Decided("returned", done)


def ignore_line(connection: Connection, line_id: int, desk: Desk, *, reason: str) -> Decided | NotDone:
    """A line is no customer's: a transfer of our own, a payout, interest. What was recorded as nobody's is taken back."""
    kept = _held(connection, line_id)
    if isinstance(kept, NotDone):
        return kept
    if kept.state != "waiting":
        return NotDone(f"line {line_id} {_stands(kept)}: `corrente payment queue undo {line_id}` first")
    done: Recorded | None = None
    if kept.payment_id is not None:
        why = Happening(
            kept.line.value_on, reason, PaymentSource.FILE, f"line {line_id} ignored, payment {kept.payment_id}"
        )
        gone = reverse_payment(connection, kept.payment_id, why, today=desk.today, actor=desk.actor)
        if isinstance(gone, NotDone):
            return gone
        done = gone
    store.decide_line(connection, line_id, "ignored", actor=desk.actor, reason=reason, payment_id=kept.payment_id)
    return Decided("ignored", done)


def undo_line(connection: Connection, line_id: int, desk: Desk, *, reason: str) -> Decided | NotDone:
    """Take back what was chosen or ignored: the line waits again, and its payment is nobody's."""
    kept = _held(connection, line_id)
    if isinstance(kept, NotDone):
        return kept
    if kept.state == "returned":
        return NotDone(
            f"line {line_id} took payment {kept.payment_id} back, which stays: `corrente payment new` records the money if it is there"
        )
    if kept.state not in ("recorded", "ignored"):
        return NotDone(f"line {line_id} {_stands(kept)}: there is nothing to take back")
    done: Recorded | NotDone | None = None
    known = None if kept.payment_id is None else load_payment(connection, kept.payment_id)
    # What another line or a person had recorded stays whose it is; a line that never was a payment waits as it did.
    its_own = known is not None and known.reference.startswith(reference_of(desk.account, kept.line))
    if known is not None and kept.state == "recorded" and its_own:
        done = match_payment(connection, known.id, None, reason=reason, today=desk.today, actor=desk.actor)
    elif known is not None and kept.state == "ignored":
        done = record_line(connection, kept, desk, None, after=kept.payment_id)
    if isinstance(done, NotDone):
        return done
    payment_id = None if done is None else done.payment.id
    store.decide_line(connection, line_id, "waiting", actor=desk.actor, reason=reason, payment_id=payment_id)
    return Decided("waiting", done)


def _held(connection: Connection, line_id: int) -> KeptLine | NotDone:
    kept = store.hold_line(connection, line_id)
    if kept is None:
        return NotDone(f"there is no line {line_id}: `corrente payment queue list` shows those that wait")
    if kept.state == "new":
        return NotDone(f"line {line_id} was not looked at yet: `corrente payment import` goes on with it")
    return kept


def _stands(kept: KeptLine) -> str:
    was = f" as payment {kept.payment_id}" if kept.payment_id is not None else ""
    return f"is {kept.state}{was}"

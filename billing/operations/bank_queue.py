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
from typing import Any, Final

import psycopg

from billing.allocation import Choice
from billing.banking.matching import Suggestion
from billing.operations.bank_import import Desk, record_line, reference_of, take_back
from billing.operations.receiving import Recorded, choose, match_payment, reverse_payment
from billing.payments import Happening, NotDone, PaymentSource
from billing.sentence import Sentence
from billing.store import bank_files as store
from billing.store.bank_files import KeptLine
from billing.store.bank_known import has_line
from billing.store.payments import load_payment

Connection = psycopg.Connection[Any]
_STANDS: Final = {
    "new": Sentence("is new"),
    "waiting": Sentence("is waiting"),
    "recorded": Sentence("is recorded"),
    "returned": Sentence("is returned"),
    "ignored": Sentence("is ignored"),
}


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
        return NotDone(
            "line %(line_id)s %(stands)s: only what came in and waits is a customer's",
            line_id=line_id,
            stands=_stands(kept),
        )
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
        return NotDone(
            "there is no payment %(payment_id)s of %(issuer)s", payment_id=payment_id, issuer=desk.account.issuer
        )
    if kept.line.amount.minor > 0:
        if kept.state != "waiting" or kept.payment_id is not None or known.money != kept.line.amount:
            return NotDone(
                "line %(line_id)s %(stands)s of %(amount)s, payment %(payment_id)s is of %(money)s",
                line_id=line_id,
                stands=_stands(kept),
                amount=kept.line.amount,
                payment_id=payment_id,
                money=known.money,
            )
        if known.reversed_on is not None:
            return NotDone(
                "payment %(payment_id)s came back on %(reversed_on)s: what line %(line_id)s tells is another one",
                payment_id=payment_id,
                reversed_on=known.reversed_on,
                line_id=line_id,
            )
        if not kept.doubt and has_line(connection, payment_id):
            return NotDone(
                "payment %(payment_id)s is another line of a bank: what line %(line_id)s tells is another one",
                payment_id=payment_id,
                line_id=line_id,
            )
        store.decide_line(connection, line_id, "recorded", actor=desk.actor, reason=reason, payment_id=payment_id)
        return Decided("recorded", Recorded(known, again=True))
    if kept.state not in ("waiting", "ignored"):
        return NotDone(
            "line %(line_id)s %(stands)s: it took a payment back already", line_id=line_id, stands=_stands(kept)
        )
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
        return NotDone(
            "line %(line_id)s %(stands)s: `corrente payment queue undo %(line_id)s` first",
            line_id=line_id,
            stands=_stands(kept),
        )
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
            "line %(line_id)s took payment %(payment_id)s back, which stays: `corrente payment new` records the money if it is there",
            line_id=line_id,
            payment_id=kept.payment_id,
        )
    if kept.state not in ("recorded", "ignored"):
        return NotDone(
            "line %(line_id)s %(stands)s: there is nothing to take back", line_id=line_id, stands=_stands(kept)
        )
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
        return NotDone(
            "there is no line %(line_id)s: `corrente payment queue list` shows those that wait", line_id=line_id
        )
    if kept.state == "new":
        return NotDone(
            "line %(line_id)s was not looked at yet: `corrente payment import` goes on with it", line_id=line_id
        )
    return kept


def _stands(kept: KeptLine) -> Sentence:
    if kept.payment_id is None:
        return _STANDS[kept.state]
    if kept.state == "returned":
        return Sentence("is returned as payment %(payment)s", payment=kept.payment_id)
    return Sentence("is recorded as payment %(payment)s", payment=kept.payment_id)

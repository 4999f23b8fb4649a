"""Giving back and letting go: refunds of what settles nothing, invoices that nobody will pay.

Each is one transaction of the caller's with its entry; the customer's account is held first. Dunning looks at it again in that
transaction: what is let go is not owed any more.

Units: days of the issuer's zone; `today` is passed in, and `now`, without which it is the time of the database.
Source: billing model sections 12 and 13.

Next: billing/store/payments.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg

from billing.allocation import SourceKind
from billing.money import Money, read_money
from billing.operations.receiving import hold_payment, withdraw_all
from billing.operations.restoring import look_again
from billing.payments import (
    Happening,
    Method,
    NotDone,
    PaymentSource,
    account_of_money,
    payment_legs,
    refuse_day,
    write_off_legs,
)
from billing.sentence import Sentence
from billing.store import allocations as allocation_store
from billing.store import payments as store
from billing.store.acting import acting
from billing.store.bookings import When, book_event
from billing.store.documents import take_ids
from billing.store.gateway_charges import load_refunds_asked
from billing.store.ledger import load_accounts
from billing.store.overdrawn import load_overdrawn
from billing.store.payments import KnownPayment

Connection = psycopg.Connection[Any]


def refund_payment(
    connection: Connection, payment_id: int, amount: Money, method: Method, why: Happening, *, today: date, actor: str
) -> int | NotDone:
    """Give back what of a payment settles nothing; the refund's number. Never more than that, nor than was received in all, nor what
    its gateway is giving back.
    """
    known = hold_payment(connection, payment_id)
    if not isinstance(known, NotDone):
        refused = refuse_twice(connection, known, amount) or _refuse_asked(connection, known, amount)
        if refused is not None:
            return refused
    done = _of_payment(connection, payment_id, amount, method, why, when=When(why.dated, today, actor, why.reason))
    return done if isinstance(done, NotDone) else _looked_again(connection, done, actor)


def refuse_twice(connection: Connection, known: KnownPayment, amount: Money) -> NotDone | None:
    """The refusal to give back what was given back already of a payment that came back; the customer is held."""
    if known.customer_id is None or amount.currency != known.money.currency:
        return None
    owed = load_overdrawn(connection, known.customer_id, known.issuer_id, amount.currency)
    if not owed or amount <= known.open - owed:
        return None
    return NotDone(
        "%(amount)s of payment %(payment)s: %(open)s of it settle nothing, and %(owed)s were given back of a payment that came back: %(free)s can be given back",
        amount=amount,
        payment=known.id,
        open=known.open,
        owed=owed,
        free=max(known.open - owed, owed - owed),
    )


def _refuse_asked(connection: Connection, known: KnownPayment, amount: Money) -> NotDone | None:
    """The refusal to give back by hand what the payment's gateway is asked to; the payment is held."""
    asked = load_refunds_asked(connection, known.id)
    if asked is None or amount.currency != asked.currency or amount <= known.open - asked:
        return None
    return NotDone(
        "%(amount)s of payment %(payment)s: %(asked)s of it are being given back by its gateway, %(free)s beside that settle nothing",
        amount=amount,
        payment=known.id,
        asked=asked,
        free=known.open - asked,
    )


def refund_given(
    connection: Connection,
    payment_id: int,
    amount: Money,
    method: Method,
    why: Happening,
    *,
    today: date,
    actor: str,
    contest: Callable[[], object] | None = None,
) -> int | NotDone:
    """Book what of a payment went back already, told by who sent it back; the refund's number. What it had settled is open again
    as far as it is not there any more, the newest first. `contest` writes what is in dispute by it, before dunning looks.
    """
    known = hold_payment(connection, payment_id)
    if isinstance(known, NotDone):
        return known
    with connection.transaction() as whole:
        acting(connection, actor)
        withdraw_all(connection, payment_id)
        done = _of_payment(connection, payment_id, amount, method, why, when=When(why.dated, today, actor, why.reason))
        if isinstance(done, NotDone):
            raise psycopg.Rollback(whole)
        if known.customer_id is not None:
            allocation_store.apply_credit(connection, [known.customer_id])
    if contest is not None and not isinstance(done, NotDone):
        contest()
    # Only now: in between all that the payment had settled was open, and a plan that it kept would have ended for good.
    return done if isinstance(done, NotDone) else _looked_again(connection, done, actor)


def refund_credit_note(
    connection: Connection, note_id: int, amount: Money, method: Method, why: Happening, *, today: date, actor: str
) -> int | NotDone:
    """Give back what of a credit note settles nothing; the refund's number."""
    row = connection.execute(
        "SELECT d.customer_id, d.issuer_id, d.document_date FROM document AS d WHERE d.id = %s AND d.kind = 'credit_note' AND d.state = 'issued'",
        (note_id,),
    ).fetchone()
    if row is None:
        return NotDone("document %(note_id)s is no issued credit note", note_id=note_id)
    customer_id, issuer_id, since = row
    if refused := refuse_day(Sentence("a refund"), why.dated, since=since, today=today):
        return refused
    store.hold_customers(connection, [customer_id])
    sources = allocation_store.load_sources(connection, [customer_id]).get(
        (customer_id, issuer_id, amount.currency), ()
    )
    left = next((one.left for one in sources if (one.kind, one.id) == (SourceKind.CREDIT_NOTE, note_id)), None)
    if left is None or amount.minor <= 0 or left < amount:
        return NotDone(
            "%(amount)s of credit note %(note_id)s: %(left)s of it can be given back",
            amount=amount,
            note_id=note_id,
            left=Sentence("nothing") if left is None else left,
        )
    wanted = _Refund(("credit_note_id", note_id), issuer_id, customer_id, amount, method)
    done = _refund(connection, wanted, why, When(why.dated, today, actor, why.reason))
    return done if isinstance(done, NotDone) else _looked_again(connection, done, actor)


def write_off(
    connection: Connection,
    invoice_id: int,
    *,
    reason: str,
    dated: date,
    today: date,
    actor: str,
    now: datetime | None = None,
) -> int | NotDone:
    """Let go what an invoice has open; the write-off's number."""
    row = connection.execute(
        "SELECT customer_id, issuer_id, currency, document_date FROM document WHERE id = %s", (invoice_id,)
    ).fetchone()
    if row is None:
        return NotDone("there is no invoice %(invoice_id)s", invoice_id=invoice_id)
    customer_id, issuer_id, currency, since = row
    if refused := refuse_day(Sentence("a write-off"), dated, since=since, today=today):
        return refused
    store.hold_customers(connection, [customer_id])
    mine = allocation_store.load_open_invoices(connection, [customer_id]).get((customer_id, issuer_id, currency), [])
    open_ = next((one.open for one in mine if one.id == invoice_id), None)
    if open_ is None:
        return NotDone("document %(document_id)s is no invoice that has something open", document_id=invoice_id)
    acting(connection, actor)
    (number,) = take_ids(connection, "write_off_id_seq", 1)
    legs = write_off_legs(open_, customer_id=customer_id, accounts=load_accounts(connection, issuer_id))
    book_event(connection, issuer_id, ("write_off", number), legs, When(dated, today, actor, reason))
    row_ = (("id", number), ("invoice_id", invoice_id), ("amount", open_.amount), ("dated", dated), ("reason", reason))
    store.write_row(connection, "write_off", (*row_, ("made_by", actor)))
    look_again(connection, [customer_id], now, by=f"write-off {number}")
    return number


def undo_write_off(
    connection: Connection,
    number: int,
    *,
    reason: str,
    dated: date,
    today: date,
    actor: str,
    now: datetime | None = None,
) -> NotDone | None:
    """Ask for an invoice again after all."""
    found = _written_off(connection, number)
    if found is not None:
        # Again once it is held: somebody else may have taken it back while it was waited for.
        store.hold_customers(connection, [found[0]])
        found = _written_off(connection, number)
    if found is None:
        return NotDone("write-off %(number)s: there is none", number=number)
    customer_id, issuer_id, currency, amount, since, undone = found
    if undone is not None:
        return NotDone("write-off %(number)s: it was taken back on %(undone)s", number=number, undone=undone)
    if refused := refuse_day(Sentence("taking back a write-off"), dated, since=since, today=today):
        return refused
    acting(connection, actor)
    legs = write_off_legs(
        -read_money(amount, currency), customer_id=customer_id, accounts=load_accounts(connection, issuer_id)
    )
    book_event(connection, issuer_id, ("write_off_undo", number), legs, When(dated, today, actor, reason))
    row_ = (("write_off_id", number), ("dated", dated), ("reason", reason), ("made_by", actor))
    store.write_row(connection, "write_off_undo", row_)
    allocation_store.apply_credit(connection, [customer_id])
    look_again(connection, [customer_id], now, by=actor)
    return None


def _written_off(connection: Connection, number: int) -> tuple[int, int, str, Decimal, date, date | None] | None:
    """Whose, whose books, currency, amount and day of a write-off; the day on which it was taken back."""
    return connection.execute(
        "SELECT d.customer_id, d.issuer_id, d.currency, w.amount, w.dated, u.dated FROM write_off AS w JOIN document AS d ON d.id = w.invoice_id"
        " LEFT JOIN write_off_undo AS u ON u.write_off_id = w.id WHERE w.id = %s",
        (number,),
    ).fetchone()


@dataclass(frozen=True, slots=True)
class _Refund:
    """Of which payment or credit note (column and id), whose, how much, by which method."""

    what: tuple[str, int]
    issuer_id: int
    customer_id: int | None
    amount: Money
    method: Method


@dataclass(frozen=True, slots=True)
class _Refunded:
    """A refund that is written, and who may owe more by it."""

    number: int
    customer_id: int | None


def _of_payment(
    connection: Connection, payment_id: int, amount: Money, method: Method, why: Happening, *, when: When
) -> _Refunded | NotDone:
    known = hold_payment(connection, payment_id)
    if isinstance(known, NotDone):
        return known
    if amount.currency != known.money.currency or amount.minor <= 0 or known.open < amount:
        return NotDone(
            "%(amount)s of payment %(payment_id)s: %(open)s of it settle nothing and can be given back; give a credit note first for more",
            amount=amount,
            payment_id=payment_id,
            open=known.open,
        )
    # Who sent it back says when; a provider's clock may be a day behind the value date.
    if why.source is PaymentSource.MANUAL:
        refused = refuse_day(Sentence("a refund"), why.dated, since=known.value_on, today=when.today)
        if refused is not None:
            return refused
    return _refund(
        connection,
        _Refund(("payment_id", payment_id), known.issuer_id, known.customer_id, amount, method),
        why,
        when,
    )


def _looked_again(connection: Connection, done: _Refunded, actor: str) -> int:
    """With less credit more may be owed."""
    look_again(connection, [] if done.customer_id is None else [done.customer_id], by=actor)
    return done.number


def _refund(connection: Connection, wanted: _Refund, why: Happening, when: When) -> _Refunded | NotDone:
    acting(connection, when.actor)
    (number,) = take_ids(connection, "refund_id_seq", 1)
    accounts = load_accounts(connection, wanted.issuer_id)
    money_account = account_of_money(wanted.method, why.source, accounts)
    legs = payment_legs(-wanted.amount, money_account=money_account, customer_id=wanted.customer_id, accounts=accounts)
    row = (
        ("id", number),
        wanted.what,
        ("method_id", wanted.method.id),
        ("amount", wanted.amount.amount),
        ("dated", why.dated),
        ("source", why.source),
        ("reference", why.reference or f"refund {number}"),
        ("reason", why.reason),
        ("made_by", when.actor),
    )
    try:
        with connection.transaction():
            book_event(connection, wanted.issuer_id, ("refund", number), legs, when)
            store.write_row(connection, "refund", row)
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "refund_once":
            raise
        return NotDone(
            "%(source)s reference %(reference)s is a refund already: give this one a reference of its own",
            source=why.source,
            reference=why.reference,
        )
    return _Refunded(number, wanted.customer_id)

"""Recording money: payments that come in, whose they turn out to be, what they settle, that they came back.

Each is one transaction of the caller's with its entry, what it settles and what others are told. The customer's account is held
first, so whatever else happens to it happens before or after, and any order ends at the same balance (I16). The same event told
again by its source is found and changes nothing (I17). What the customer owes no more is not limited any more when that
transaction ends (I19).

Units: days of the issuer's zone; `today` is passed in, and `now`, without which it is the time of the database.
Source: billing model sections 12 and 13; invariants I15 to I18.

Next: billing/operations/giving_back.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import psycopg

from billing.allocation import Allocation, Choice, RefusedChoice, Source, SourceKind, allocate, withdraw
from billing.money import Money
from billing.operations.payment_messages import tell_receipt, tell_return
from billing.operations.restoring import look_again
from billing.payments import (
    Happening,
    Method,
    NewPayment,
    NotDone,
    PaymentSource,
    account_of_money,
    match_legs,
    payment_legs,
    refuse_day,
    refuse_payment,
)
from billing.sentence import Sentence
from billing.store import allocations as allocation_store
from billing.store import outbox
from billing.store import payments as store
from billing.store.acting import acting
from billing.store.bookings import When, book_event
from billing.store.documents import take_ids
from billing.store.fees import charge_fee, hold_charged, load_return_fee
from billing.store.ledger import load_accounts
from billing.store.outbox import Event
from billing.store.payments import KnownPayment

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A payment as it stands now. `again`: it had been recorded before, and nothing was written; `fee` is what is charged for its return."""

    payment: KnownPayment
    allocated: tuple[Allocation, ...] = ()
    again: bool = False
    fee: Money | None = None


def record_payment(
    connection: Connection, payment: NewPayment, *, today: date, actor: str, now: datetime | None = None
) -> Recorded | NotDone:
    """Record a payment and lay it on what its customer has open: what was chosen first, then what fell due first."""
    refused = refuse_payment(payment, today=today)
    if refused is not None:
        return refused
    if payment.customer_id is not None and not store.hold_customers(connection, [payment.customer_id]):
        return NotDone("there is no customer %(customer_id)s", customer_id=payment.customer_id)
    known = store.find_payment(connection, payment.source, payment.reference) if payment.reference else None
    if known is not None:
        return _same(connection, known, payment)
    (payment_id,) = take_ids(connection, "payment_id_seq", 1)
    payment = payment if payment.reference else replace(payment, reference=f"payment {payment_id}")
    allocated = _plan(connection, payment_id, payment.customer_id, payment)
    if isinstance(allocated, NotDone):
        return allocated
    acting(connection, actor)
    accounts = load_accounts(connection, payment.method.issuer_id)
    money_account = account_of_money(payment.method, payment.source, accounts)
    legs = payment_legs(payment.amount, money_account=money_account, customer_id=payment.customer_id, accounts=accounts)
    try:
        with connection.transaction():
            when = When(payment.value_on, today, actor, f"{payment.method.name}, {payment.reference}")
            book_event(connection, payment.method.issuer_id, ("payment", payment_id), legs, when)
            store.write_payment(connection, payment_id, payment, made_by=actor)
    except psycopg.errors.UniqueViolation:
        # Sentence twice at the same moment, of nobody or of two customers: the first one stands.
        known = store.find_payment(connection, payment.source, payment.reference)
        if known is None:
            raise
        return _same(connection, known, payment)
    allocation_store.write_allocations(connection, allocated)
    _restore(connection, [payment.customer_id], payment_id, now)
    recorded = _reload(connection, payment_id)
    _tell(connection, "payment.recorded", recorded, allocated)
    tell_receipt(connection, recorded, allocated, made_by=actor, now=now)
    return Recorded(recorded, allocated)


def match_payment(
    connection: Connection,
    payment_id: int,
    customer_id: int | None,
    *,
    reason: str,
    today: date,
    actor: str,
    now: datetime | None = None,
) -> Recorded | NotDone:
    """Say whose a payment is, also where it was said wrong; without a customer it goes back to those that nobody knows.

    What it had settled is withdrawn, and it settles what its new owner has open. What was given back while it was nobody's went to
    whoever sent it, and the rest is matched.
    """
    known = hold_payment(connection, payment_id, also=customer_id)
    if isinstance(known, NotDone):
        return known
    if known.customer_id == customer_id:
        return Recorded(known, again=True)
    left = known.money - known.refunded
    if known.reversed_on is not None or not left or store.is_given_to_customer(connection, payment_id):
        return NotDone(
            "payment %(payment_id)s came back or was given back: whose it was stays as it is", payment_id=payment_id
        )
    acting(connection, actor)
    withdraw_all(connection, payment_id)
    (match_id,) = take_ids(connection, "payment_match_id_seq", 1)
    accounts = load_accounts(connection, known.issuer_id)
    legs = match_legs(left, was=known.customer_id, becomes=customer_id, accounts=accounts)
    book_event(connection, known.issuer_id, ("payment_match", match_id), legs, When(today, today, actor, reason))
    row = (("id", match_id), ("payment_id", payment_id), ("customer_id", customer_id), ("reason", reason))
    store.write_row(connection, "payment_match", (*row, ("made_by", actor)))
    owners = [one for one in (known.customer_id, customer_id) if one is not None]
    allocated = tuple(allocation_store.apply_credit(connection, owners))
    _restore(connection, owners, payment_id, now)
    matched = _reload(connection, payment_id)
    _tell(connection, "payment.matched", matched, allocated)
    mine = [one for one in allocated if one.source == (SourceKind.PAYMENT, payment_id)]
    tell_receipt(connection, matched, mine, made_by=actor, now=now)
    return Recorded(matched, allocated)


def reverse_payment(
    connection: Connection,
    payment_id: int,
    why: Happening,
    *,
    code: str | None = None,
    with_fee: bool = False,
    today: date,
    actor: str,
    now: datetime | None = None,
    contest: Callable[[], object] | None = None,
) -> Recorded | NotDone:
    """Take back a payment that came back; what it had settled is open again with its own due days.

    `with_fee`: the customer's next invoice bears what the method charges for it. `contest` writes what is in dispute by it, before
    dunning looks: a plan of instalments that it broke would have ended for good.
    """
    if with_fee:
        _hold_charged(connection, payment_id)
    known = hold_payment(connection, payment_id)
    if isinstance(known, NotDone):
        return known
    if known.reversed_on is not None:
        return Recorded(known, again=True)
    refused = _refuse_return(known, why, today)
    if refused is not None:
        return refused
    acting(connection, actor)
    when = When(why.dated, today, actor, why.reason)
    try:
        with connection.transaction():
            fee = _write_reversal(connection, known, why, when, code=code, with_fee=with_fee)
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "payment_reversal_once":
            raise
        return _told_of_another(why)
    # Other credit of the customer may pay what is open again.
    owners = [known.customer_id] if known.customer_id is not None else []
    allocated = tuple(allocation_store.apply_credit(connection, owners))
    if contest is not None:
        contest()
    _restore(connection, owners, payment_id, now)
    gone = _reload(connection, payment_id)
    _tell(connection, "payment.reversed", gone, allocated)
    tell_return(connection, gone, why, fee=fee, by=actor)
    return Recorded(gone, allocated, fee=fee)


def _refuse_return(known: KnownPayment, why: Happening, today: date) -> NotDone | None:
    if why.source is PaymentSource.MANUAL:
        return refuse_day(
            Sentence("taking back payment %(payment)s", payment=known.id), why.dated, since=known.value_on, today=today
        )
    if why.dated < known.value_on:
        return NotDone(
            "payment %(payment)s is of %(value_on)s: it can't have come back on %(dated)s",
            payment=known.id,
            value_on=known.value_on,
            dated=why.dated,
        )
    return None


def _write_reversal(
    connection: Connection, known: KnownPayment, why: Happening, when: When, *, code: str | None, with_fee: bool
) -> Money | None:
    """Returns what is charged for it."""
    fee, fee_item = _return_fee(connection, known, when.today) if with_fee else (None, None)
    withdraw_all(connection, known.id)
    accounts = load_accounts(connection, known.issuer_id)
    money_account = account_of_money(_method(connection, known), known.source, accounts)
    legs = payment_legs(-known.money, money_account=money_account, customer_id=known.customer_id, accounts=accounts)
    book_event(connection, known.issuer_id, ("payment_reversal", known.id), legs, when)
    row = (("payment_id", known.id), ("dated", why.dated), ("reason_code", code), ("reason", why.reason))
    told = (("source", why.source), ("reference", why.reference or f"payment {known.id}"), ("made_by", when.actor))
    store.write_row(connection, "payment_reversal", (*row, *told, ("fee_item_id", fee_item)))
    return fee


def choose(
    connection: Connection, payment_id: int, choices: Sequence[Choice], *, actor: str, now: datetime | None = None
) -> Recorded | NotDone:
    """Lay a payment on the invoices that its customer names, in the place of what it had settled."""
    known = hold_payment(connection, payment_id)
    if isinstance(known, NotDone):
        return known
    if known.customer_id is None or known.reversed_on is not None:
        if known.customer_id is None:
            return NotDone("payment %(payment_id)s is nobody's yet: match it first", payment_id=payment_id)
        return NotDone(
            "payment %(payment_id)s came back on %(reversed_on)s", payment_id=payment_id, reversed_on=known.reversed_on
        )
    acting(connection, actor)
    with connection.transaction() as whole:
        withdraw_all(connection, payment_id)
        left = _reload(connection, payment_id).open
        source = Source(SourceKind.PAYMENT, payment_id, known.value_on, left)
        planned = _allocation_of(connection, known.customer_id, known.issuer_id, source, choices)
        if isinstance(planned, NotDone):
            raise psycopg.Rollback(whole)
        allocation_store.write_allocations(connection, planned)
    if isinstance(planned, NotDone):
        return planned
    _restore(connection, [known.customer_id], payment_id, now)
    return Recorded(_reload(connection, payment_id), planned)


def apply_credit_left(connection: Connection, *, actor: str) -> int:
    """Lay credit on invoices wherever a customer has both, as writers at the same moment may leave it; how many rows."""
    ids = allocation_store.load_customers_with_both(connection)
    if not ids:
        return 0
    acting(connection, actor)
    store.hold_customers(connection, ids)
    laid = len(allocation_store.apply_credit(connection, ids))
    look_again(connection, ids, by=actor)
    return laid


def _plan(
    connection: Connection, payment_id: int, customer_id: int | None, payment: NewPayment
) -> tuple[Allocation, ...] | NotDone:
    if customer_id is None:
        return ()
    source = Source(SourceKind.PAYMENT, payment_id, payment.value_on, payment.amount)
    return _allocation_of(connection, customer_id, payment.method.issuer_id, source, payment.choices)


def _allocation_of(
    connection: Connection, customer_id: int, issuer_id: int, source: Source, choices: Sequence[Choice]
) -> tuple[Allocation, ...] | NotDone:
    invoices = allocation_store.load_open_invoices(connection, [customer_id])
    mine = invoices.get((customer_id, issuer_id, source.left.currency), [])
    found = allocate(source, mine, choices)
    return NotDone.of(found.why) if isinstance(found, RefusedChoice) else found


def _return_fee(connection: Connection, known: KnownPayment, today: date) -> tuple[Money | None, int | None]:
    """Charge what the method charges for a payment that came back; how much, and the item of it: none where nothing or nobody is charged."""
    fee = load_return_fee(connection, known.method_id)
    if fee is None or known.customer_id is None:
        return None, None
    amount, product_id = fee
    item = charge_fee(
        connection,
        amount,
        product_id,
        customer_id=known.customer_id,
        issuer_id=known.issuer_id,
        on=today,
        invoices=_settled(connection, known.id),
    )
    return (None, None) if item is None else (amount, item)


def _hold_charged(connection: Connection, payment_id: int) -> None:
    """The contract that a fee will be charged to, before its customer."""
    known = store.load_payment(connection, payment_id)
    fee = None if known is None or known.customer_id is None else load_return_fee(connection, known.method_id)
    if known is None or known.customer_id is None or fee is None:
        return
    invoices = _settled(connection, payment_id)
    hold_charged(
        connection, fee[0].currency, customer_id=known.customer_id, issuer_id=known.issuer_id, invoices=invoices
    )


def _settled(connection: Connection, payment_id: int) -> list[int]:
    rows = allocation_store.load_allocations_of_payment(connection, payment_id)
    return sorted({one.invoice_id for one in rows})


def _restore(connection: Connection, owners: Iterable[int | None], payment_id: int, now: datetime | None) -> None:
    """Dunning looks at them again: what they owe no more is not limited any more."""
    look_again(connection, [one for one in owners if one is not None], now, by=f"payment {payment_id}")


def withdraw_all(connection: Connection, payment_id: int) -> None:
    """Take back what a payment settles, as what happens to it next asks for."""
    rows = allocation_store.load_allocations_of_payment(connection, payment_id)
    allocation_store.write_allocations(connection, withdraw(rows, (SourceKind.PAYMENT, payment_id)))


def hold_payment(connection: Connection, payment_id: int, *, also: int | None = None) -> KnownPayment | NotDone:
    """The payment, with the accounts of its owner and of another customer held; as it stands once they are.

    What is nobody's has no account that would be held: it is held itself.
    """
    known = store.load_payment(connection, payment_id)
    if known is None:
        return NotDone("there is no payment %(payment_id)s", payment_id=payment_id)
    wanted = {one for one in (known.customer_id, also) if one is not None}
    if len(store.hold_customers(connection, wanted)) < len(wanted):
        return NotDone("there is no customer %(customer_id)s", customer_id=also)
    if known.customer_id is None:
        store.hold_row(connection, payment_id)
    held = _reload(connection, payment_id)
    if held.customer_id != known.customer_id:
        return NotDone(
            "payment %(payment_id)s has just been matched by somebody else: look again", payment_id=payment_id
        )
    return held


def _told_of_another(why: Happening) -> NotDone:
    return NotDone(
        "%(source)s reference %(reference)s says already that another payment came back: give this one a reference of its own",
        source=why.source,
        reference=why.reference,
    )


def _reload(connection: Connection, payment_id: int) -> KnownPayment:
    known = store.load_payment(connection, payment_id)
    assert known is not None, f"payment {payment_id} is there"
    return known


def _method(connection: Connection, known: KnownPayment) -> Method:
    return next(one for one in store.load_methods(connection, known.issuer_id) if one.id == known.method_id)


def _same(connection: Connection, known: KnownPayment, told: NewPayment) -> Recorded | NotDone:
    """The payment that was told before; something else under its reference is refused."""
    named = Sentence(
        "%(source)s reference %(reference)s is payment %(payment)s of %(money)s by %(method)s",
        source=told.source,
        reference=told.reference,
        payment=known.id,
        money=known.money,
        method=known.method,
    )
    if known.money != told.amount or known.method_id != told.method.id:
        return NotDone(
            "%(named)s: %(amount)s by %(code)s is another one, give it a reference of its own",
            named=named,
            amount=told.amount,
            code=told.method.code,
        )
    if known.value_on != told.value_on:
        return NotDone(
            "%(named)s with value %(value_on)s: one of %(other)s is another one, give it a reference of its own",
            named=named,
            value_on=known.value_on,
            other=told.value_on,
        )
    # Whose it was said to be at first is told again by its source, also when a person found out better.
    owners = (known.customer_id, store.load_first_owner(connection, known.id))
    if told.customer_id is not None and told.customer_id not in owners and owners != (None, None):
        return NotDone(
            "%(named)s of customer %(customer_id)s: one of customer %(other)s is another one, give it a reference of its own",
            named=named,
            customer_id=known.customer_id or owners[1],
            other=told.customer_id,
        )
    return Recorded(known, again=True)


def _tell(connection: Connection, name: str, payment: KnownPayment, allocated: Iterable[Allocation]) -> None:
    rows = [{"invoice": one.invoice_id, "amount": one.amount.amount} for one in allocated]
    told = {"payment": payment.id, "customer": payment.customer_id, "currency": payment.money.currency}
    outbox.write(connection, [Event(name, {**told, "amount": payment.money.amount, "allocations": rows})])

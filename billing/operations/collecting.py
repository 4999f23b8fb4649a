"""A collector takes a payment: recorded, receipted and in the collector's hands in one transaction.

A phone with a bad network sends the same tap twice: the key that it gave the payment says that it is one (I17). What else a payment
does, such as lifting what it owed for, `record_payment` does in the same transaction.

Customers are held before sessions, sessions before series of numbers, so that collectors, the office and runs wait for each other and never both.

Units: days of the issuer's zone; `today` is passed in.
Source: billing model sections 12 and 16; invariants I17 and I30.

Next: billing/operations/handing_over.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from billing.allocation import Allocation, Choice
from billing.cash import refuse_more_cash
from billing.collectors import Collector, reference_of, refuse_collecting
from billing.money import Money, zero
from billing.operations.receiving import record_payment
from billing.payments import Method, MethodKind, NewPayment, NotDone, PaymentSource
from billing.store import cash as store
from billing.store.acting import acting
from billing.store.cash import Receipt
from billing.store.collectors import load_collector, load_series, may_collect
from billing.store.payments import KnownPayment, find_payment, hold_customers, load_payment

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Taking:
    """A payment as a collector takes it. `key` is the phone's own name for it: the same again is the same payment."""

    collector_id: int
    customer_id: int
    amount: Money
    method: Method
    key: str
    value_on: date
    choices: tuple[Choice, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A payment that was taken, with its receipt. `again`: it had been before, and nothing was written."""

    payment: KnownPayment
    receipt: Receipt
    allocated: tuple[Allocation, ...] = ()
    again: bool = False


def take_payment(connection: Connection, taking: Taking, *, today: date, actor: str) -> Taken | NotDone:
    """Record what a collector took and give it a number; it counts at once."""
    collector = load_collector(connection, taking.collector_id)
    if collector is None:
        return NotDone("there is no collector %(collector_id)s", collector_id=taking.collector_id)
    if not hold_customers(connection, [taking.customer_id]):
        return NotDone("there is no customer %(customer_id)s", customer_id=taking.customer_id)
    known = find_payment(connection, PaymentSource.COLLECTOR, reference_of(collector.id, taking.key))
    if known is not None:
        return _again(connection, known, taking)
    if refused := refuse_collecting(collector, taking.method, taking.key):
        return refused
    if taking.value_on > today:
        return NotDone(
            "taken on %(value_on)s, and today is %(today)s: nobody has money in hand of a day to come",
            value_on=taking.value_on,
            today=today,
        )
    if not may_collect(connection, collector.id, taking.customer_id):
        return NotDone(
            "customer %(customer_id)s is none of %(collector)s's: `corrente collector assign` gives one",
            customer_id=taking.customer_id,
            collector=collector.name,
        )
    acting(connection, actor)
    with connection.transaction() as whole:
        taken = _take(connection, collector, taking, today=today, actor=actor)
        if isinstance(taken, NotDone):
            # Nor the session that was opened for it.
            raise psycopg.Rollback(whole)
    return taken


def give_receipt(connection: Connection, payment_id: int, *, today: date, actor: str) -> Receipt | NotDone:
    """The receipt of a payment, numbered now where it has none: of what was paid over the counter or came otherwise."""
    known = load_payment(connection, payment_id)
    if known is None:
        return NotDone("there is no payment %(payment_id)s", payment_id=payment_id)
    if known.customer_id is not None:
        hold_customers(connection, [known.customer_id])
    if (there := store.load_receipt(connection, payment_id)) is not None:
        return there
    if known.customer_id is None:
        # The paper says from whom the money is.
        return NotDone(
            "nobody knows yet whose payment %(payment_id)s is: `corrente payment match %(payment_id)s CUSTOMER`",
            payment_id=payment_id,
        )
    if known.reversed_on is not None:
        return NotDone(
            "payment %(payment_id)s came back on %(reversed_on)s: there is nothing to give a receipt for",
            payment_id=payment_id,
            reversed_on=known.reversed_on,
        )
    series = load_series(connection, known.issuer_id, "receipt")
    if not series:
        return NotDone("the issuer has no series of numbers for receipts: `corrente collector series` adds one")
    acting(connection, actor)
    store.write_receipt(
        connection,
        payment_id,
        issuer_id=known.issuer_id,
        series_id=series[0][0],
        issued_on=today,
        session_id=None,
        actor=actor,
    )
    return _receipt(connection, payment_id)


def _take(connection: Connection, collector: Collector, taking: Taking, *, today: date, actor: str) -> Taken | NotDone:
    session_id = _session(connection, collector.id, taking.amount.currency, actor)
    session = store.load_session(connection, session_id)
    assert session is not None, "it is held"
    most = collector.most_cash
    limited = taking.method.kind is MethodKind.CASH and most is not None and most.currency == taking.amount.currency
    if limited and (refused := refuse_more_cash(taking.amount, session.takings, most)):
        return refused
    payment = NewPayment(
        method=taking.method,
        amount=taking.amount,
        value_on=taking.value_on,
        source=PaymentSource.COLLECTOR,
        reference=reference_of(collector.id, taking.key),
        customer_id=taking.customer_id,
        note=taking.note,
        choices=taking.choices,
    )
    recorded = record_payment(connection, payment, today=today, actor=actor)
    if isinstance(recorded, NotDone):
        return recorded
    if recorded.again:
        # The same key at the same moment for another customer: that one stands.
        return _again(connection, recorded.payment, taking)
    store.write_receipt(
        connection,
        recorded.payment.id,
        issuer_id=collector.issuer_id,
        series_id=collector.series_id,
        issued_on=today,
        session_id=session_id,
        actor=actor,
    )
    return Taken(recorded.payment, _receipt(connection, recorded.payment.id), recorded.allocated)


def _session(connection: Connection, collector_id: int, currency: str, actor: str) -> int:
    """The collector's open session, held; opened with nothing where there is none, since nobody is sent away for that."""
    while True:
        held = store.hold_open_session(connection, collector_id, currency)
        if held is not None:
            return held
        # Somebody else may open it in this moment, or hand it over: then the next look finds out.
        store.open_session(connection, collector_id, zero(currency), actor=actor)


def _again(connection: Connection, known: KnownPayment, taking: Taking) -> Taken | NotDone:
    receipt = _receipt(connection, known.id)
    if (known.money, known.method_id, receipt.customer_id) != (taking.amount, taking.method.id, taking.customer_id):
        return NotDone(
            "key '%(key)s' is receipt %(receipt)s of %(money)s from customer %(customer_id)s by %(method)s: %(amount)s from customer %(other)s by %(other_method)s is another payment, give it a key of its own",
            key=taking.key,
            receipt=receipt.label,
            money=known.money,
            customer_id=receipt.customer_id,
            method=known.method,
            amount=taking.amount,
            other=taking.customer_id,
            other_method=taking.method.code,
        )
    return Taken(known, receipt, again=True)


def _receipt(connection: Connection, payment_id: int) -> Receipt:
    receipt = store.load_receipt(connection, payment_id)
    assert receipt is not None, f"payment {payment_id} has its receipt"
    return receipt

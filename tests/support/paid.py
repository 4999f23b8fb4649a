"""Payments of the ISP with books, as tests tell them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any, Final

import psycopg

from billing.money import read_money
from billing.operations.receiving import Recorded, record_payment
from billing.payments import NewPayment, NotDone, PaymentSource
from billing.store.payments import load_methods

_NUMBERS: Final = count(1)


def told(
    connection: psycopg.Connection[Any], issuer_id: int, amount: str, customer_id: int | None, **given: Any
) -> NewPayment:
    """A payment by bank transfer of 10 March 2026, under a reference of its own."""
    methods = {one.code: one for one in load_methods(connection, issuer_id)}
    asked = {
        "value_on": date(2026, 3, 10),
        "source": PaymentSource.MANUAL,
        "reference": f"test {next(_NUMBERS)}",
        **given,
    }
    method = methods[asked.pop("method", "transfer")]
    return NewPayment(
        method, read_money(Decimal(amount), asked.pop("currency", "EUR")), customer_id=customer_id, **asked
    )


def pay(
    connection: psycopg.Connection[Any], issuer_id: int, amount: str, customer_id: int | None, **given: Any
) -> Recorded:
    """Record it on its day; it must be taken."""
    payment = told(connection, issuer_id, amount, customer_id, **given)
    recorded = record_payment(connection, payment, today=payment.value_on, actor="maria")
    assert not isinstance(recorded, NotDone), recorded
    return recorded

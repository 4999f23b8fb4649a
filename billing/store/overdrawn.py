"""Payments that came back whole after a part of them was given back: that part is owed on no document, from the day they came back.

It stands beside invoices and credit in what is open and in the ages of debts. Dunning leaves it alone: a notice lists documents.

Next: billing/operations/giving_back.py
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.money import Money, read_money

Connection = psycopg.Connection[Any]

# Refunds are few of all payments, and whose a payment is takes a look each: asked only of those that both came back and were given back.
_ROWS: Final = """
SELECT payment_id, customer_id, issuer_id, currency, dated, reference, owed FROM (
    SELECT p.id AS payment_id, owner_of_payment(p.id) AS customer_id, p.issuer_id, p.currency, r.dated, p.reference, f.owed
    FROM (SELECT payment_id, sum(amount) AS owed FROM refund WHERE payment_id IS NOT NULL {refunds} GROUP BY payment_id) AS f
        JOIN payment_reversal AS r ON r.payment_id = f.payment_id JOIN payment AS p ON p.id = f.payment_id
    OFFSET 0) AS own
WHERE customer_id IS NOT NULL
"""
OVERDRAWN: Final = _ROWS.format(refunds="")
# From the customer's own payments: it is asked while the customer is held.
_MINE: Final = "AND payment_id IN (SELECT id FROM payment WHERE customer_id = %(customer)s UNION ALL SELECT payment_id FROM payment_match WHERE customer_id = %(customer)s)"
OF_CUSTOMER: Final = f"""
SELECT coalesce(sum(owed), 0) FROM ({_ROWS.format(refunds=_MINE)}) AS o WHERE customer_id = %(customer)s AND issuer_id = %(issuer)s AND currency = %(currency)s
"""  # noqa: S608 - our own text


def load_overdrawn(connection: Connection, customer_id: int, issuer_id: int, currency: str) -> Money:
    """What a customer owes an issuer so."""
    asked = {"customer": customer_id, "issuer": issuer_id, "currency": currency}
    row = connection.execute(OF_CUSTOMER, asked).fetchone()
    return read_money(Decimal(0) if row is None else row[0], currency)

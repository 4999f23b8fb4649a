"""What lines of banks are held against: open invoices, names, accounts that paid before; payments that a return may have taken back.

Next: billing/operations/bank_import.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final

import psycopg

from billing.banking.bank_line import BankLine
from billing.banking.matching import Known, OpenDocument
from billing.banking.returns import PaymentTold, amount_returned
from billing.money import Money, read_money

Connection = psycopg.Connection[Any]

_OPEN: Final = """
SELECT o.document_id, d.label, o.customer_id, o.open, o.currency, o.due_on FROM open_document AS o JOIN document AS d ON d.id = o.document_id
WHERE o.open > 0 AND o.issuer_id = %(issuer)s AND (%(customer)s::bigint IS NULL OR o.customer_id = %(customer)s)
"""
_CUSTOMERS: Final = "SELECT id, name, external_reference FROM customer"
_IBANS: Final = """
SELECT l.told ->> 'party_iban', array_agg(DISTINCT owner_of_payment(l.payment_id)) FROM bank_line AS l
WHERE l.state = 'recorded' AND l.told ->> 'party_iban' <> '' AND l.told ->> 'party_iban' = ANY (%s) GROUP BY 1
"""
# What a return names: its reference, at its source or in the bank's line of it, its mandate, its account. Each is found by its index.
_NAMED: Final = """
SELECT id FROM payment WHERE %(end_to_end)s <> '' AND source = ANY (enum_range(NULL::payment_source)) AND reference = %(end_to_end)s
UNION SELECT payment_id FROM bank_line WHERE state = 'recorded' AND told ->> 'end_to_end' <> '' AND told ->> 'end_to_end' = %(end_to_end)s
UNION SELECT payment_id FROM bank_line WHERE state = 'recorded' AND told ->> 'mandate' <> '' AND told ->> 'mandate' = %(mandate)s
UNION SELECT payment_id FROM bank_line WHERE state = 'recorded' AND told ->> 'party_iban' <> '' AND told ->> 'party_iban' = %(iban)s
"""
# What else may have come back on that day: in a book of equal fees thousands have the amount, and only the newest of them are looked at.
_MAY_RETURN: Final = """
SELECT id FROM payment WHERE issuer_id = %(issuer)s AND currency = %(currency)s AND amount = %(amount)s AND value_on <= %(booked_on)s
    AND value_on >= %(booked_on)s::date - greatest(31, (SELECT max(returns_days) FROM payment_method WHERE issuer_id = %(issuer)s))
    AND (returns_until >= %(booked_on)s OR %(undone)s) ORDER BY value_on DESC, id DESC LIMIT 1000
"""
_PAYMENTS: Final = """
SELECT p.id, p.value_on, p.reference, p.payer, p.returns_until, l.told,
    ARRAY(SELECT d.label FROM allocation AS a JOIN document AS d ON d.id = a.invoice_id WHERE a.payment_id = p.id GROUP BY d.id HAVING sum(a.amount) > 0)
FROM payment AS p LEFT JOIN LATERAL (SELECT told FROM bank_line WHERE payment_id = p.id AND amount > 0 ORDER BY id LIMIT 1) AS l ON true
WHERE p.id = ANY (%(ids)s)
    AND p.issuer_id = %(issuer)s AND p.currency = %(currency)s AND p.amount = %(amount)s AND p.value_on <= %(booked_on)s AND p.value_on >= %(booked_on)s::date - 400
    AND owner_of_payment(p.id) IS NOT NULL
    AND (NOT EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) OR (%(end_to_end)s <> '' AND %(end_to_end)s IN (p.reference, l.told ->> 'end_to_end')))
"""
# Every source is named, so that the key of sources and references finds it. What came back, or is a line of a bank already, is another one.
_TOLD: Final = """
SELECT p.id, p.value_on FROM payment AS p WHERE p.source = ANY (enum_range(NULL::payment_source)) AND p.reference = %s
    AND p.issuer_id = %s AND p.currency = %s AND p.amount = %s
    AND NOT EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) AND NOT EXISTS (SELECT FROM bank_line AS l WHERE l.payment_id = p.id)
ORDER BY abs(p.value_on - %s::date), p.id LIMIT 1
"""

# Typed by a person who saw the money, and then told by the bank as well.
_BY_HAND: Final = """
SELECT p.id FROM payment AS p WHERE p.customer_id = %s AND p.source = 'manual' AND p.currency = %s AND p.amount = %s AND p.value_on BETWEEN %s::date - 5 AND %s::date + 5
    AND NOT EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) AND NOT EXISTS (SELECT FROM bank_line AS l WHERE l.payment_id = p.id) ORDER BY p.id LIMIT 1
"""
# A collection is recorded when it is asked for, and its money comes some bank days later.
_DAYS_TOLD: Final = timedelta(days=21)


def load_known(connection: Connection, issuer_id: int, lines: Collection[BankLine]) -> Known:
    """What lines of an issuer's accounts are held against, read once for all of them."""
    customers = connection.execute(_CUSTOMERS).fetchall()
    wanted = sorted({one.party_iban for one in lines if one.party_iban})
    ibans: dict[str, frozenset[int]] = defaultdict(frozenset)
    for iban, owners in connection.execute(_IBANS, (wanted,)):
        ibans[iban] = frozenset(one for one in owners if one is not None)
    return Known(
        names={customer_id: name for customer_id, name, _ in customers},
        references={customer_id: reference for customer_id, _, reference in customers if reference},
        ibans=ibans,
        documents=load_open(connection, issuer_id),
    )


def load_open(connection: Connection, issuer_id: int, customer_id: int | None = None) -> list[OpenDocument]:
    """Invoices with something open, of one customer or of all."""
    rows = connection.execute(_OPEN, {"issuer": issuer_id, "customer": customer_id})
    return [
        OpenDocument(id, label, owner, read_money(open_, currency), due_on)
        for id, label, owner, open_, currency, due_on in rows
    ]


def load_returnable(connection: Connection, issuer_id: int, line: BankLine) -> list[PaymentTold]:
    """Payments of a customer of just the amount that a line took back; one that came back already only by its own reference.

    Where the line's own reference finds one, no other is looked for than those that it names.
    """
    amount = amount_returned(line)
    asked = {
        "issuer": issuer_id,
        "currency": amount.currency,
        "amount": amount.amount,
        "booked_on": line.booked_on,
        "end_to_end": line.end_to_end,
        "mandate": line.mandate,
        "iban": line.party_iban,
        "undone": line.undone,
    }
    named = [id for (id,) in connection.execute(_NAMED, asked)]
    found = _told_of(connection, amount, {**asked, "ids": named})
    if line.end_to_end and any(line.end_to_end in (one.reference, one.end_to_end) for one in found):
        return found
    others = {id for (id,) in connection.execute(_MAY_RETURN, asked)} - set(named)
    return found + _told_of(connection, amount, {**asked, "ids": sorted(others)})


def _told_of(connection: Connection, amount: Money, asked: dict[str, Any]) -> list[PaymentTold]:
    found = []
    for id, value_on, reference, payer, returns_until, told, labels in connection.execute(_PAYMENTS, asked):
        said = told or {}
        found.append(
            PaymentTold(
                id,
                amount,
                value_on,
                reference,
                said.get("end_to_end", ""),
                said.get("mandate", ""),
                said.get("party", payer or ""),
                said.get("party_iban", ""),
                tuple(labels),
                returns_until,
            )
        )
    return found


def find_told(connection: Connection, issuer_id: int, line: BankLine) -> tuple[int, bool] | None:
    """The payment of a line's amount that another source told under its own reference, and whether it is of those days."""
    if not line.end_to_end:
        return None
    asked = (line.end_to_end, issuer_id, line.amount.currency, line.amount.amount, line.value_on)
    row = connection.execute(_TOLD, asked).fetchone()
    return None if row is None else (int(row[0]), abs(row[1] - line.value_on) <= _DAYS_TOLD)


def has_line(connection: Connection, payment_id: int) -> bool:
    """Whether a payment is a line of a bank."""
    return (
        connection.execute("SELECT FROM bank_line WHERE payment_id = %s LIMIT 1", (payment_id,)).fetchone() is not None
    )


def find_by_hand(connection: Connection, customer_id: int, line: BankLine) -> int | None:
    """A payment of that customer and amount that somebody recorded by hand in those days, and no line of a bank is."""
    asked = (customer_id, line.amount.currency, line.amount.amount, line.value_on, line.value_on)
    row = connection.execute(_BY_HAND, asked).fetchone()
    return None if row is None else int(row[0])

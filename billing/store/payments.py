"""Payments and what became of them, as they stand in the database.

Who changes a customer's account holds the customer first (`hold_customers`), so that payments, reversals, credits and dunning of one
customer happen one after the other.

Next: billing/store/allocations.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg

from billing.money import Money, read_money
from billing.payments import Method, MethodKind, NewPayment, PaymentSource

Connection = psycopg.Connection[Any]

_METHODS: Final = "SELECT id, issuer_id, code, name, kind::text, returns_days, offered, mails_receipt FROM payment_method WHERE issuer_id = %s ORDER BY code"
_PAYMENT: Final = """
SELECT p.id, p.issuer_id, p.method_id, m.code, p.currency, p.amount, p.value_on, p.source::text, p.reference, p.payer, p.note, p.returns_until, p.made_by, p.made_at,
    owner_of_payment(p.id) AS customer_id, coalesce(o.open, 0) AS open, r.dated AS reversed_on, r.reason AS reversal,
    coalesce((SELECT sum(f.amount) FROM refund AS f WHERE f.payment_id = p.id), 0) AS refunded
FROM payment AS p JOIN payment_method AS m ON m.id = p.method_id LEFT JOIN open_payment AS o ON o.payment_id = p.id LEFT JOIN payment_reversal AS r ON r.payment_id = p.id
"""
_INSERT: Final = """
INSERT INTO payment (id, issuer_id, method_id, customer_id, currency, amount, value_on, source, reference, payer, note, returns_until, made_by)
OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_LISTED: Final = """
SELECT p.id, p.value_on, owner_of_payment(p.id) AS customer_id, c.name AS customer, m.code AS method, p.currency, p.amount, coalesce(o.open, 0) AS open,
    p.source::text, p.reference, p.payer, p.made_by, r.dated AS reversed_on
FROM payment AS p JOIN payment_method AS m ON m.id = p.method_id LEFT JOIN open_payment AS o ON o.payment_id = p.id LEFT JOIN payment_reversal AS r ON r.payment_id = p.id
    LEFT JOIN customer AS c ON c.id = owner_of_payment(p.id)
WHERE (%(customer)s::bigint IS NULL OR owner_of_payment(p.id) = %(customer)s) /* whose */ AND (%(issuer)s::bigint IS NULL OR p.issuer_id = %(issuer)s)
    AND (%(since)s::date IS NULL OR p.value_on >= %(since)s) AND (%(until)s::date IS NULL OR p.value_on <= %(until)s)
    AND (NOT %(unmatched)s OR (o.payment_id IS NOT NULL AND o.customer_id IS NULL))
ORDER BY p.id DESC LIMIT %(limit)s
"""
# Whoever it is of now, it was said to be of once: those are found by their indexes, and not each payment is asked for its owner.
_SAID_TO_BE_OF: Final = "AND p.id IN (SELECT id FROM payment WHERE customer_id = %(customer)s UNION SELECT payment_id FROM payment_match WHERE customer_id = %(customer)s)"
_SETTLED: Final = """
SELECT d.label, sum(a.amount), d.currency FROM allocation AS a JOIN document AS d ON d.id = a.invoice_id WHERE a.payment_id = %s
GROUP BY d.id HAVING sum(a.amount) <> 0 ORDER BY d.id
"""
_OPEN_AGAIN: Final = """
SELECT d.label, coalesce(o.open, 0), d.currency, o.due_on FROM document AS d LEFT JOIN open_document AS o ON o.document_id = d.id
WHERE d.issuer_id = %s AND d.label = ANY (%s) AND d.kind = 'invoice' ORDER BY d.id
"""


@dataclass(frozen=True, slots=True)
class OpenAgain:
    """An invoice whose payment came back, with what it has open; `due_on` is None where other credit settles it."""

    label: str
    open: Money
    due_on: date | None


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """A payment with what became of it: whose it is now, what of it settles nothing, whether it came back."""

    id: int
    issuer_id: int
    method_id: int
    method: str
    money: Money
    value_on: date
    source: PaymentSource
    reference: str
    payer: str | None
    note: str | None
    returns_until: date | None
    made_by: str
    made_at: datetime
    customer_id: int | None
    open: Money
    refunded: Money
    reversed_on: date | None
    reversal: str | None


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment as lists show it."""

    id: int
    value_on: date
    customer_id: int | None
    customer: str | None
    method: str
    money: Money
    open: Money
    source: str
    reference: str
    payer: str | None
    made_by: str
    reversed_on: date | None


def hold_customers(connection: Connection, customer_ids: Iterable[int]) -> list[int]:
    """Hold these customers' accounts until the transaction ends; those that there are, in order."""
    rows = connection.execute(
        "SELECT id FROM customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", (sorted(set(customer_ids)),)
    )
    return [number for (number,) in rows]


def hold_free_customers(connection: Connection, customer_ids: Iterable[int]) -> list[int]:
    """Hold those of these customers whom nobody else holds, until the transaction ends; which, in order."""
    rows = connection.execute(
        "SELECT id FROM customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        (sorted(set(customer_ids)),),
    )
    return [number for (number,) in rows]


def hold_row(connection: Connection, payment_id: int) -> None:
    """Hold a payment itself until the transaction ends; behind the customers, who are held before."""
    connection.execute("SELECT FROM payment WHERE id = %s FOR NO KEY UPDATE", (payment_id,))


def load_methods(connection: Connection, issuer_id: int) -> list[Method]:
    """An issuer's ways of being paid, by code."""
    return [
        Method(id, issuer, code, name, MethodKind(kind), days, offered, mails)
        for id, issuer, code, name, kind, days, offered, mails in connection.execute(_METHODS, (issuer_id,))
    ]


def save_mails_receipt(connection: Connection, method_id: int, *, mails: bool) -> None:
    """Whether who pays by a method is sent a receipt from now on."""
    connection.execute("UPDATE payment_method SET mails_receipt = %s WHERE id = %s", (mails, method_id))


def load_payment(connection: Connection, payment_id: int) -> KnownPayment | None:
    """A payment with what became of it."""
    return _known(connection, "WHERE p.id = %s", (payment_id,))


def is_given_to_customer(connection: Connection, payment_id: int) -> bool:
    """Whether some of a payment was given back while it was known whose it is."""
    row = connection.execute(
        "SELECT FROM refund AS r JOIN entry AS e ON e.source = 'refund' AND e.source_id = r.id JOIN posting AS p ON p.entry_id = e.id"
        " WHERE r.payment_id = %s AND p.customer_id IS NOT NULL LIMIT 1",
        (payment_id,),
    ).fetchone()
    return row is not None


def load_first_owner(connection: Connection, payment_id: int) -> int | None:
    """Whose a payment was said to be when it came; None: nobody knew."""
    row = connection.execute("SELECT customer_id FROM payment WHERE id = %s", (payment_id,)).fetchone()
    return None if row is None else row[0]


def find_payment(connection: Connection, source: PaymentSource, reference: str) -> KnownPayment | None:
    """The payment that was told by that source under that reference."""
    return _known(connection, "WHERE p.source = %s AND p.reference = %s", (source, reference))


def list_statement(*, of_customer: bool) -> str:
    """The statement of `load_payments`, of one customer or of all."""
    return _LISTED.replace("/* whose */", _SAID_TO_BE_OF if of_customer else "")


def load_payments(
    connection: Connection,
    *,
    limit: int,
    customer_id: int | None = None,
    issuer_id: int | None = None,
    since: date | None = None,
    until: date | None = None,
    only_unmatched: bool = False,
) -> list[PaymentRow]:
    """The newest payments that fit."""
    asked = {
        "customer": customer_id,
        "issuer": issuer_id,
        "since": since,
        "until": until,
        "unmatched": only_unmatched,
        "limit": limit,
    }
    return [
        PaymentRow(
            *(id, value_on, customer_id, customer, method),
            read_money(amount, currency),
            read_money(open_, currency),
            *rest,
        )
        for id, value_on, customer_id, customer, method, currency, amount, open_, *rest in connection.execute(
            list_statement(of_customer=customer_id is not None), asked
        )
    ]


def find_twin(connection: Connection, payment: NewPayment) -> int | None:
    """A payment of the same customer, method, amount and value date that did not come back; its number."""
    row = connection.execute(
        "SELECT p.id FROM payment AS p WHERE p.customer_id = %s AND p.method_id = %s AND p.currency = %s AND p.amount = %s AND p.value_on = %s"
        " AND NOT EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id) ORDER BY p.id LIMIT 1",
        (
            payment.customer_id,
            payment.method.id,
            payment.amount.currency,
            payment.amount.amount,
            payment.value_on,
        ),
    ).fetchone()
    return None if row is None else int(row[0])


def load_settled(connection: Connection, payment_id: int) -> list[tuple[str, Money]]:
    """What a payment settles now: the invoices' printed numbers and how much of each."""
    rows = connection.execute(_SETTLED, (payment_id,))
    return [(label, read_money(amount, currency)) for label, amount, currency in rows]


def load_open_again(connection: Connection, settled: Sequence[tuple[str, Money]], issuer_id: int) -> list[OpenAgain]:
    """What invoices that a payment had settled have open now."""
    rows = connection.execute(_OPEN_AGAIN, (issuer_id, [label for label, _ in settled]))
    return [OpenAgain(label, read_money(open_, currency), due_on) for label, open_, currency, due_on in rows]


def load_let_go(connection: Connection, payment_id: int) -> list[int]:
    """The contracts that a payment let go: what dunning limited of its customer's was lifted with it."""
    rows = connection.execute(
        "SELECT DISTINCT n.id FROM payment AS p JOIN contract AS n ON n.customer_id = p.customer_id"
        " JOIN restriction AS r ON r.contract_id = n.id WHERE p.id = %s AND r.lifted_by = 'payment ' || p.id ORDER BY n.id",
        (payment_id,),
    )
    return [row[0] for row in rows]


def load_write_off_issuer(connection: Connection, number: int) -> int | None:
    """Whose books a write-off is in; None when there is none of that number."""
    row = connection.execute(
        "SELECT d.issuer_id FROM write_off AS w JOIN document AS d ON d.id = w.invoice_id WHERE w.id = %s", (number,)
    ).fetchone()
    return None if row is None else int(row[0])


def write_payment(connection: Connection, payment_id: int, payment: NewPayment, *, made_by: str) -> None:
    """Write the row of a payment whose entry is there."""
    method = payment.method
    connection.execute(
        _INSERT,
        (
            payment_id,
            method.issuer_id,
            method.id,
            payment.customer_id,
            payment.amount.currency,
            payment.amount.amount,
            payment.value_on,
            payment.source,
            payment.reference,
            payment.payer,
            payment.note,
            payment.returns_until,
            made_by,
        ),
    )


def write_row(connection: Connection, table: str, values: Sequence[tuple[str, object]]) -> None:
    """Write one row of what became of a payment, with the id that its entry has."""
    columns = ", ".join(name for name, _ in values)
    places = ", ".join("%s" for _ in values)
    overriding = "OVERRIDING SYSTEM VALUE " if any(name == "id" for name, _ in values) else ""
    connection.execute(f"INSERT INTO {table} ({columns}) {overriding}VALUES ({places})", [value for _, value in values])


def _known(connection: Connection, where: str, asked: tuple[object, ...]) -> KnownPayment | None:
    row = connection.execute(_PAYMENT + where, asked).fetchone()
    if row is None:
        return None
    (id, issuer, method_id, method, currency, amount, value_on, source, reference, payer, note, returns, made_by, made_at, customer, open_, reversed_on, reversal, refunded) = row  # fmt: skip
    return KnownPayment(
        id=id,
        issuer_id=issuer,
        method_id=method_id,
        method=method,
        money=read_money(amount, currency),
        value_on=value_on,
        source=PaymentSource(source),
        reference=reference,
        payer=payer,
        note=note,
        returns_until=returns,
        made_by=made_by,
        made_at=made_at,
        customer_id=customer,
        open=read_money(open_, currency),
        refunded=read_money(refunded, currency),
        reversed_on=reversed_on,
        reversal=reversal,
    )

"""What settles invoices: credit notes the one that they correct, and a customer's credit what it has open.

Credit is laid on invoices whenever there is both, by who issues and by who records money; asked again it finds nothing to do, so
what two at once have left lying is found by the next.

Next: billing/allocation.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.allocation import (
    Allocation,
    AllocationRow,
    OpenInvoice,
    Source,
    SourceKind,
    Withdrawal,
    allocate_in_order,
)
from billing.documents import Due
from billing.money import read_money, zero
from billing.settlement import left_of
from billing.store.payments import hold_customers

Connection = psycopg.Connection[Any]

# One after the other, so that two credit notes of one invoice share what it has open in their order.
_SETTLE: Final = """
INSERT INTO allocation (credit_note_id, invoice_id, amount)
SELECT %(note)s, %(invoice)s, amount FROM (SELECT least(
    coalesce((SELECT -open FROM open_document WHERE document_id = %(note)s), 0),
    coalesce((SELECT open FROM open_document WHERE document_id = %(invoice)s), 0)) AS amount) AS given
WHERE amount > 0
"""
_WITH_CREDIT: Final = """
SELECT customer_id FROM open_payment WHERE customer_id = ANY(%(ids)s) UNION SELECT customer_id FROM open_document WHERE customer_id = ANY(%(ids)s) AND open < 0
"""
_ALL_WITH_BOTH: Final = """
SELECT customer_id FROM (SELECT customer_id FROM open_payment WHERE customer_id IS NOT NULL UNION SELECT customer_id FROM open_document WHERE open < 0) AS c
WHERE EXISTS (SELECT FROM open_document AS o WHERE o.customer_id = c.customer_id AND o.open > 0) ORDER BY 1
"""
_SOURCES: Final = """
SELECT 'payment', p.id, p.value_on, o.open, o.customer_id, o.issuer_id, o.currency FROM open_payment AS o JOIN payment AS p ON p.id = o.payment_id WHERE o.customer_id = ANY(%(ids)s)
UNION ALL SELECT 'credit_note', d.id, d.document_date, -o.open, o.customer_id, o.issuer_id, o.currency FROM open_document AS o JOIN document AS d ON d.id = o.document_id
WHERE o.customer_id = ANY(%(ids)s) AND o.open < 0
"""
_INVOICES: Final = """
SELECT d.id, d.year, d.number, d.label, d.payable - o.open, o.open, o.customer_id, o.issuer_id, o.currency, array_agg(u.due_on ORDER BY u.due_on, u.number), array_agg(u.amount ORDER BY u.due_on, u.number)
FROM open_document AS o JOIN document AS d ON d.id = o.document_id JOIN document_due AS u ON u.document_id = d.id
WHERE o.customer_id = ANY(%(ids)s) AND o.open > 0 GROUP BY d.id, o.document_id
"""
_OF_PAYMENT: Final = (
    "SELECT id, invoice_id, amount, withdraws_id, (SELECT currency FROM document WHERE id = invoice_id)"
    " FROM allocation WHERE payment_id = %s ORDER BY id"
)
_COLUMN: Final = {
    SourceKind.PAYMENT: "payment_id",
    SourceKind.CREDIT_NOTE: "credit_note_id",
    SourceKind.WRITE_OFF: "write_off_id",
}

# Of one customer, issuer and currency.
Account = tuple[int, int, str]


def settle_credit_notes(connection: Connection, corrections: Sequence[tuple[int, int]]) -> None:
    """Each credit note settles the invoice that it corrects, up to what that has open: (credit note, invoice)."""
    if not corrections:
        return
    # Locked by a statement of its own: the next ones see what others settled before.
    connection.execute(
        "SELECT FROM document WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
        (sorted({invoice for _, invoice in corrections}),),
    )
    for note, invoice in corrections:
        connection.execute(_SETTLE, {"note": note, "invoice": invoice})


def hold_creditors(connection: Connection, customer_ids: Iterable[int], *, becoming: Iterable[int] = ()) -> list[int]:
    """Of these customers those who have credit, and all who are given some, held until the transaction ends.

    Those without cost one look at an index. Before anything else of theirs is locked, so that who records a payment and who issues wait for each other and never both.
    """
    asked = {"ids": sorted(set(customer_ids))}
    ids = {*becoming, *(number for (number,) in connection.execute(_WITH_CREDIT, asked))}
    return hold_customers(connection, ids) if ids else []


def apply_credit(connection: Connection, customer_ids: Sequence[int]) -> list[Allocation]:
    """Lay what these customers, who are held, have to their credit on what they have open; what was allocated."""
    if not customer_ids:
        return []
    sources = load_sources(connection, customer_ids)
    invoices = load_open_invoices(connection, customer_ids) if sources else {}
    found = [
        one for account in sorted(sources) for one in allocate_in_order(sources[account], invoices.get(account, ()))
    ]
    write_allocations(connection, found)
    return found


def load_customers_with_both(connection: Connection) -> list[int]:
    """Who has credit and open invoices at once: what writers at the same moment have left."""
    return [number for (number,) in connection.execute(_ALL_WITH_BOTH)]


def load_sources(connection: Connection, customer_ids: Sequence[int]) -> dict[Account, list[Source]]:
    """Payments and credit notes of these customers that have something left."""
    found: dict[Account, list[Source]] = defaultdict(list)
    for kind, id, dated, left, customer, issuer, currency in connection.execute(_SOURCES, {"ids": list(customer_ids)}):
        found[customer, issuer, currency].append(Source(SourceKind(kind), id, dated, read_money(left, currency)))
    return found


def load_open_invoices(connection: Connection, customer_ids: Sequence[int]) -> dict[Account, list[OpenInvoice]]:
    """What these customers have open, with the parts that are not settled."""
    found: dict[Account, list[OpenInvoice]] = defaultdict(list)
    for id, year, number, label, settled, _, customer, issuer, currency, days, amounts in connection.execute(
        _INVOICES, {"ids": list(customer_ids)}
    ):
        dues = [Due(day, read_money(amount, currency)) for day, amount in zip(days, amounts, strict=True)]
        parts = left_of(dues, read_money(settled, currency))
        found[customer, issuer, currency].append(OpenInvoice(id, (year, number, label), parts, zero(currency)))
    return found


def load_allocations_of_payment(connection: Connection, payment_id: int) -> list[AllocationRow]:
    """All rows of a payment, those that were taken back with what takes them back."""
    source = (SourceKind.PAYMENT, payment_id)
    return [
        AllocationRow(id, source, invoice, read_money(amount, currency), withdraws)
        for id, invoice, amount, withdraws, currency in connection.execute(_OF_PAYMENT, (payment_id,))
    ]


def write_allocations(connection: Connection, rows: Sequence[Allocation | Withdrawal]) -> None:
    """Write them by one statement, which the database judges."""
    if not rows:
        return
    columns: dict[str, list[int | None]] = {
        column: [one.source[1] if _COLUMN[one.source[0]] == column else None for one in rows]
        for column in _COLUMN.values()
    }
    amounts: list[Decimal] = [one.amount.amount for one in rows]
    connection.execute(
        "INSERT INTO allocation (payment_id, credit_note_id, write_off_id, invoice_id, amount, withdraws_id, chosen)"
        " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::bigint[], %s::boolean[])",
        (
            *columns.values(),
            [one.invoice_id for one in rows],
            amounts,
            [one.withdraws_id if isinstance(one, Withdrawal) else None for one in rows],
            [isinstance(one, Allocation) and one.chosen for one in rows],
        ),
    )

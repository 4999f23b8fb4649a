"""Quotes, orders and the advance invoices of orders, as they stand in the database.

Next: billing/operations/quotes.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.documents import DocumentKind
from billing.money import Money, read_money
from billing.totals import Liability, TaxGroup, TaxTreatment, taxed_alike

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class OfferLine:
    """A line as it was issued, without tax."""

    number: int
    product_id: int | None
    product_kind: str | None
    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    net: Money
    treatment: TaxTreatment
    tax_code_id: int
    account_id: int
    credited: Money


@dataclass(frozen=True, slots=True)
class Offer:
    """A quote, an order, or an invoice made of one."""

    id: int
    kind: DocumentKind
    state: str
    label: str
    issuer_id: int
    customer_id: int
    customer: str
    document_date: date
    currency: str
    includes_tax: bool
    gross: Money
    payable: Money
    valid_until: date | None
    from_id: int | None
    is_advance: bool
    lines: tuple[OfferLine, ...]
    groups: tuple[TaxGroup, ...]


@dataclass(frozen=True, slots=True)
class OfferRow:
    """A quote or an order in a list."""

    id: int
    label: str
    state: str
    customer_id: int
    customer: str
    document_date: date
    valid_until: date | None
    currency: str
    gross: Decimal


_DOCUMENT: Final = """
SELECT d.id, d.kind::text, d.state::text, d.label, d.issuer_id, d.customer_id, c.name, d.document_date, d.currency, d.includes_tax, d.gross, d.payable, d.valid_until,
    d.from_id, d.is_advance
FROM document AS d JOIN customer AS c ON c.id = d.customer_id WHERE d.id = %s AND d.state <> 'draft'
"""
_LINES: Final = """
SELECT l.number, l.product_id, p.kind::text, l.description, l.quantity, l.unit_price, l.discount, l.net, t.name, l.rate, l.nature, l.legal_reference, l.liability::text, t.bears_stamp,
    l.tax_code_id, l.account_id, coalesce(c.credited, 0)
FROM document_line AS l JOIN tax_code AS t ON t.id = l.tax_code_id LEFT JOIN product AS p ON p.id = l.product_id
    LEFT JOIN credited_line AS c ON c.document_id = l.document_id AND c.number = l.number
WHERE l.document_id = %s ORDER BY l.number
"""
_GROUPS: Final = "SELECT rate, nature, liability::text, CASE WHEN nature IS NOT NULL THEN legal_reference END, base, tax FROM document_tax WHERE document_id = %s"
_LIST: Final = """
SELECT d.id, d.label, d.state::text, d.customer_id, c.name, d.document_date, d.valid_until, d.currency, d.gross
FROM document AS d JOIN customer AS c ON c.id = d.customer_id
WHERE d.kind = %(kind)s AND d.state <> 'draft' AND (%(state)s::text IS NULL OR d.state::text = %(state)s) AND (%(customer)s::bigint IS NULL OR d.customer_id = %(customer)s)
ORDER BY d.document_date DESC, d.id DESC LIMIT %(limit)s
"""


def load_offer(connection: Connection, number: int, *, lock: bool = False) -> Offer | None:
    """One document with its lines and groups; with `lock` nobody else answers or invoices it until the transaction ends."""
    if lock:
        connection.execute("SELECT FROM document WHERE id = %s FOR NO KEY UPDATE", (number,))
    row = connection.execute(_DOCUMENT, (number,)).fetchone()
    if row is None:
        return None
    currency = row[8]
    lines = tuple(_line(line, currency) for line in connection.execute(_LINES, (number,)).fetchall())
    by_key = {taxed_alike(line.treatment): line.treatment for line in lines}
    found = {
        (rate.normalize(), nature, Liability(liability), law): (read_money(base, currency), read_money(tax, currency))
        for rate, nature, liability, law, base, tax in connection.execute(_GROUPS, (number,)).fetchall()
    }
    # In order of the lines, as they were made.
    groups = tuple(TaxGroup(treatment, *found[key]) for key, treatment in by_key.items())
    return Offer(
        id=row[0],
        kind=DocumentKind(row[1]),
        state=row[2],
        label=row[3],
        issuer_id=row[4],
        customer_id=row[5],
        customer=row[6],
        document_date=row[7],
        currency=currency,
        includes_tax=row[9],
        gross=read_money(row[10], currency),
        payable=read_money(row[11], currency),
        valid_until=row[12],
        from_id=row[13],
        is_advance=row[14],
        lines=lines,
        groups=groups,
    )


def load_invoices(connection: Connection, order_id: int) -> list[Offer]:
    """The invoices of an order, in order of their numbers."""
    rows = connection.execute(
        "SELECT id FROM document WHERE from_id = %s AND kind = 'invoice' AND state = 'issued' ORDER BY document_date, id",
        (order_id,),
    ).fetchall()
    found = (load_offer(connection, number) for (number,) in rows)
    return [one for one in found if one is not None]


def find_offer(connection: Connection, kind: DocumentKind, text: str) -> list[int]:
    """The documents of that label, or of that id where the text is a number and no label."""
    rows = connection.execute(
        "SELECT id FROM document WHERE kind = %s AND state <> 'draft' AND label = %s ORDER BY id", (str(kind), text)
    ).fetchall()
    if rows or not (text.isascii() and text.isdigit() and len(text) < 19):
        return [number for (number,) in rows]
    rows = connection.execute(
        "SELECT id FROM document WHERE kind = %s AND state <> 'draft' AND id = %s", (str(kind), int(text))
    ).fetchall()
    return [number for (number,) in rows]


def list_offers(
    connection: Connection, kind: DocumentKind, *, state: str | None, customer_id: int | None, limit: int
) -> list[OfferRow]:
    """The newest quotes or orders."""
    given = {"kind": str(kind), "state": state, "customer": customer_id, "limit": limit}
    return [OfferRow(*row) for row in connection.execute(_LIST, given).fetchall()]


def save_answer(connection: Connection, number: int, state: str) -> bool:
    """Answer what was issued and not answered yet; whether it was so."""
    statement = "UPDATE document SET state = %s::document_state WHERE id = %s AND state = 'issued' AND kind IN ('quote', 'order')"
    return connection.execute(statement, (state, number)).rowcount == 1


def load_overdue_quotes(connection: Connection, issuer_id: int, today: date) -> list[tuple[int, str]]:
    """Quotes that nobody answered while they held: their ids and labels."""
    rows = connection.execute(
        "SELECT id, label FROM document WHERE kind = 'quote' AND state = 'issued' AND issuer_id = %s AND valid_until < %s ORDER BY id",
        (issuer_id, today),
    ).fetchall()
    return [(number, label) for number, label in rows]


def load_kinds(connection: Connection, product_ids: Sequence[int]) -> dict[int, str]:
    """Of which kind these products are: plan, add_on, one_off or usage."""
    statement = "SELECT id, kind::text FROM product WHERE id = ANY (%s)"
    return dict(connection.execute(statement, (list(product_ids),)).fetchall())


def load_names(connection: Connection, product_ids: Sequence[int]) -> dict[int, str]:
    """What these products are called in the catalogue."""
    statement = "SELECT id, name FROM product WHERE id = ANY (%s)"
    return dict(connection.execute(statement, (list(product_ids),)).fetchall())


def load_contract_of(connection: Connection, quote: Offer) -> int | None:
    """The contract that was made when a quote was accepted."""
    row = connection.execute(
        "SELECT e.contract_id FROM contract AS c JOIN contract_event AS e ON e.contract_id = c.id"
        " WHERE c.customer_id = %s AND e.event = 'created' AND e.detail ->> 'quote' = %s ORDER BY e.id LIMIT 1",
        (quote.customer_id, str(quote.id)),
    ).fetchone()
    return None if row is None else int(row[0])


def load_order_of(connection: Connection, quote_id: int) -> tuple[int, str] | None:
    """The order that was made of a quote: its id and label."""
    row = connection.execute(
        "SELECT id, label FROM document WHERE from_id = %s AND kind = 'order' AND state <> 'draft'", (quote_id,)
    ).fetchone()
    return None if row is None else (row[0], row[1])


def _line(row: tuple[Any, ...], currency: str) -> OfferLine:
    number, product, kind, words, quantity, price, discount, net = row[:8]
    code, rate, nature, law, liability, stamp, code_id, account, credited = row[8:]
    treatment = TaxTreatment(code, rate, nature, law, Liability(liability), stamp)
    return OfferLine(
        *(number, product, kind, words, quantity, price, discount, read_money(net, currency)),
        *(treatment, code_id, account, read_money(credited, currency)),
    )

"""What an issued document has to do with: what settled it, what corrects it, what it came from, its entry, and who was written to.

Next: billing/operations/invoices.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg

from billing.money import Money, read_money

Connection = psycopg.Connection[Any]
# As many as a page shows; who was written to more often is seen on the customer's page.
MESSAGES_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Settled:
    """A part of an invoice that is settled. `kind` is payment, credit_note or write_off; `id` the payment's or the credit note's."""

    kind: str
    id: int
    label: str
    on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class LinkedDocument:
    """Another document; `how` says what it is to this one: corrects, corrected_by, settles, from, made_into or less_on."""

    how: str
    id: int
    kind: str
    label: str | None
    document_date: date
    amount: Money


@dataclass(frozen=True, slots=True)
class MessageOf:
    """A message in which a document was sent, or that speaks of it."""

    id: int
    at: datetime
    channel: str
    template: str
    state: str
    address: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class DocumentLinks:
    """All of these."""

    settled: tuple[Settled, ...]
    documents: tuple[LinkedDocument, ...]
    entry_id: int | None
    messages: tuple[MessageOf, ...]


_SETTLED: Final = """
SELECT 'payment', p.id, m.name, p.value_on, sum(a.amount), p.currency FROM allocation AS a JOIN payment AS p ON p.id = a.payment_id
    JOIN payment_method AS m ON m.id = p.method_id WHERE a.invoice_id = %(id)s GROUP BY p.id, m.name HAVING sum(a.amount) <> 0
UNION ALL SELECT 'credit_note', n.id, n.label, n.document_date, sum(a.amount), n.currency FROM allocation AS a JOIN document AS n ON n.id = a.credit_note_id
    WHERE a.invoice_id = %(id)s GROUP BY n.id HAVING sum(a.amount) <> 0
UNION ALL SELECT 'write_off', w.id, w.reason, w.dated, sum(a.amount), d.currency FROM allocation AS a JOIN write_off AS w ON w.id = a.write_off_id
    JOIN document AS d ON d.id = a.invoice_id WHERE a.invoice_id = %(id)s GROUP BY w.id, d.currency HAVING sum(a.amount) <> 0
ORDER BY 4, 2
"""
_LINKED: Final = """
SELECT 'corrects', o.id, o.kind::text, o.label, o.document_date, o.payable, o.currency FROM document AS d JOIN document AS o ON o.id = d.corrects_id WHERE d.id = %(id)s
UNION ALL SELECT 'corrected_by', o.id, o.kind::text, o.label, o.document_date, o.payable, o.currency FROM document AS o WHERE o.corrects_id = %(id)s AND o.state <> 'draft'
UNION ALL SELECT 'settles', o.id, o.kind::text, o.label, o.document_date, a.amount, o.currency
    FROM (SELECT invoice_id, sum(amount) AS amount FROM allocation WHERE credit_note_id = %(id)s GROUP BY 1 HAVING sum(amount) <> 0) AS a JOIN document AS o ON o.id = a.invoice_id
UNION ALL SELECT 'from', o.id, o.kind::text, o.label, o.document_date, o.payable, o.currency FROM document AS d JOIN document AS o ON o.id = d.from_id WHERE d.id = %(id)s
UNION ALL SELECT 'made_into', o.id, o.kind::text, o.label, o.document_date, o.payable, o.currency FROM document AS o WHERE o.from_id = %(id)s AND o.state <> 'draft'
UNION ALL SELECT DISTINCT 'less_on', o.id, o.kind::text, o.label, o.document_date, o.payable, o.currency FROM document_line AS l JOIN document AS o ON o.id = l.document_id
    WHERE l.corrects_id = %(id)s AND o.kind = 'invoice' AND o.state = 'issued'
ORDER BY 5, 2
"""
_ENTRY: Final = (
    "SELECT id FROM entry WHERE source = 'document' AND source_id = %s AND corrects_id IS NULL ORDER BY id LIMIT 1"
)
_MESSAGES: Final = """
SELECT m.id, m.made_at, m.channel, m.template, m.state::text, m.address, m.problem FROM message AS m JOIN document AS d ON d.customer_id = m.customer_id
WHERE d.id = %(id)s AND (m.origin = 'document ' || d.id OR m.enclosures && ARRAY['document:' || d.id]) ORDER BY m.id DESC LIMIT %(limit)s
"""


def load_links(connection: Connection, document_id: int) -> DocumentLinks:
    """What an issued document has to do with."""
    given = {"id": document_id, "limit": MESSAGES_SHOWN}
    entry = connection.execute(_ENTRY, (document_id,)).fetchone()
    return DocumentLinks(
        tuple(
            Settled(kind, number, label, on, read_money(amount, currency))
            for kind, number, label, on, amount, currency in connection.execute(_SETTLED, given)
        ),
        tuple(
            LinkedDocument(how, number, kind, label, on, read_money(amount, currency))
            for how, number, kind, label, on, amount, currency in connection.execute(_LINKED, given)
        ),
        None if entry is None else int(entry[0]),
        tuple(MessageOf(*row) for row in connection.execute(_MESSAGES, given)),
    )

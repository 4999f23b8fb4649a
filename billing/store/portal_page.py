"""What a subscriber owes and may pay, as the portal shows it.

Next: billing/operations/charging.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.money import Money, read_money

Connection = psycopg.Connection[Any]

_OWED: Final = """
SELECT o.document_id, d.label, o.issuer_id, o.due_on, o.open, o.currency::text, i.iban, i.name,
    (SELECT p.value FROM gateway_charge AS c JOIN presentment AS p ON p.charge_id = c.id WHERE c.document_id = o.document_id AND c.withdrawn_at IS NULL
        AND p.kind = 'link' AND p.value IS NOT NULL AND c.amount = o.open ORDER BY p.id DESC LIMIT 1)
FROM open_document AS o JOIN document AS d ON d.id = o.document_id JOIN issuer AS i ON i.id = o.issuer_id
WHERE o.customer_id = %s AND o.open > 0 ORDER BY o.due_on, o.document_id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Owed:
    """An open invoice. `page` is where it is paid online, None where there is no page of what is open now."""

    document_id: int
    label: str
    issuer_id: int
    due_on: date
    open: Money
    iban: str | None
    issuer: str
    page: str | None


def load_owed(connection: Connection, customer_id: int, *, limit: int = 100) -> list[Owed]:
    """What a customer has open, what is due first in front."""
    return [
        Owed(id, label, issuer_id, due, read_money(open_, code), iban, issuer, page)
        for id, label, issuer_id, due, open_, code, iban, issuer, page in connection.execute(
            _OWED, (customer_id, limit)
        )
    ]


def is_own_document(connection: Connection, customer_id: int, document_id: int) -> bool:
    """Whether it is an issued document of that customer."""
    row = connection.execute(
        "SELECT FROM document WHERE id = %s AND customer_id = %s AND state <> 'draft'", (document_id, customer_id)
    ).fetchone()
    return row is not None


def load_own_issuers(connection: Connection, customer_id: int) -> list[int]:
    """Who has issued documents to a customer, the one with the newest first."""
    rows = connection.execute(
        "SELECT issuer_id FROM document WHERE customer_id = %s AND state <> 'draft' GROUP BY 1 ORDER BY max(id) DESC",
        (customer_id,),
    )
    return [int(number) for (number,) in rows]


def sums_by_currency(owed: Sequence[Owed]) -> list[Money]:
    """What several invoices have open together, by currency."""
    sums: dict[str, Money] = {}
    for one in owed:
        known = sums.get(one.open.currency)
        sums[one.open.currency] = one.open if known is None else known + one.open
    return list(sums.values())

"""What has to be known to tell a customer of a payment: one look each, since payments come by the hundred.

Next: billing/store/messages.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg

Connection = psycopg.Connection[Any]

# Only who has an address: a message to nobody would be a failure for each payment.
_PAYER: Final = """
SELECT m.mails_receipt, m.name, coalesce((SELECT k.language FROM contact AS k WHERE k.customer_id = c.id AND k.contract_id IS NULL AND k.language IS NOT NULL
        ORDER BY k.role = 'administrative' DESC, k.role = 'main' DESC, k.id LIMIT 1), c.language)::text,
    (coalesce(%(now)s::timestamptz, now()) AT TIME ZONE i.zone)::date,
    ARRAY(SELECT d.label FROM unnest(%(documents)s::bigint[]) WITH ORDINALITY AS w (id, place) JOIN document AS d ON d.id = w.id ORDER BY w.place)
FROM payment_method AS m JOIN issuer AS i ON i.id = m.issuer_id JOIN customer AS c ON c.id = %(customer)s
WHERE m.id = %(method)s AND EXISTS (SELECT FROM contact AS k WHERE k.customer_id = c.id AND k.email IS NOT NULL)
"""
_RETURN: Final = """
SELECT r.reason_code FROM payment_reversal AS r
WHERE r.payment_id = %s AND EXISTS (SELECT FROM contact AS k WHERE k.customer_id = %s AND k.email IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Payer:
    """Who paid and has an address: whether the method wants a receipt mailed, what it is called, the numbers of what was settled."""

    mails_receipt: bool
    method_name: str
    language: str
    today: date
    labels: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class ReturnedPayment:
    """A payment that came back, with the code that its bank gave."""

    code: str | None


def load_payer(
    connection: Connection, customer_id: int, method_id: int, document_ids: Sequence[int], now: datetime | None
) -> Payer | None:
    """None for who has no address."""
    asked = {"customer": customer_id, "method": method_id, "documents": list(document_ids), "now": now}
    row = connection.execute(_PAYER, asked).fetchone()
    if row is None:
        return None
    mails, name, language, today, labels = row
    return Payer(mails, name, language, today, dict(zip(document_ids, labels, strict=True)))


def load_return(connection: Connection, customer_id: int, payment_id: int) -> ReturnedPayment | None:
    """None for who has no address."""
    row = connection.execute(_RETURN, (payment_id, customer_id)).fetchone()
    return None if row is None else ReturnedPayment(row[0])

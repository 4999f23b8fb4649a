"""Charges and presentments written and found: what customers are asked to pay through gateways.

Next: billing/operations/charging.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from billing.money import Money, read_money
from billing.store.rows import insert_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Payable:
    """An issued invoice as far as it can be asked for: what it has open, of whom."""

    document_id: int
    label: str
    issuer_id: int
    customer_id: int
    open: Money


@dataclass(frozen=True, slots=True)
class Link:
    """A charge of an invoice with its presentment; `state` and `attempts`, how often the provider was asked, are the presentment's."""

    charge_id: int
    charge_state: str
    amount: Money
    presentment_id: int
    kind: str
    state: str
    value: str | None
    ref: str | None
    problem: str
    attempts: int

    @property
    def in_doubt(self) -> bool:
        """The provider was asked and did not say: it may have done it."""
        return self.state == "asked" and self.attempts > 0

    @property
    def is_debit_under_way(self) -> bool:
        """It is to be collected, and may still be."""
        return self.kind == "debit" and self.charge_state in ("open", "presented", "pending")


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate as lists show it."""

    id: int
    account: str
    customer_id: int
    customer: str
    ref: str | None
    state: str
    page: str | None
    made_at: datetime


_PAYABLE: Final = """
SELECT d.id, d.label, d.issuer_id, d.customer_id, d.currency, coalesce(o.open, 0) FROM document AS d LEFT JOIN open_document AS o ON o.document_id = d.id
WHERE d.id = %s AND d.kind = 'invoice' AND d.state = 'issued'
"""
_LINKS: Final = """
SELECT c.id, c.state::text, c.currency, c.amount, p.id, p.kind::text, p.state::text, p.value, p.ref, p.problem, p.attempts
FROM gateway_charge AS c JOIN presentment AS p ON p.charge_id = c.id
"""
_MANDATES: Final = """
SELECT m.id, a.name, m.customer_id, c.name, m.ref, m.state::text, (SELECT p.value FROM presentment AS p WHERE p.mandate_id = m.id AND p.kind = 'mandate' ORDER BY p.id DESC LIMIT 1), m.made_at
FROM mandate AS m JOIN gateway_account AS a ON a.id = m.account_id JOIN customer AS c ON c.id = m.customer_id
WHERE (%(customer)s::bigint IS NULL OR m.customer_id = %(customer)s) AND (%(account)s::bigint IS NULL OR m.account_id = %(account)s) ORDER BY m.id DESC LIMIT %(limit)s
"""


def load_payable(connection: Connection, document_id: int) -> Payable | None:
    """The invoice; None when it is no issued invoice."""
    row = connection.execute(_PAYABLE, (document_id,)).fetchone()
    if row is None:
        return None
    id, label, issuer, customer, currency, open_ = row
    return Payable(id, label, issuer, customer, read_money(open_, currency))


def load_links_of(connection: Connection, account_id: int, document_id: int) -> list[Link]:
    """What an invoice was presented by through an account and is not refused or withdrawn, oldest first."""
    rows = connection.execute(
        _LINKS
        + "WHERE c.account_id = %s AND c.document_id = %s AND c.withdrawn_at IS NULL AND p.state <> 'refused' ORDER BY p.id",
        (account_id, document_id),
    )
    return [_link(row) for row in rows]


def load_link(connection: Connection, presentment_id: int) -> Link:
    """The presentment of that number, which is there and of a charge."""
    row = connection.execute(_LINKS + "WHERE p.id = %s", (presentment_id,)).fetchone()
    assert row is not None, f"presentment {presentment_id} is there"
    return _link(row)


def _link(row: tuple[Any, ...]) -> Link:
    charge, state, currency, amount, *rest = row
    return Link(charge, state, read_money(amount, currency), *rest)


def load_pages(connection: Connection, document_ids: Sequence[int]) -> dict[int, str]:
    """The newest page on which each of these invoices can be paid, of those that have one."""
    rows = connection.execute(
        "SELECT c.document_id, p.value FROM gateway_charge AS c JOIN presentment AS p ON p.charge_id = c.id"
        " WHERE c.document_id = ANY (%s) AND c.withdrawn_at IS NULL AND p.kind = 'link' AND p.state = 'presented' AND p.value IS NOT NULL AND coalesce(p.expires_at > now(), true) ORDER BY p.id",
        (list(document_ids),),
    )
    return {document: page for document, page in rows}


def load_links(connection: Connection, document_id: int) -> list[str]:
    """The pages on which an invoice can be paid, to be printed on it."""
    rows = connection.execute(
        _LINKS
        + "WHERE c.document_id = %s AND c.withdrawn_at IS NULL AND p.kind = 'link' AND p.value IS NOT NULL ORDER BY p.id",
        (document_id,),
    )
    return [str(_link(row).value) for row in rows]


def load_settled(connection: Connection, *, after: int, limit: int) -> list[tuple[int, int, int, str, str]]:
    """Pages of more than their invoice has open by now, and debits under way of one that has nothing open: presentment, account, charge, kind, the provider's number.

    In order of presentments, those behind one.
    """
    rows = connection.execute(
        "SELECT p.id, c.account_id, c.id, p.kind::text, p.ref FROM gateway_charge AS c JOIN presentment AS p ON p.charge_id = c.id JOIN gateway_account AS a ON a.id = c.account_id"
        " WHERE (c.state = 'presented' OR c.state = 'pending' AND p.kind = 'debit') AND c.withdrawn_at IS NULL AND p.state = 'presented' AND c.document_id IS NOT NULL AND a.enabled AND p.id > %s"
        " AND NOT EXISTS (SELECT FROM open_document AS o WHERE o.document_id = c.document_id AND o.open >= CASE p.kind WHEN 'link' THEN c.amount ELSE 0.001 END) ORDER BY p.id LIMIT %s",
        (after, limit),
    )
    return [(number, account, charge, kind, ref) for number, account, charge, kind, ref in rows]


def mark_withdrawn(connection: Connection, charge_id: int, *, by: str | None = None) -> None:
    """A charge is not asked for any more; `by` a person, so that it is not asked for by itself again."""
    connection.execute(
        "UPDATE gateway_charge SET withdrawn_at = now(), withdrawn_by = %s WHERE id = %s AND withdrawn_at IS NULL",
        (by, charge_id),
    )
    connection.execute("UPDATE presentment SET state = 'withdrawn' WHERE charge_id = %s", (charge_id,))


def mark_withdrawn_unasked(connection: Connection, charge_id: int, *, by: str | None = None) -> bool:
    """The same for a charge that no provider was asked for yet; False, and nothing is changed, when one may have been."""
    unasked = connection.execute(
        "UPDATE presentment SET state = 'withdrawn' WHERE charge_id = %s AND state = 'asked' AND attempts = 0 RETURNING id",
        (charge_id,),
    ).fetchone()
    if unasked is None:
        return False
    mark_withdrawn(connection, charge_id, by=by)
    return True


def find_active_mandate(connection: Connection, account_id: int, customer_id: int) -> int | None:
    """The customer's newest mandate through an account that lets us collect."""
    row = connection.execute(
        "SELECT id FROM mandate WHERE account_id = %s AND customer_id = %s AND state = 'active' ORDER BY id DESC LIMIT 1",
        (account_id, customer_id),
    ).fetchone()
    return None if row is None else int(row[0])


def load_mandates(
    connection: Connection, *, customer_id: int | None = None, account_id: int | None = None, limit: int
) -> list[Mandate]:
    """The newest mandates."""
    asked = {"customer": customer_id, "account": account_id, "limit": limit}
    return [Mandate(*row) for row in connection.execute(_MANDATES, asked)]


def write_charge(connection: Connection, row: Mapping[str, object]) -> int:
    """Write a charge; its number."""
    return insert_row(connection, "gateway_charge", row)


def write_mandate(connection: Connection, row: Mapping[str, object]) -> int:
    """Write a mandate that is to be signed; its number."""
    return insert_row(connection, "mandate", row)


def write_presentment(connection: Connection, row: Mapping[str, object]) -> int:
    """Write what a provider is to do; its number."""
    return insert_row(connection, "presentment", row)


def load_refunds_asked(connection: Connection, payment_id: int) -> Money | None:
    """What of a payment is being given back and not booked yet."""
    row = connection.execute(
        "SELECT y.currency, sum(p.amount) FROM presentment AS p JOIN payment AS y ON y.id = p.payment_id WHERE p.payment_id = %s AND p.kind = 'refund' AND p.state IN ('asked', 'presented')"
        " AND NOT EXISTS (SELECT FROM refund AS f WHERE f.payment_id = y.id AND f.source = 'webhook' AND f.reference = 'gateway ' || p.account_id || ' ' || p.ref) GROUP BY y.currency",
        (payment_id,),
    ).fetchone()
    return None if row is None else read_money(row[1], row[0])

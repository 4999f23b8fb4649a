"""Cash sessions, receipts and hand-overs as they stand in the database.

Who writes into a session holds it first, so that nobody hands it over meanwhile: customers before sessions, sessions before series of numbers.

Next: billing/store/payments.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.cash import Takings
from billing.money import Money, read_money

Connection = psycopg.Connection[Any]

_SESSION: Final = """
SELECT s.id, s.collector_id, k.name, k.issuer_id, s.currency, s.opened_at, s.opened_by, s.closed_at, s.closed_on, s.closed_by, s.taken_by, s.expected, s.counted, s.note, s.opening,
    coalesce((SELECT sum(p.amount) FROM receipt AS r JOIN payment AS p ON p.id = r.payment_id JOIN payment_method AS m ON m.id = p.method_id WHERE r.session_id = s.id AND m.kind = 'cash'), 0),
    coalesce((SELECT sum(w.amount) FROM cash_withdrawal AS w WHERE w.session_id = s.id), 0),
    coalesce((SELECT sum(b.amount) FROM ({taken_back}) AS b WHERE b.session_id = s.id AND b.cash), 0)
FROM cash_session AS s JOIN collector AS k ON k.id = s.collector_id
"""
# What was taken back and is in no hand-over yet counts in the one that is open.
_TAKEN_BACK: Final = """
SELECT p.id, coalesce(t.session_id, o.id) AS session_id, p.amount, m.kind = 'cash' AS cash, p.currency, r.label, v.dated, v.reason, p.customer_id
FROM payment_reversal AS v JOIN receipt AS r ON r.payment_id = v.payment_id JOIN cash_session AS f ON f.id = r.session_id JOIN payment AS p ON p.id = v.payment_id
    JOIN payment_method AS m ON m.id = p.method_id LEFT JOIN cash_taken_back AS t ON t.payment_id = v.payment_id
    LEFT JOIN cash_session AS o ON t.payment_id IS NULL AND o.collector_id = f.collector_id AND o.currency = f.currency AND o.closed_at IS NULL
"""
_RECEIPT: Final = """
SELECT r.payment_id, r.issuer_id, r.label, r.issued_on, r.session_id, r.made_at, r.made_by, p.customer_id, k.id, k.name, m.name, m.code, m.kind = 'cash', p.currency, p.amount, p.reference,
    coalesce(c.name, p.payer, ''), v.dated
FROM receipt AS r JOIN payment AS p ON p.id = r.payment_id JOIN payment_method AS m ON m.id = p.method_id LEFT JOIN customer AS c ON c.id = owner_of_payment(p.id)
    LEFT JOIN cash_session AS s ON s.id = r.session_id LEFT JOIN collector AS k ON k.id = s.collector_id LEFT JOIN payment_reversal AS v ON v.payment_id = r.payment_id
"""
_OPEN: Final = """
INSERT INTO cash_session (collector_id, currency, opening, opened_by) VALUES (%s, %s, %s, %s)
ON CONFLICT (collector_id, currency) WHERE closed_at IS NULL DO NOTHING RETURNING id
"""
_CLOSE: Final = """
UPDATE cash_session SET closed_at = clock_timestamp(), closed_on = %s, closed_by = %s, taken_by = %s, expected = %s, counted = %s, note = %s
WHERE id = %s AND closed_at IS NULL
"""
_TAKEN_BACK_IN: Final = "SELECT id, label, amount, currency, cash, dated, reason FROM ({taken_back}) AS b WHERE b.session_id = %s ORDER BY id"
_LIST_TAKEN_BACK: Final = """
INSERT INTO cash_taken_back (payment_id, session_id) SELECT b.id, b.session_id FROM ({taken_back}) AS b
WHERE b.session_id = %(session)s AND NOT EXISTS (SELECT FROM cash_taken_back AS t WHERE t.payment_id = b.id) ORDER BY b.id
"""
# What the payment settled as it was recorded, so that its receipt printed again says the same; of what was settled later that.
_PAID_DOCUMENTS: Final = """
SELECT d.label, d.document_date, sum(a.amount), d.currency FROM payment AS p JOIN allocation AS a ON a.payment_id = p.id JOIN document AS d ON d.id = a.invoice_id
WHERE p.id = %(payment)s AND CASE WHEN EXISTS (SELECT FROM allocation AS f WHERE f.payment_id = p.id AND f.allocated_at = p.made_at) THEN a.allocated_at = p.made_at AND a.amount > 0 ELSE true END
GROUP BY d.id HAVING sum(a.amount) <> 0 ORDER BY d.document_date, d.id
"""
_OWED_THEN: Final = """
SELECT p.currency, coalesce(sum(d.payable - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.invoice_id = d.id AND a.allocated_at <= p.made_at), 0)), 0)
FROM payment AS p LEFT JOIN document AS d ON d.customer_id = p.customer_id AND d.issuer_id = p.issuer_id AND d.currency = p.currency AND d.kind = 'invoice' AND d.state = 'issued' AND d.issued_at <= p.made_at
WHERE p.id = %s GROUP BY p.id
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A cash session with what went through it. Open: without `closed_at`."""

    id: int
    collector_id: int
    collector: str
    issuer_id: int
    currency: str
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    closed_on: date | None
    closed_by: str | None
    taken_by: str | None
    expected: Money | None
    counted: Money | None
    note: str | None
    takings: Takings

    @property
    def difference(self) -> Money | None:
        """Of a hand-over: below zero is missing."""
        return None if self.counted is None or self.expected is None else self.counted - self.expected


@dataclass(frozen=True, slots=True)
class Receipt:
    """A numbered receipt with the payment that it is for. `customer_id` is whose it was said to be when it was taken."""

    payment_id: int
    issuer_id: int
    label: str
    issued_on: date
    session_id: int | None
    made_at: datetime
    made_by: str
    customer_id: int | None
    collector_id: int | None
    collector: str | None
    method: str
    method_code: str
    in_cash: bool
    amount: Money
    reference: str
    customer: str
    reversed_on: date | None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A collector's payment that was taken back."""

    payment_id: int
    label: str
    amount: Money
    in_cash: bool
    dated: date
    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Cash that left before the hand-over."""

    id: int
    amount: Money
    dated: date
    reason: str
    made_by: str


def open_session(connection: Connection, collector_id: int, opening: Money, *, actor: str) -> int | None:
    """Open a session and return its number; None when one of that currency is open."""
    row = connection.execute(_OPEN, (collector_id, opening.currency, opening.amount, actor)).fetchone()
    return None if row is None else int(row[0])


def hold_open_session(connection: Connection, collector_id: int, currency: str) -> int | None:
    """The open session of a collector, held until the transaction ends."""
    row = connection.execute(
        "SELECT id FROM cash_session WHERE collector_id = %s AND currency = %s AND closed_at IS NULL FOR NO KEY UPDATE",
        (collector_id, currency),
    ).fetchone()
    return None if row is None else int(row[0])


def hold_session(connection: Connection, session_id: int) -> bool:
    """Hold a session until the transaction ends; False when there is none of that number."""
    row = connection.execute("SELECT FROM cash_session WHERE id = %s FOR NO KEY UPDATE", (session_id,)).fetchone()
    return row is not None


def load_session(connection: Connection, session_id: int) -> Session | None:
    """A session with what went through it so far."""
    return next(iter(_sessions(connection, "WHERE s.id = %s", (session_id,))), None)


def load_sessions(
    connection: Connection,
    *,
    issuer_id: int | None = None,
    collector_id: int | None = None,
    only_open: bool = False,
    before: int | None = None,
    limit: int = 100,
) -> list[Session]:
    """The newest sessions that fit, or those that are older than session `before`."""
    where = (
        "WHERE (%s::bigint IS NULL OR k.issuer_id = %s) AND (%s::bigint IS NULL OR s.collector_id = %s)"
        " AND (NOT %s OR s.closed_at IS NULL) AND (%s::bigint IS NULL OR s.id < %s) ORDER BY s.id DESC LIMIT %s"
    )
    asked = (issuer_id, issuer_id, collector_id, collector_id, only_open, before, before, limit)
    return _sessions(connection, where, asked)


def save_count(connection: Connection, session_id: int, moment: str, pieces: Mapping[Decimal, int]) -> None:
    """Write what was counted, at `opening` or `closing`."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO cash_count (session_id, moment, value, pieces) VALUES (%s, %s, %s, %s)",
            [(session_id, moment, value, count) for value, count in sorted(pieces.items()) if count],
        )


def load_count(connection: Connection, session_id: int, moment: str) -> list[tuple[Decimal, int]]:
    """What was counted: value and pieces, the dearest first."""
    rows = connection.execute(
        "SELECT value, pieces FROM cash_count WHERE session_id = %s AND moment = %s ORDER BY value DESC",
        (session_id, moment),
    )
    return [(value, pieces) for value, pieces in rows]


def list_taken_back(connection: Connection, session_id: int) -> int:
    """Count in this session what was taken back of its collector's payments and stands in no hand-over yet; how many."""
    statement = _LIST_TAKEN_BACK.format(taken_back=_TAKEN_BACK)
    return connection.execute(statement, {"session": session_id}).rowcount


def close_session(
    connection: Connection,
    session_id: int,
    *,
    closed_on: date,
    actor: str,
    taken_by: str,
    expected: Money,
    counted: Money,
    note: str | None,
) -> bool:
    """Hand a session over; False when somebody else has."""
    asked = (closed_on, actor, taken_by, expected.amount, counted.amount, note, session_id)
    return connection.execute(_CLOSE, asked).rowcount == 1


def write_receipt(
    connection: Connection,
    payment_id: int,
    *,
    issuer_id: int,
    series_id: int,
    issued_on: date,
    session_id: int | None,
    actor: str,
) -> None:
    """Give a payment its receipt; the database numbers it and holds the series until the transaction ends."""
    connection.execute(
        "INSERT INTO receipt (payment_id, issuer_id, series_id, issued_on, session_id, made_by) VALUES (%s, %s, %s, %s, %s, %s)",
        (payment_id, issuer_id, series_id, issued_on, session_id, actor),
    )


def load_receipt(connection: Connection, payment_id: int) -> Receipt | None:
    """The receipt of a payment."""
    return next(iter(_receipts(connection, "WHERE r.payment_id = %s", (payment_id,))), None)


def find_receipt(connection: Connection, label: str) -> list[Receipt]:
    """The receipts of that printed number; several issuers may have one each."""
    return _receipts(connection, "WHERE r.label = %s ORDER BY r.payment_id", (label,))


def load_receipts(connection: Connection, session_id: int) -> list[Receipt]:
    """The receipts of a session, in order."""
    return _receipts(connection, "WHERE r.session_id = %s ORDER BY r.payment_id", (session_id,))


def load_paid_documents(connection: Connection, payment_id: int) -> list[tuple[str, date, Money]]:
    """What a payment settled as it was recorded: printed number, day, amount."""
    rows = connection.execute(_PAID_DOCUMENTS, {"payment": payment_id})
    return [(label, dated, read_money(amount, currency)) for label, dated, amount, currency in rows]


def load_owed_then(connection: Connection, payment_id: int) -> Money:
    """What the payment's customer owed just after it was recorded."""
    row = connection.execute(_OWED_THEN, (payment_id,)).fetchone()
    assert row is not None, f"payment {payment_id} is there"
    currency, amount = row
    return read_money(amount, currency)


def load_taken_back(connection: Connection, session_id: int) -> list[TakenBack]:
    """What of the collector's payments was taken back and counts in this session."""
    rows = connection.execute(
        _TAKEN_BACK_IN.format(taken_back=_TAKEN_BACK),
        (session_id,),
    )
    return [
        TakenBack(id, label, read_money(amount, currency), cash, dated, reason)
        for id, label, amount, currency, cash, dated, reason in rows
    ]


def load_withdrawals(connection: Connection, session_id: int) -> list[Withdrawal]:
    """What left before the hand-over."""
    rows = connection.execute(
        "SELECT w.id, w.amount, s.currency, w.dated, w.reason, w.made_by FROM cash_withdrawal AS w JOIN cash_session AS s ON s.id = w.session_id"
        " WHERE w.session_id = %s ORDER BY w.id",
        (session_id,),
    )
    return [
        Withdrawal(id, read_money(amount, currency), dated, reason, made_by)
        for id, amount, currency, dated, reason, made_by in rows
    ]


def _sessions(connection: Connection, where: str, asked: tuple[object, ...]) -> list[Session]:
    found = []
    for row in connection.execute(_SESSION.format(taken_back=_TAKEN_BACK) + where, asked):
        (id, collector_id, collector, issuer_id, currency, opened_at, opened_by, closed_at, closed_on, closed_by, taken_by, expected, counted, note, *sums) = row  # fmt: skip
        opening, received, withdrawn, taken_back = (read_money(one, currency) for one in sums)
        found.append(
            Session(
                id=id,
                collector_id=collector_id,
                collector=collector,
                issuer_id=issuer_id,
                currency=currency,
                opened_at=opened_at,
                opened_by=opened_by,
                closed_at=closed_at,
                closed_on=closed_on,
                closed_by=closed_by,
                taken_by=taken_by,
                expected=None if expected is None else read_money(expected, currency),
                counted=None if counted is None else read_money(counted, currency),
                note=note,
                takings=Takings(opening, received, withdrawn, taken_back),
            )
        )
    return found


def _receipts(connection: Connection, where: str, asked: tuple[object, ...]) -> list[Receipt]:
    found = []
    for row in connection.execute(_RECEIPT + where, asked):
        (payment_id, issuer_id, label, issued_on, session_id, made_at, made_by, customer_id, collector_id, collector, method, code, in_cash, currency, amount, reference, customer, reversed_on) = row  # fmt: skip
        found.append(
            Receipt(
                payment_id=payment_id,
                issuer_id=issuer_id,
                label=label,
                issued_on=issued_on,
                session_id=session_id,
                made_at=made_at,
                made_by=made_by,
                customer_id=customer_id,
                collector_id=collector_id,
                collector=collector,
                method=method,
                method_code=code,
                in_cash=in_cash,
                amount=read_money(amount, currency),
                reference=reference,
                customer=customer,
                reversed_on=reversed_on,
            )
        )
    return found

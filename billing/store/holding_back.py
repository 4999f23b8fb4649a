"""Exclusions, disputes, plans of instalments, confirmations and formal notices in the database, and the lists of them.

Next: billing/store/dunning.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.money import Money, read_money, zero
from billing.store import notice_messages
from billing.store.rows import insert_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class ExclusionRow:
    """Somebody who is left alone."""

    id: int
    kind: str
    customer_id: int | None
    contract_id: int | None
    who: str
    since: date
    until: date | None
    reason: str
    placed_by: str
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice that has something open."""

    label: str
    customer_id: int
    issuer_id: int
    open: Money
    disputed: Money


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A formal notice, when its message went out or why it did not, and whether it came."""

    id: int
    case_id: int
    customer_id: int
    customer: str
    channel: str
    amount: Decimal
    currency: str
    sent_at: datetime
    delivered_at: datetime | None
    delivered_by: str | None
    message_id: int | None
    out_at: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """What of an invoice is contested."""

    id: int
    label: str
    customer_id: int
    customer: str
    amount: Decimal
    currency: str
    reason: str
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan of instalments."""

    id: int
    customer_id: int
    customer: str
    currency: str
    parts: list[str]
    documents: list[str]
    grace_days: int
    reason: str
    made_by: str
    ended_on: date | None
    end_reason: str | None


_EXCLUSIONS: Final = """
SELECT x.id, x.kind::text AS kind, x.customer_id, x.contract_id,
    coalesce((SELECT c.name FROM customer AS c WHERE c.id = x.customer_id), 'contract ' || x.contract_id || ' of ' ||
        (SELECT c.name FROM contract AS k JOIN customer AS c ON c.id = k.customer_id WHERE k.id = x.contract_id)) AS who,
    x.since, x.until, x.reason, x.placed_by, x.ended_at, x.ended_by, x.end_reason FROM dunning_exclusion AS x
"""
_INVOICE: Final = """
SELECT d.label, o.customer_id, o.issuer_id, o.open, o.currency::text,
    (SELECT sum(s.amount) FROM dunning_dispute AS s WHERE s.document_id = o.document_id AND s.closed_at IS NULL)
FROM open_document AS o JOIN document AS d ON d.id = o.document_id WHERE o.document_id = %s AND o.open > 0
"""
_NOTICES: Final = f"""
SELECT f.id, f.case_id, c.customer_id, k.name AS customer, f.channel, f.amount, c.currency::text AS currency, f.sent_at, f.delivered_at, f.delivered_by,
    m.id AS message_id, {notice_messages.OUT_AT} AS out_at, {notice_messages.PROBLEM} AS problem
FROM formal_notice AS f JOIN dunning_case AS c ON c.id = f.case_id JOIN customer AS k ON k.id = c.customer_id {notice_messages.JOIN}
"""  # noqa: S608 - our own columns
_DISPUTES: Final = """
SELECT s.id, d.label, d.customer_id, k.name AS customer, s.amount, d.currency::text AS currency, s.reason, s.opened_at, s.opened_by, s.closed_at, s.outcome
FROM dunning_dispute AS s JOIN document AS d ON d.id = s.document_id JOIN customer AS k ON k.id = d.customer_id
WHERE %(closed)s OR s.closed_at IS NULL ORDER BY s.id DESC LIMIT %(limit)s
"""
_PLANS: Final = """
SELECT p.id, p.customer_id, k.name AS customer, p.currency::text AS currency,
    ARRAY(SELECT i.due_on || '=' || round(i.amount, currency_places(p.currency)) FROM instalment_plan_part AS i WHERE i.plan_id = p.id ORDER BY i.due_on) AS parts,
    ARRAY(SELECT d.label FROM instalment_plan_document AS n JOIN document AS d ON d.id = n.document_id WHERE n.plan_id = p.id ORDER BY d.id) AS documents,
    p.grace_days, p.reason, p.made_by, p.ended_on, p.end_reason FROM instalment_plan AS p JOIN customer AS k ON k.id = p.customer_id
WHERE %(ended)s OR p.ended_on IS NULL ORDER BY p.id DESC LIMIT %(limit)s
"""


def load_payer(connection: Connection, contract_id: int) -> int | None:
    """Who pays for a contract; None when there is none of that number."""
    row = connection.execute(
        "SELECT coalesce(t.payer_id, c.customer_id) FROM contract AS c LEFT JOIN contract_terms AS t ON t.contract_id = c.id WHERE c.id = %s",
        (contract_id,),
    ).fetchone()
    return None if row is None else int(row[0])


def save_exclusion(connection: Connection, row: Mapping[str, object]) -> int:
    """Write an exclusion; its number."""
    return insert_row(connection, "dunning_exclusion", row)


def load_exclusion(connection: Connection, number: int) -> ExclusionRow | None:
    """One exclusion."""
    with connection.cursor(row_factory=class_row(ExclusionRow)) as cursor:
        return cursor.execute(_EXCLUSIONS + "WHERE x.id = %s", (number,)).fetchone()


def load_exclusions(connection: Connection, *, ended: bool, today: date, limit: int) -> list[ExclusionRow]:
    """Those in force or to come, the newest first; with `ended` all."""
    where = "WHERE %s OR (x.ended_at IS NULL AND (x.until IS NULL OR x.until > %s)) ORDER BY x.id DESC LIMIT %s"
    with connection.cursor(row_factory=class_row(ExclusionRow)) as cursor:
        return cursor.execute(_EXCLUSIONS + where, (ended, today, limit)).fetchall()


def end_exclusion(connection: Connection, number: int, *, reason: str, by: str, now: datetime) -> bool:
    """End an exclusion; False when it was."""
    done = connection.execute(
        "UPDATE dunning_exclusion SET ended_at = %s, ended_by = %s, end_reason = %s WHERE id = %s AND ended_at IS NULL",
        (now, by, reason, number),
    )
    return done.rowcount == 1


def load_open_invoice(connection: Connection, document_id: int) -> OpenInvoice | None:
    """An invoice that has something open, and how much of that is in dispute."""
    row = connection.execute(_INVOICE, (document_id,)).fetchone()
    if row is None:
        return None
    label, customer, issuer, open_, currency, disputed = row
    held = zero(currency) if disputed is None else read_money(disputed, currency)
    return OpenInvoice(label, customer, issuer, read_money(open_, currency), held)


def save_dispute(
    connection: Connection,
    document_id: int,
    amount: Decimal,
    *,
    reason: str,
    by: str,
    now: datetime,
    reference: str | None = None,
) -> int:
    """Write a dispute; its number."""
    said = {"reason": reason, "opened_by": by, "opened_at": now, "reference": reference}
    row = {"document_id": document_id, "amount": amount, **said}
    return insert_row(connection, "dunning_dispute", row)


def load_told_disputes(connection: Connection, reference: str) -> list[int]:
    """The open disputes that a provider's dispute opened."""
    rows = connection.execute(
        "SELECT id FROM dunning_dispute WHERE reference = %s AND closed_at IS NULL ORDER BY id", (reference,)
    )
    return [number for (number,) in rows]


def load_open_of_payment(connection: Connection, payment_id: int) -> dict[int, Money]:
    """What the invoices that a payment was ever laid on have open now."""
    rows = connection.execute(
        "SELECT d.id, coalesce(o.open, 0), d.currency::text FROM document AS d LEFT JOIN open_document AS o ON o.document_id = d.id"
        " WHERE d.id IN (SELECT invoice_id FROM allocation WHERE payment_id = %s) ORDER BY d.id",
        (payment_id,),
    )
    return {document: read_money(open_, currency) for document, open_, currency in rows}


def load_disputing(connection: Connection, number: int) -> int | None:
    """Whose invoice a dispute is about."""
    row = connection.execute(
        "SELECT d.customer_id FROM dunning_dispute AS s JOIN document AS d ON d.id = s.document_id WHERE s.id = %s",
        (number,),
    ).fetchone()
    return None if row is None else int(row[0])


def load_disputes(connection: Connection, *, closed: bool, limit: int) -> list[DisputeRow]:
    """The open ones, the newest first; with `closed` all."""
    with connection.cursor(row_factory=class_row(DisputeRow)) as cursor:
        return cursor.execute(_DISPUTES, {"closed": closed, "limit": limit}).fetchall()


def close_dispute(connection: Connection, number: int, *, outcome: str, by: str, now: datetime) -> bool:
    """Close a dispute; False when it was."""
    done = connection.execute(
        "UPDATE dunning_dispute SET closed_at = %s, closed_by = %s, outcome = %s WHERE id = %s AND closed_at IS NULL",
        (now, by, outcome, number),
    )
    return done.rowcount == 1


def load_running_plan(connection: Connection, documents: Sequence[int]) -> int | None:
    """A plan that runs for one of these documents."""
    row = connection.execute(
        "SELECT p.id FROM instalment_plan AS p JOIN instalment_plan_document AS d ON d.plan_id = p.id WHERE d.document_id = ANY(%s) AND p.ended_on IS NULL LIMIT 1",
        (list(documents),),
    ).fetchone()
    return None if row is None else int(row[0])


def save_plan(
    connection: Connection,
    account: tuple[int, int, str],
    *,
    documents: Sequence[int],
    parts: Sequence[tuple[date, Decimal]],
    terms: Mapping[str, object],
) -> int:
    """Write a plan of an issuer's customer in a currency; its number."""
    issuer, customer, currency = account
    row = {"issuer_id": issuer, "customer_id": customer, "currency": currency, **terms}
    number = insert_row(connection, "instalment_plan", row)
    connection.execute(
        "INSERT INTO instalment_plan_document (plan_id, document_id) SELECT %s, unnest(%s::bigint[])",
        (number, list(documents)),
    )
    days, amounts = [day for day, _ in parts], [amount for _, amount in parts]
    connection.execute(
        "INSERT INTO instalment_plan_part (plan_id, due_on, amount) SELECT %s, * FROM unnest(%s::date[], %s::numeric[])",
        (number, days, amounts),
    )
    return number


def load_planning(connection: Connection, number: int) -> int | None:
    """Whose a running plan is."""
    row = connection.execute(
        "SELECT customer_id FROM instalment_plan WHERE id = %s AND ended_on IS NULL", (number,)
    ).fetchone()
    return None if row is None else int(row[0])


def load_plans(connection: Connection, *, ended: bool, limit: int) -> list[PlanRow]:
    """Those that run, the newest first; with `ended` all."""
    with connection.cursor(row_factory=class_row(PlanRow)) as cursor:
        return cursor.execute(_PLANS, {"ended": ended, "limit": limit}).fetchall()


def load_case_customer(connection: Connection, case_id: int) -> int | None:
    """Whose an open case is."""
    row = connection.execute(
        "SELECT customer_id FROM dunning_case WHERE id = %s AND cleared_at IS NULL", (case_id,)
    ).fetchone()
    return None if row is None else int(row[0])


def save_confirmation(connection: Connection, case_id: int, step: str, *, by: str, now: datetime) -> bool:
    """Note that a step may go; False when that was said."""
    done = connection.execute(
        "INSERT INTO dunning_confirmation (case_id, step, confirmed_at, confirmed_by) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (case_id, step, now, by),
    )
    return done.rowcount == 1


def load_notice(connection: Connection, number: int) -> NoticeRow | None:
    """One formal notice."""
    with connection.cursor(row_factory=class_row(NoticeRow)) as cursor:
        return cursor.execute(_NOTICES + "WHERE f.id = %s", (number,)).fetchone()


def load_notices(connection: Connection, *, delivered: bool, limit: int) -> list[NoticeRow]:
    """Those that are under way, the oldest first; with `delivered` all, the newest first. A mail that went out is under way no more."""
    under_way = f"WHERE f.delivered_at IS NULL AND c.cleared_at IS NULL AND NOT (f.channel = 'email' AND {notice_messages.OUT_AT} IS NOT NULL) ORDER BY f.id"
    where = "ORDER BY f.id DESC" if delivered else under_way
    with connection.cursor(row_factory=class_row(NoticeRow)) as cursor:
        return cursor.execute(f"{_NOTICES} {where} LIMIT %s", (limit,)).fetchall()


def save_delivery(connection: Connection, number: int, *, at: datetime, by: str, proof_id: int | None) -> None:
    """A notice came."""
    connection.execute(
        "UPDATE formal_notice SET delivered_at = %s, delivered_by = %s, proof_id = %s WHERE id = %s",
        (at, by, proof_id, number),
    )

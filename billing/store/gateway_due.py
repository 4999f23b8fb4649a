"""Which open invoices gateway accounts are to collect by themselves, read in one query; what is asked for, written in two.

Units: a day of collecting begins at DAY_BEGINS of the issuer's zone, after the night's own work on the books.
Next: billing/gateways/due.py
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import psycopg

from billing.documents import Due
from billing.gateways.due import Candidate, ToAsk, Why
from billing.money import read_money

Connection = psycopg.Connection[Any]

DAY_BEGINS: Final = timedelta(hours=5)
# So long an invoice that is mailed waits for its page; then it goes without.
PAGE_AWAITED: Final = timedelta(hours=1)
_KEY_OCTETS: Final = 24

_FLAGS: Final = """
    CASE WHEN o.currency <> i.currency THEN 'OTHER_CURRENCY'
        WHEN EXISTS (SELECT FROM dunning_dispute AS x WHERE x.document_id = o.document_id AND x.closed_at IS NULL) THEN 'DISPUTED'
        WHEN EXISTS (SELECT FROM instalment_plan_document AS x JOIN instalment_plan AS p ON p.id = x.plan_id WHERE x.document_id = o.document_id AND p.ended_on IS NULL) THEN 'IN_PLAN'
        WHEN EXISTS (SELECT FROM gateway_charge AS x JOIN presentment AS p ON p.charge_id = x.id WHERE x.document_id = o.document_id AND x.withdrawn_at IS NULL
            AND x.state IN ('open', 'presented', 'pending') AND p.state IN ('asked', 'presented') AND coalesce(p.expires_at > now(), true)) THEN 'UNDER_WAY'
        WHEN EXISTS (SELECT FROM open_payment AS x WHERE x.customer_id = o.customer_id AND x.issuer_id = o.issuer_id AND x.currency = o.currency)
            OR EXISTS (SELECT FROM open_document AS x WHERE x.customer_id = o.customer_id AND x.issuer_id = o.issuer_id AND x.currency = o.currency AND x.open < 0) THEN 'HAS_CREDIT' END
"""
# A charge that stands in the way of another: only one that was withdrawn because less is owed makes way.
_STANDS: Final = "(g.withdrawn_at IS NULL OR g.withdrawn_by IS NOT NULL)"
_WITHOUT_PAGE: Final = f"""
    NOT EXISTS (SELECT FROM gateway_charge AS g JOIN presentment AS p ON p.charge_id = g.id WHERE g.document_id = o.document_id AND p.kind = 'link' AND {_STANDS})
"""
# Where a debit is to pay it there is no page, unless that was tried in vain. An aggregate, so that it is asked of each and not worked out of all.
_NOT_DEBITED: Final = """
    CASE WHEN EXISTS (SELECT FROM mandate AS m JOIN gateway_account AS b ON b.id = m.account_id
            WHERE m.customer_id = o.customer_id AND m.state = 'active' AND b.issuer_id = o.issuer_id AND b.enabled AND b.debits_since <= d.document_date)
        THEN (SELECT coalesce(bool_or(p.state = 'refused' OR g.state IN ('failed', 'expired', 'reversed', 'disputed')), false)
            FROM gateway_charge AS g JOIN presentment AS p ON p.charge_id = g.id WHERE g.document_id = o.document_id AND p.kind = 'debit')
        ELSE true END
"""
_PARTS: Final = """
    (SELECT array_agg(u.due_on ORDER BY u.number) FROM document_due AS u WHERE u.document_id = o.document_id), (SELECT array_agg(u.amount ORDER BY u.number) FROM document_due AS u WHERE u.document_id = o.document_id)
"""
# Found first: what of theirs may be new. Parts, and what is left out, are looked at below, of a few at a time.
_TO_DEBIT: Final = f"""
SELECT DISTINCT o.customer_id, o.document_id
FROM gateway_account AS a JOIN issuer AS i ON i.id = a.issuer_id CROSS JOIN LATERAL (SELECT (%(now)s AT TIME ZONE i.zone - %(begins)s)::date + a.debit_days AS until) AS t
    JOIN open_document AS o ON o.issuer_id = a.issuer_id AND o.open > 0 AND o.due_on <= t.until JOIN document AS d ON d.id = o.document_id AND d.document_date >= a.debits_since
    JOIN mandate AS m ON m.customer_id = o.customer_id AND m.account_id = a.id AND m.state = 'active'
WHERE a.enabled AND NOT EXISTS (SELECT FROM gateway_charge AS g WHERE g.document_id = o.document_id AND g.due_on >= CASE WHEN o.in_parts THEN t.until ELSE o.due_on END AND {_STANDS})
"""  # noqa: S608 - our own text
_TO_PAGE: Final = f"""
SELECT o.customer_id, o.document_id FROM gateway_account AS a JOIN document AS d ON d.issuer_id = a.issuer_id AND d.document_date >= greatest(a.pages_since, %(since)s)
    JOIN open_document AS o ON o.document_id = d.id AND o.open > 0
WHERE a.enabled AND a.pages_since IS NOT NULL AND {_WITHOUT_PAGE} AND {_NOT_DEBITED}
"""  # noqa: S608 - our own text
# The newest mandate counts where a customer has several.
_DEBITS: Final = f"""
SELECT DISTINCT ON (o.document_id) o.document_id, d.label, o.customer_id, c.name, a.id, a.name, m.id, o.currency, o.open, {_PARTS}, t.until,
    (SELECT max(g.due_on) FROM gateway_charge AS g WHERE g.document_id = o.document_id AND {_STANDS}), {_FLAGS}
FROM open_document AS o JOIN gateway_account AS a ON a.issuer_id = o.issuer_id JOIN issuer AS i ON i.id = a.issuer_id
    CROSS JOIN LATERAL (SELECT (%(now)s AT TIME ZONE i.zone - %(begins)s)::date + a.debit_days AS until) AS t
    JOIN document AS d ON d.id = o.document_id AND d.document_date >= a.debits_since
    JOIN mandate AS m ON m.customer_id = o.customer_id AND m.account_id = a.id AND m.state = 'active' JOIN customer AS c ON c.id = o.customer_id
WHERE o.document_id = ANY (%(documents)s) AND o.open > 0 AND o.due_on <= t.until AND a.enabled
ORDER BY o.document_id, m.id DESC
"""  # noqa: S608 - our own text
_PAGES: Final = f"""
SELECT o.document_id, d.label, o.customer_id, c.name, a.id, a.name, NULL, o.currency, o.open, {_PARTS}, o.due_on, NULL, {_FLAGS}
FROM open_document AS o JOIN gateway_account AS a ON a.issuer_id = o.issuer_id JOIN issuer AS i ON i.id = a.issuer_id
    JOIN document AS d ON d.id = o.document_id AND d.document_date >= a.pages_since JOIN customer AS c ON c.id = o.customer_id
WHERE o.document_id = ANY (%(documents)s) AND o.open > 0 AND a.enabled
    AND {_WITHOUT_PAGE} AND {_NOT_DEBITED}
ORDER BY o.document_id
"""  # noqa: S608 - our own text
_WRITE: Final = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS g (key text, account_id bigint, customer_id bigint, document_id bigint, currency text, amount numeric, words text, due_on date,
        mandate_id bigint, kind text, asked_key text)
), charged AS (
    INSERT INTO gateway_charge (key, account_id, customer_id, document_id, currency, amount, words, due_on, made_by)
    SELECT key, account_id, customer_id, document_id, currency, amount, words, due_on, %(by)s FROM given ORDER BY document_id
    ON CONFLICT (document_id, due_on) WHERE due_on IS NOT NULL AND (withdrawn_at IS NULL OR withdrawn_by IS NOT NULL) DO NOTHING RETURNING id, key
)
INSERT INTO presentment (account_id, kind, key, charge_id, mandate_id, made_by)
SELECT g.account_id, g.kind::presentment_kind, g.asked_key, c.id, g.mandate_id, %(by)s FROM charged AS c JOIN given AS g ON g.key = c.key
"""
_ASKED_PAGES: Final = """
SELECT DISTINCT c.document_id FROM gateway_charge AS c JOIN presentment AS p ON p.charge_id = c.id
WHERE c.document_id = ANY (%(documents)s) AND c.withdrawn_at IS NULL AND p.kind = 'link' AND p.state = 'asked'
"""


# Whose, and which document.
Found = tuple[int, int]


def find_to_debit(connection: Connection, *, now: datetime) -> list[Found]:
    """What accounts may be to debit by themselves; load_to_debit says what of it."""
    return connection.execute(_TO_DEBIT, {"now": now, "begins": DAY_BEGINS}).fetchall()


def find_to_page(connection: Connection, *, since: date = date.min) -> list[Found]:
    """What may be to get a page by itself, of invoices of that day and later; load_to_page says what of it."""
    return connection.execute(_TO_PAGE, {"since": since}).fetchall()


def load_to_debit(connection: Connection, documents: Sequence[int], *, now: datetime) -> list[Candidate]:
    """Of these invoices those that accounts are to debit by themselves, as far as their days have come."""
    asked = {"now": now, "begins": DAY_BEGINS, "documents": list(documents)}
    return [_candidate(row) for row in connection.execute(_DEBITS, asked)]


def load_to_page(connection: Connection, documents: Sequence[int]) -> list[Candidate]:
    """Of these invoices those that are to get a page to pay on by themselves."""
    return [_candidate(row) for row in connection.execute(_PAGES, {"documents": list(documents)})]


def load_awaited(connection: Connection, document_ids: Sequence[int]) -> set[int]:
    """Of these documents those whose page is still to be made by itself: who mails them waits, but not for more than PAGE_AWAITED."""
    asked = {"documents": list(document_ids), "longest": PAGE_AWAITED}
    young = connection.execute(
        "SELECT id FROM document WHERE id = ANY (%(documents)s) AND issued_at > now() - %(longest)s", asked
    ).fetchall()
    if not young:
        return set()
    ids = [number for (number,) in young]
    made = {one.document_id for one in load_to_page(connection, ids) if one.left_out is None}
    return made | {number for (number,) in connection.execute(_ASKED_PAGES, {"documents": ids})}


def write_asked(connection: Connection, rows: Iterable[ToAsk], *, made_by: str) -> int:
    """Write charges with what a provider is to do, of customers who are held; how many. A due day that was debited is not again."""
    given = [_row(one) for one in rows]
    if not given:
        return 0
    return connection.execute(_WRITE, {"rows": json.dumps(given), "by": made_by}).rowcount


def _row(one: ToAsk) -> dict[str, object]:
    found = one.candidate
    return {
        "key": secrets.token_urlsafe(_KEY_OCTETS),
        "asked_key": secrets.token_urlsafe(_KEY_OCTETS),
        "account_id": found.account_id,
        "customer_id": found.customer_id,
        "document_id": found.document_id,
        "currency": one.amount.currency,
        "amount": str(one.amount.amount),
        "words": found.label,
        "due_on": None if one.due_on is None else one.due_on.isoformat(),
        "mandate_id": found.mandate_id,
        "kind": "link" if found.mandate_id is None else "debit",
    }


def _candidate(row: tuple[Any, ...]) -> Candidate:
    (document, label, customer, name, account, account_name, mandate, currency, open_, days, amounts, until, asked_to, left_out) = row  # fmt: skip
    parts: list[tuple[date, Any]] = list(zip(days or (), amounts or (), strict=True))
    return Candidate(
        *(document, label, customer, name, account, account_name, mandate),
        open=read_money(open_, currency),
        parts=tuple(Due(day, read_money(amount, currency)) for day, amount in parts),
        until=until,
        asked_to=asked_to,
        left_out=None if left_out is None else Why[left_out],
    )

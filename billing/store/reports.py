"""What an accountant looks at, read from what stands in the books: journal, balances, cards, statements, what is open.

Rows come one by one from the database, however many there are. Every sum is of stored amounts: nothing here prorates, rounds
or works out tax. Amounts have their currency's places; an issuer's books of several currencies are never added up.

Units: days are civil dates of the issuer's zone; `until` is the last day that is shown.
Source: billing model sections 12 and 13.

Next: billing/store/turnover.py
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import psycopg

from billing.reports import AgeingRow, CardRow, JournalRow, MovedMoney, OpenRow, StatementRow, TrialBalanceRow
from billing.store.overdrawn import OVERDRAWN
from billing.store.report_rows import read_few, stream

Connection = psycopg.Connection[Any]
# Up to how many days over its due day a part counts in each column of the ageing.
AGES: Final = (0, 30, 60, 90)


_JOURNAL: Final = """
SELECT e.id, e.dated, e.source, d.label, coalesce(e.note, replace(e.kind, '_', ' ')), e.evidence, e.corrects_id, a.code, a.name, p.customer_id, e.currency,
    CASE WHEN p.amount > 0 THEN p.amount END, CASE WHEN p.amount < 0 THEN -p.amount END, e.made_by
FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id
    LEFT JOIN document d ON e.source = 'document' AND d.id = e.source_id
WHERE e.issuer_id = %(issuer)s AND e.dated BETWEEN %(since)s AND %(until)s
    AND (%(by_hand)s::boolean IS NOT TRUE OR e.source <> 'document')
ORDER BY e.dated, e.id, p.number
"""
_TRIAL_BALANCE: Final = """
SELECT a.code, a.name, a.role::text, s.currency, s.opening, s.debit, s.credit, s.opening + s.debit - s.credit
FROM (SELECT p.account_id, e.currency, coalesce(sum(p.amount) FILTER (WHERE e.dated < %(since)s), 0) AS opening,
        coalesce(sum(p.amount) FILTER (WHERE e.dated >= %(since)s AND p.amount > 0), 0) AS debit,
        coalesce(-sum(p.amount) FILTER (WHERE e.dated >= %(since)s AND p.amount < 0), 0) AS credit
    FROM entry e JOIN posting p ON p.entry_id = e.id WHERE e.issuer_id = %(issuer)s AND e.dated <= %(until)s GROUP BY 1, 2) AS s
    JOIN ledger_account a ON a.id = s.account_id
ORDER BY a.code, s.currency
"""
_CARD: Final = """
WITH legs AS (
    SELECT e.dated, e.id, p.number, d.label, coalesce(e.note, replace(e.kind, '_', ' ')) AS said, p.customer_id, e.currency, p.amount
    FROM entry e JOIN posting p ON p.entry_id = e.id LEFT JOIN document d ON e.source = 'document' AND d.id = e.source_id
    WHERE e.issuer_id = %(issuer)s AND e.dated BETWEEN %(since)s AND %(until)s AND p.account_id = %(account)s
), before AS (
    SELECT e.currency, sum(p.amount) AS amount FROM entry e JOIN posting p ON p.entry_id = e.id
    WHERE e.issuer_id = %(issuer)s AND e.dated < %(since)s AND p.account_id = %(account)s GROUP BY 1
)
SELECT %(since)s::date, NULL::bigint, NULL, 'balance before', NULL::bigint, currency, NULL::numeric, NULL::numeric, amount, 0 AS number FROM before
UNION ALL
SELECT l.dated, l.id, l.label, l.said, l.customer_id, l.currency, CASE WHEN l.amount > 0 THEN l.amount END, CASE WHEN l.amount < 0 THEN -l.amount END,
    coalesce(b.amount, 0) + sum(l.amount) OVER (PARTITION BY l.currency ORDER BY l.dated, l.id, l.number), l.number
FROM legs l LEFT JOIN before b USING (currency)
ORDER BY 6, 1, 2 NULLS FIRST, 10
"""
_STATEMENT: Final = """
WITH legs AS (
    SELECT e.dated, e.id, p.number, e.source, e.source_id, e.kind, e.note, e.currency, p.amount
    FROM posting p JOIN entry e ON e.id = p.entry_id WHERE p.customer_id = %(customer)s AND e.issuer_id = %(issuer)s AND e.dated <= %(until)s
), before AS (
    SELECT currency, coalesce(sum(amount) FILTER (WHERE dated < %(since)s), 0) AS amount FROM legs GROUP BY 1
)
SELECT %(since)s::date AS dated, 'balance before', '', NULL::date, currency, NULL::numeric, NULL::numeric, amount, NULL::bigint AS entry, 0 AS number FROM before
UNION ALL
SELECT l.dated, replace(l.kind, '_', ' '), coalesce(d.label, l.note, ''), (SELECT min(u.due_on) FROM document_due u WHERE u.document_id = d.id),
    l.currency, CASE WHEN l.amount > 0 THEN l.amount END, CASE WHEN l.amount < 0 THEN -l.amount END,
    b.amount + sum(l.amount) OVER (PARTITION BY l.currency ORDER BY l.dated, l.id, l.number), l.id, l.number
FROM legs l JOIN before b USING (currency) LEFT JOIN document d ON l.source = 'document' AND d.id = l.source_id
WHERE l.dated >= %(since)s
ORDER BY 5, 1, 9 NULLS FIRST, 10
"""
_MOVED: Final = """
WITH own AS (
    SELECT DISTINCT e.id, e.source, e.source_id FROM posting p JOIN entry e ON e.id = p.entry_id
    WHERE p.customer_id = %(customer)s AND e.issuer_id = %(issuer)s AND e.dated BETWEEN %(since)s AND %(until)s AND e.source <> 'document'
)
SELECT e.id, m.code, m.name, p.source::text, p.reference, 'payment ' || p.id,
    (SELECT b.told ->> 'creditor_reference' FROM bank_line b WHERE b.payment_id = p.id AND b.amount > 0 ORDER BY b.id LIMIT 1), NULL
FROM own e LEFT JOIN payment_match x ON e.source = 'payment_match' AND x.id = e.source_id
    JOIN payment p ON p.id = coalesce(x.payment_id, e.source_id) JOIN payment_method m ON m.id = p.method_id
WHERE e.source IN ('payment', 'payment_match', 'payment_reversal')
UNION ALL
SELECT e.id, m.code, m.name, r.source::text, r.reference, 'refund ' || r.id, NULL, NULL
FROM own e JOIN refund r ON r.id = e.source_id JOIN payment_method m ON m.id = r.method_id WHERE e.source = 'refund'
UNION ALL
SELECT e.id, NULL, NULL, NULL, NULL, NULL, NULL, d.label
FROM own e JOIN write_off w ON w.id = e.source_id JOIN document d ON d.id = w.invoice_id WHERE e.source IN ('write_off', 'write_off_undo')
"""
# What is settled of an invoice settles its parts in the order in which they fall due; most have one, and need no look at it.
_PARTS: Final = f"""
SELECT o.document_id, o.customer_id, o.currency, o.due_on, o.open FROM open_document o
WHERE o.issuer_id = %(issuer)s AND NOT o.in_parts AND (%(customer)s::bigint IS NULL OR o.customer_id = %(customer)s)
UNION ALL
SELECT o.document_id, o.customer_id, o.currency, u.due_on, least(u.amount, u.through - (d.payable - o.open))
FROM open_document o JOIN document d ON d.id = o.document_id
    CROSS JOIN LATERAL (SELECT due_on, amount, sum(amount) OVER (ORDER BY due_on, number) AS through FROM document_due WHERE document_id = o.document_id) u
WHERE o.issuer_id = %(issuer)s AND o.in_parts AND u.through > d.payable - o.open AND (%(customer)s::bigint IS NULL OR o.customer_id = %(customer)s)
UNION ALL
SELECT NULL, o.customer_id, o.currency, p.value_on, -o.open FROM open_payment o JOIN payment p ON p.id = o.payment_id
WHERE o.issuer_id = %(issuer)s AND o.customer_id IS NOT NULL AND (%(customer)s::bigint IS NULL OR o.customer_id = %(customer)s)
UNION ALL
SELECT NULL, o.customer_id, o.currency, o.dated, o.owed FROM ({OVERDRAWN}) AS o WHERE o.issuer_id = %(issuer)s AND (%(customer)s::bigint IS NULL OR o.customer_id = %(customer)s)
"""  # noqa: S608 - our own text
# The oldest come first without a look at the others: `o.due_on` is the first day on which something is still due.
_OPEN: Final = f"""
SELECT label, what, customer_id, customer, dated, due_on, currency, payable, open, late FROM (
SELECT d.label, replace(d.kind::text, '_', ' '), o.customer_id, d.customer_data ->> 'name', d.document_date, p.due_on, o.currency, d.payable, p.open,
    CASE WHEN p.open > 0 THEN greatest(0, %(today)s - p.due_on) ELSE 0 END, o.document_id
FROM (SELECT * FROM open_document WHERE issuer_id = %(issuer)s AND (%(customer)s::bigint IS NULL OR customer_id = %(customer)s)
        AND (NOT %(overdue)s OR (open > 0 AND due_on < %(today)s)) ORDER BY due_on, document_id LIMIT %(limit)s) AS o
    JOIN document d ON d.id = o.document_id
    CROSS JOIN LATERAL (SELECT o.due_on, o.open WHERE NOT o.in_parts
        UNION ALL SELECT u.due_on, least(u.amount, u.through - (d.payable - o.open))
            FROM (SELECT due_on, amount, sum(amount) OVER (ORDER BY due_on, number) AS through FROM document_due WHERE document_id = o.document_id) u
            WHERE o.in_parts AND u.through > d.payable - o.open AND (NOT %(overdue)s OR u.due_on < %(today)s)) AS p
UNION ALL
SELECT p.reference, 'payment', o.customer_id, c.name, p.value_on, p.value_on, o.currency, p.amount, -o.open, 0, NULL
FROM open_payment o JOIN payment p ON p.id = o.payment_id JOIN customer c ON c.id = o.customer_id
WHERE NOT %(overdue)s AND o.issuer_id = %(issuer)s AND (%(customer)s::bigint IS NULL OR o.customer_id = %(customer)s)
UNION ALL
SELECT o.reference, 'payment returned', o.customer_id, c.name, o.dated, o.dated, o.currency, o.owed, o.owed, greatest(0, %(today)s - o.dated), NULL
FROM ({OVERDRAWN}) AS o JOIN customer c ON c.id = o.customer_id
WHERE (NOT %(overdue)s OR o.dated < %(today)s) AND o.issuer_id = %(issuer)s AND (%(customer)s::bigint IS NULL OR o.customer_id = %(customer)s)
) AS own (label, what, customer_id, customer, dated, due_on, currency, payable, open, late, document_id)
ORDER BY due_on, document_id NULLS LAST, label LIMIT %(limit)s
"""  # noqa: S608 - our own text
_AGEING: Final = f"""
SELECT o.customer_id, c.name, o.currency, o.not_due, o.up_to_30, o.up_to_60, o.up_to_90, o.over_90, o.credit, o.together
FROM (SELECT own.customer_id, own.currency,
        coalesce(sum(own.open) FILTER (WHERE own.open > 0 AND age <= %(ages)s[1]), 0) AS not_due, coalesce(sum(own.open) FILTER (WHERE own.open > 0 AND age > %(ages)s[1] AND age <= %(ages)s[2]), 0) AS up_to_30,
        coalesce(sum(own.open) FILTER (WHERE own.open > 0 AND age > %(ages)s[2] AND age <= %(ages)s[3]), 0) AS up_to_60, coalesce(sum(own.open) FILTER (WHERE own.open > 0 AND age > %(ages)s[3] AND age <= %(ages)s[4]), 0) AS up_to_90,
        coalesce(sum(own.open) FILTER (WHERE own.open > 0 AND age > %(ages)s[4]), 0) AS over_90, coalesce(sum(own.open) FILTER (WHERE own.open < 0), 0) AS credit, sum(own.open) AS together
    FROM (SELECT part.*, %(today)s - part.due_on AS age FROM ({_PARTS}) AS part) AS own GROUP BY 1, 2) AS o JOIN customer c ON c.id = o.customer_id
ORDER BY c.name, o.customer_id, o.currency
"""  # noqa: S608 - our own text


def stream_journal(
    connection: Connection, issuer_id: int, *, since: date, until: date, by_hand: bool = False
) -> Iterator[JournalRow]:
    """Every posting in order of day and entry; `by_hand`: without those of documents."""
    facts = {"issuer": issuer_id, "since": since, "until": until, "by_hand": by_hand}
    return stream(connection, JournalRow, _JOURNAL, facts)


def stream_trial_balance(
    connection: Connection, issuer_id: int, *, until: date, since: date | None = None
) -> Iterator[TrialBalanceRow]:
    """Each account that was posted to, up to a day; without `since` all of it moved in the period."""
    facts = {"issuer": issuer_id, "since": since or date.min, "until": until}
    return read_few(connection, TrialBalanceRow, _TRIAL_BALANCE, facts)


def stream_card(
    connection: Connection, issuer_id: int, account_id: int, *, since: date, until: date
) -> Iterator[CardRow]:
    """What moved on one account, with a running balance in each currency."""
    facts = {"issuer": issuer_id, "account": account_id, "since": since, "until": until}
    return stream(connection, CardRow, _CARD, facts)


def stream_statement(
    connection: Connection, issuer_id: int, customer_id: int, *, since: date, until: date
) -> Iterator[StatementRow]:
    """A customer's account: the balance before, then every document and entry, with a running balance in each currency."""
    facts = {"issuer": issuer_id, "customer": customer_id, "since": since, "until": until}
    return stream(connection, StatementRow, _STATEMENT, facts)


def load_moved(
    connection: Connection, issuer_id: int, customer_id: int, *, since: date, until: date
) -> dict[int, MovedMoney]:
    """What is behind the entries of a customer's account that are no document's and not by hand, by entry."""
    facts = {"issuer": issuer_id, "customer": customer_id, "since": since, "until": until}
    return {
        entry: MovedMoney(entry, None if code is None else (code, name), *rest)
        for entry, code, name, *rest in connection.execute(_MOVED, facts)
    }


def stream_open(
    connection: Connection,
    issuer_id: int,
    *,
    today: date,
    customer_id: int | None = None,
    overdue: bool = False,
    limit: int | None = None,
) -> Iterator[OpenRow]:
    """What is open, the oldest due day first; `overdue`: only what should have been paid before today."""
    facts = {"issuer": issuer_id, "today": today, "customer": customer_id, "overdue": overdue, "limit": limit}
    return stream(connection, OpenRow, _OPEN, facts)


def stream_ageing(
    connection: Connection, issuer_id: int, *, today: date, customer_id: int | None = None
) -> Iterator[AgeingRow]:
    """What each customer has open, by how late it is."""
    facts = {"issuer": issuer_id, "today": today, "customer": customer_id, "ages": list(AGES)}
    return stream(connection, AgeingRow, _AGEING, facts)

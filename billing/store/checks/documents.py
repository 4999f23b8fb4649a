"""Documents: their numbers, their sums, what of them was given back and what of them is open.

Next: billing/store/checks/contracts.py
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from psycopg.rows import tuple_row

from billing.recomputed import DocumentFacts, LineFacts, document_faults
from billing.store.checks.check import Check, Connection, by_statement

NUMBERS: Final = by_statement(
    "numbers",
    "I8",
    "numbers of a register and year are 1 to n without hole or double, dates never go back, and its counter stands at the last",
    walks="document_register",
    step=1,
    statement="""
WITH numbered AS (
    SELECT r.code, d.year, d.number, d.label, d.document_date, r.pattern, lag(d.number) OVER own AS before, lag(d.document_date) OVER own AS day_before
    FROM document d JOIN document_register r ON r.id = d.register_id WHERE d.register_id BETWEEN %(first)s AND %(last)s AND d.state <> 'draft'
    WINDOW own AS (PARTITION BY d.register_id, d.year ORDER BY d.number)
), counted AS (
    SELECT register_id, year, max(number) AS last_number, max(document_date) AS last_date FROM document
    WHERE register_id BETWEEN %(first)s AND %(last)s AND state <> 'draft' GROUP BY 1, 2
)
SELECT format('register %%s of %%s', code, year), CASE
        WHEN number = before THEN format('number %%s stands twice', number)
        WHEN number > coalesce(before, 0) + 1 THEN format('numbers %%s to %%s are missing', coalesce(before, 0) + 1, number - 1)
        WHEN document_date < day_before THEN format('number %%s is of %%s, after one of %%s', number, document_date, day_before)
        WHEN year <> extract(year FROM document_date) THEN format('number %%s is of %%s', number, document_date)
        ELSE format('number %%s is printed as %%s', number, label)
    END
FROM numbered
WHERE number <> coalesce(before, 0) + 1 OR document_date < day_before OR year <> extract(year FROM document_date)
    OR label <> replace(replace(replace(pattern, '{number}', number::text), '{year}', year::text), '{code}', code)
UNION ALL
SELECT format('register %%s of %%s', r.code, year), format('its counter stands at %%s of %%s and its last document is %%s of %%s',
    coalesce(y.last_number, 0), coalesce(y.last_date::text, 'no day'), coalesce(c.last_number, 0), coalesce(c.last_date::text, 'no day'))
FROM (SELECT * FROM register_year WHERE register_id BETWEEN %(first)s AND %(last)s) AS y FULL JOIN counted c USING (register_id, year)
    JOIN document_register r ON r.id = register_id
WHERE coalesce(y.last_number, 0) <> coalesce(c.last_number, 0) OR y.last_date IS DISTINCT FROM c.last_date
ORDER BY 1, 2
""",
)

DUES: Final = by_statement(
    "due days",
    "I9",
    "the parts in which an invoice is to be paid are what is payable, and each part belongs to a document",
    walks="document",
    step=20_000,
    statement="""
SELECT 'document ' || d.id, format('its due days are %%s together and payable is %%s', coalesce(u.amount, 0), d.payable)
FROM document d CROSS JOIN LATERAL (SELECT sum(amount) AS amount FROM document_due WHERE document_id = d.id) AS u
WHERE d.id BETWEEN %(first)s AND %(last)s AND d.state <> 'draft' AND d.kind = 'invoice' AND coalesce(u.amount, 0) <> d.payable ORDER BY d.id
""",
)

CREDITED: Final = by_statement(
    "credited lines",
    "I10",
    "what was given back of a line is counted, never more than the line, and taxed as the line was",
    walks="document",
    step=20_000,
    statement="""
WITH given AS (
    SELECT l.corrects_id AS document_id, l.corrects_number AS number, sum(CASE d.kind WHEN 'credit_note' THEN l.net ELSE -l.net END) AS credited
    FROM document_line l JOIN document d ON d.id = l.document_id
    WHERE l.corrects_id BETWEEN %(first)s AND %(last)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') GROUP BY 1, 2
), kept AS (
    SELECT document_id, number, net, credited FROM credited_line WHERE document_id BETWEEN %(first)s AND %(last)s
)
SELECT subject, message FROM (
SELECT document_id, number, format('line %%s of document %%s', number, document_id) AS subject, CASE
        WHEN coalesce(g.credited, 0) <> coalesce(k.credited, 0) THEN format('%%s of it is counted as given back, its credits are %%s', coalesce(k.credited, 0), coalesce(g.credited, 0))
        WHEN k.net <> l.net THEN format('it is %%s and was counted as %%s', l.net, k.net)
        ELSE format('%%s of %%s was given back', g.credited, l.net)
    END AS message
FROM given g FULL JOIN kept k USING (document_id, number) LEFT JOIN document_line l USING (document_id, number)
WHERE coalesce(g.credited, 0) <> coalesce(k.credited, 0) OR k.net <> l.net OR NOT coalesce(g.credited BETWEEN least(0, l.net) AND greatest(0, l.net), g.credited IS NULL)
UNION ALL
SELECT l.corrects_id, l.corrects_number, format('line %%s of document %%s', l.number, l.document_id),
    format('it gives back at %%s%%%% what was charged at %%s%%%%', trim_scale(l.rate), trim_scale(o.rate)) || CASE WHEN l.rate = o.rate THEN ' in another way' ELSE '' END
FROM document_line l JOIN document d ON d.id = l.document_id JOIN document_line o ON o.document_id = l.corrects_id AND o.number = l.corrects_number
WHERE l.corrects_id BETWEEN %(first)s AND %(last)s AND d.state = 'issued' AND (l.rate, l.nature, l.liability, l.legal_reference) IS DISTINCT FROM (o.rate, o.nature, o.liability, o.legal_reference)
) AS wrong ORDER BY document_id, number
""",
)

# The counters of what is open are held against allocations and refunds, and those against their documents.
SETTLED: Final = by_statement(
    "settled",
    "I9, I32",
    "what is settled of a document is no more than it, between documents of one customer and currency, and the rest is open",
    walks="document",
    step=20_000,
    statement="""
WITH rest AS (
    SELECT d.id, d.payable, coalesce((SELECT sum(amount) FROM allocation WHERE invoice_id = d.id), 0) + coalesce((SELECT sum(amount) FROM allocation WHERE credit_note_id = d.id), 0)
            + coalesce((SELECT sum(amount) FROM refund WHERE credit_note_id = d.id), 0) AS settled,
        coalesce(o.open, 0) AS open, CASE d.kind WHEN 'credit_note' THEN -1 ELSE 1 END AS sign, o.due_on, o.in_parts
    FROM document d LEFT JOIN open_document o ON o.document_id = d.id
    WHERE d.id BETWEEN %(first)s AND %(last)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note')
), parts AS (
    SELECT r.id, r.due_on AS kept_on, r.in_parts, u.due_on, sum(u.amount) OVER (PARTITION BY r.id ORDER BY u.due_on, u.number) > r.payable - r.open AS is_open
    FROM rest r JOIN document_due u ON u.document_id = r.id WHERE r.open > 0
)
SELECT 'document ' || id, message FROM (
    SELECT id, CASE WHEN settled > payable THEN format('%%s of it are settled and payable is %%s', settled, payable)
        ELSE format('%%s of it are kept as open; payable %%s less settled %%s is %%s', open, payable, settled, sign * (payable - settled)) END AS message
    FROM rest WHERE settled > payable OR open <> sign * (payable - settled)
    UNION ALL
    SELECT id, format('it is kept as due on %%s and %%s, which is %%s and %%s', kept_on, CASE WHEN in_parts THEN 'later' ELSE 'never again' END,
        min(due_on), CASE WHEN count(*) > 1 THEN 'later' ELSE 'never again' END)
    FROM parts WHERE is_open GROUP BY id, kept_on, in_parts HAVING (kept_on, in_parts) IS DISTINCT FROM (min(due_on), count(*) > 1)
    UNION ALL
    SELECT i.id, format('it is settled by document %%s of another customer, issuer or currency', n.id) FROM allocation s JOIN document i ON i.id = s.invoice_id JOIN document n ON n.id = s.credit_note_id
    WHERE s.invoice_id BETWEEN %(first)s AND %(last)s AND (i.customer_id, i.issuer_id, i.currency) <> (n.customer_id, n.issuer_id, n.currency)
) AS wrong ORDER BY wrong.id, message
""",
)

# Without a recharged stamp duty, which is no part of an order; an advance that was given back counts for nothing.
ORDERS: Final = by_statement(
    "orders",
    "I9",
    "the invoices of an order, with all its advances, are the order in each tax treatment; those of a cancelled one are given back",
    walks="document",
    step=20_000,
    statement="""
WITH asked AS (
    SELECT id, label, state FROM document WHERE id BETWEEN %(first)s AND %(last)s AND kind = 'order' AND state IN ('accepted', 'refused')
), own (id, document_id, sign) AS (
    SELECT id, id, -1 FROM asked WHERE state = 'accepted'
    UNION ALL SELECT a.id, i.id, 1 FROM asked a JOIN document i ON i.from_id = a.id AND i.kind = 'invoice' AND i.state = 'issued'
    UNION ALL SELECT a.id, n.id, -1 FROM asked a JOIN document i ON i.from_id = a.id AND i.kind = 'invoice' AND i.is_advance JOIN document n ON n.corrects_id = i.id AND n.state = 'issued'
), part AS (
    SELECT o.id, t.rate, t.nature, t.liability, o.sign * t.base AS base, o.sign * t.tax AS tax FROM own o JOIN document_tax t ON t.document_id = o.document_id
    UNION ALL SELECT o.id, l.rate, l.nature, l.liability, -o.sign * l.net, 0 FROM own o JOIN document_line l ON l.document_id = o.document_id JOIN ledger_account a ON a.id = l.account_id
    WHERE a.role = 'stamp_duty'
)
SELECT 'document ' || a.id, format('at %%s its invoices are %%s of base and %%s of tax off', coalesce(p.nature, trim_scale(p.rate) || '%%'), sum(p.base), sum(p.tax))
FROM part p JOIN asked a USING (id) GROUP BY a.id, p.rate, p.nature, p.liability HAVING sum(p.base) <> 0 OR sum(p.tax) <> 0 ORDER BY a.id, p.rate, p.nature
""",
)

_HEADS: Final = """
SELECT id, currency, includes_tax OR kind = 'credit_note' OR from_id IS NOT NULL, net, tax, gross, payable FROM document WHERE id BETWEEN %s AND %s AND state <> 'draft' ORDER BY id
"""
_LINES: Final = """
SELECT document_id, net, quantity, unit_price, discount, rate, nature, liability::text, legal_reference FROM document_line WHERE document_id BETWEEN %s AND %s ORDER BY document_id, number
"""
_GROUPS: Final = """
SELECT document_id, rate, nature, liability::text, CASE WHEN nature IS NOT NULL THEN legal_reference END, base, tax FROM document_tax WHERE document_id BETWEEN %s AND %s ORDER BY document_id
"""


def _find_sums(connection: Connection, first: int, last: int) -> Iterator[tuple[str, str]]:
    heads = _rows(connection, _HEADS, first, last)
    lines = _by_document(_rows(connection, _LINES, first, last))
    groups = _by_document(_rows(connection, _GROUPS, first, last))
    for number, currency, takes_rest, *sums in heads:
        own = lines.get(number, ())
        facts = DocumentFacts(
            currency,
            takes_rest,
            tuple(LineFacts(*row[2:]) for row in own),
            tuple(row[1] for row in own),
            tuple(row[1:] for row in groups.get(number, ())),
            *sums,
        )
        for fault in document_faults(facts):
            yield f"document {number}", fault


def _rows(connection: Connection, statement: str, first: int, last: int) -> list[tuple[Any, ...]]:
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        return cursor.execute(statement, (first, last)).fetchall()


def _by_document(rows: list[tuple[Any, ...]]) -> dict[int, tuple[tuple[Any, ...], ...]]:
    return {number: tuple(own) for number, own in groupby(rows, key=itemgetter(0))}


SUMS: Final = Check(
    "documents",
    "I9",
    "a document's lines, tax groups and sums are what its prices, discounts and quantities come to",
    "document",
    10_000,
    _find_sums,
)
DOCUMENT_CHECKS: Final[tuple[Check, ...]] = (NUMBERS, SUMS, DUES, CREDITED, SETTLED, ORDERS)

"""The ledger: entries balance, stand on open days, and say what documents and customers' balances say.

Next: billing/store/checks/documents.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

ENTRIES: Final = by_statement(
    "entries",
    "I1",
    "every entry has two postings or more, which sum to zero, on its issuer's accounts",
    walks="entry",
    step=50_000,
    statement="""
SELECT 'entry ' || e.id, CASE
        WHEN p.legs < 2 THEN format('it has %%s postings', p.legs)
        WHEN p.total <> 0 THEN format('its postings sum to %%s %%s', p.total, e.currency)
        WHEN p.away THEN 'it posts to an account of another issuer'
        WHEN p.named THEN 'a customer is named on an account that has none, or the other way round'
        ELSE 'an amount is nothing or has more places than its currency'
    END
FROM (SELECT e.id, count(p.entry_id) AS legs, coalesce(sum(p.amount), 0) AS total, bool_or(a.issuer_id <> e.issuer_id) AS away,
        bool_or((a.role = 'customers') <> (p.customer_id IS NOT NULL)) AS named, bool_or(p.amount = 0 OR p.amount <> round(p.amount, currency_places(e.currency))) AS off
    FROM entry e LEFT JOIN posting p ON p.entry_id = e.id AND p.entry_id BETWEEN %(first)s AND %(last)s LEFT JOIN ledger_account a ON a.id = p.account_id
    WHERE e.id BETWEEN %(first)s AND %(last)s GROUP BY e.id) AS p JOIN entry e USING (id)
WHERE p.legs < 2 OR p.total <> 0 OR p.away OR p.named OR p.off
UNION ALL
SELECT 'entry ' || p.entry_id, 'its postings are there and it is not' FROM posting p
WHERE p.entry_id BETWEEN %(first)s AND %(last)s AND NOT EXISTS (SELECT FROM entry e WHERE e.id = p.entry_id) GROUP BY p.entry_id
ORDER BY 1
""",
)

CLOSED_DAYS: Final = by_statement(
    "closed days",
    "closing",
    "nothing was posted on a day after it was closed",
    walks="entry",
    step=200_000,
    statement="""
SELECT 'entry ' || e.id, format('dated %%s and written at %%s, when %%s was closed', e.dated, e.made_at, f.during)
FROM entry e JOIN fiscal_period f ON f.issuer_id = e.issuer_id AND f.during @> e.dated
WHERE e.id BETWEEN %(first)s AND %(last)s AND e.made_at > f.closed_at ORDER BY e.id
""",
)

# Entries one by one: joined, they would be walked whole for each stretch of customers.
BALANCES: Final = by_statement(
    "balances",
    "I2",
    "a customer's balance is the sum of its postings, and of its documents with the entries that are no document's",
    walks="customer",
    step=2_000,
    statement="""
WITH booked AS (
    SELECT p.customer_id, e.issuer_id, e.currency, sum(p.amount) AS postings, coalesce(sum(p.amount) FILTER (WHERE e.source <> 'document'), 0) AS others
    FROM posting p CROSS JOIN LATERAL (SELECT issuer_id, currency, source FROM entry WHERE id = p.entry_id OFFSET 0) AS e
    WHERE p.customer_id BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 3
), owed AS (
    SELECT customer_id, issuer_id, currency, sum(CASE kind WHEN 'invoice' THEN payable ELSE -payable END) AS documents
    FROM document WHERE customer_id BETWEEN %(first)s AND %(last)s AND state = 'issued' AND kind IN ('invoice', 'credit_note') GROUP BY 1, 2, 3
), counted AS (
    SELECT customer_id, issuer_id, currency, balance FROM customer_balance WHERE customer_id BETWEEN %(first)s AND %(last)s
)
SELECT format('customer %%s with issuer %%s', customer_id, issuer_id), CASE
        WHEN coalesce(balance, 0) <> coalesce(postings, 0) THEN format('its balance is kept as %%s %%s and its postings sum to %%s', coalesce(balance, 0), currency, coalesce(postings, 0))
        ELSE format('its postings sum to %%s %%s; its documents are %%s and its other entries %%s', coalesce(postings, 0), currency, coalesce(documents, 0), coalesce(others, 0))
    END
FROM booked FULL JOIN owed USING (customer_id, issuer_id, currency) FULL JOIN counted USING (customer_id, issuer_id, currency)
WHERE coalesce(balance, 0) <> coalesce(postings, 0) OR coalesce(postings, 0) <> coalesce(documents, 0) + coalesce(others, 0)
ORDER BY customer_id, issuer_id, currency
""",
)

# What lines say by account, the header by role: of customers and of tax an issuer may have had several accounts.
BOOKINGS: Final = by_statement(
    "bookings",
    "I28",
    "every invoice and credit note has its entry, which says what its lines say by account, and its tax: the VAT register's",
    walks="document",
    step=10_000,
    statement="""
WITH legs AS (
    SELECT l.document_id AS id, l.account_id::text AS place, CASE d.kind WHEN 'credit_note' THEN l.net ELSE -l.net END AS ought, 0::numeric AS stands
    FROM document_line l JOIN document d ON d.id = l.document_id
    WHERE l.document_id BETWEEN %(first)s AND %(last)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note')
    UNION ALL SELECT id, 'customers', CASE kind WHEN 'credit_note' THEN -payable ELSE payable END, 0
    FROM document WHERE id BETWEEN %(first)s AND %(last)s AND state = 'issued' AND kind IN ('invoice', 'credit_note')
    UNION ALL SELECT t.document_id, 'vat_output', CASE d.kind WHEN 'credit_note' THEN t.tax ELSE -t.tax END, 0 FROM document_tax t JOIN document d ON d.id = t.document_id
    WHERE t.document_id BETWEEN %(first)s AND %(last)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note')
    UNION ALL SELECT t.document_id, 'vat_split', CASE d.kind WHEN 'credit_note' THEN -t.tax ELSE t.tax END, 0 FROM document_tax t JOIN document d ON d.id = t.document_id
    WHERE t.document_id BETWEEN %(first)s AND %(last)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') AND t.liability = 'split'
    UNION ALL SELECT e.source_id, CASE WHEN a.role IN ('customers', 'vat_output', 'vat_split') THEN a.role::text ELSE a.id::text END, 0, p.amount
    FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id
    WHERE e.source = 'document' AND e.source_id BETWEEN %(first)s AND %(last)s
), off AS (
    SELECT id, place, sum(ought) AS ought, sum(stands) AS stands FROM legs GROUP BY 1, 2 HAVING sum(ought) <> sum(stands)
), head AS (
    SELECT d.id, own.entries, own.elsewhere, d.gross <> 0 OR EXISTS (SELECT FROM document_line l WHERE l.document_id = d.id GROUP BY l.account_id HAVING sum(l.net) <> 0) AS wanted
    FROM document d CROSS JOIN LATERAL (
        SELECT count(*) AS entries, bool_or(e.dated <> d.document_date OR e.currency <> d.currency OR e.issuer_id <> d.issuer_id OR e.kind <> d.kind::text) AS elsewhere
        FROM entry e WHERE e.source = 'document' AND e.source_id = d.id) AS own
    WHERE d.id BETWEEN %(first)s AND %(last)s AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note')
)
SELECT 'document ' || id, message FROM (
    SELECT id, CASE WHEN entries = 0 THEN 'it has no entry' WHEN entries > 1 THEN format('it has %%s entries', entries)
        ELSE 'its entry is of another day, issuer, currency or kind' END AS message
    FROM head WHERE (entries = 0 AND wanted) OR entries > 1 OR elsewhere
    UNION ALL
    SELECT o.id, format('%%s stands at %%s and the document says %%s', coalesce('account ' || (SELECT code FROM ledger_account a WHERE a.id::text = o.place), o.place), o.stands, o.ought)
    FROM off o WHERE (SELECT count(*) FROM entry e WHERE e.source = 'document' AND e.source_id = o.id) = 1
        AND EXISTS (SELECT FROM document d WHERE d.id = o.id AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note'))
    UNION ALL
    SELECT DISTINCT d.id, 'its entry names another customer' FROM entry e JOIN posting p ON p.entry_id = e.id JOIN document d ON d.id = e.source_id
    WHERE e.source = 'document' AND e.source_id BETWEEN %(first)s AND %(last)s AND p.customer_id <> d.customer_id AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note')
    UNION ALL
    SELECT e.source_id, 'its entry is there and it is no issued document' FROM entry e WHERE e.source = 'document' AND e.source_id BETWEEN %(first)s AND %(last)s
        AND NOT EXISTS (SELECT FROM document d WHERE d.id = e.source_id AND d.state = 'issued' AND d.kind IN ('invoice', 'credit_note'))
) AS wrong ORDER BY wrong.id, message
""",
)

SOLD: Final = by_statement(
    "turnover",
    "I2",
    "the turnover by day, product and account is the sum of the lines that were issued",
    walks="",
    step=1,
    statement="""
WITH issued AS (
    SELECT d.issuer_id, d.document_date AS dated, coalesce(l.product_id, 0) AS product_id, l.account_id, d.currency, sum(CASE d.kind WHEN 'credit_note' THEN -l.net ELSE l.net END) AS net
    FROM document d JOIN document_line l ON l.document_id = d.id WHERE d.state = 'issued' AND d.kind IN ('invoice', 'credit_note') GROUP BY 1, 2, 3, 4, 5
), counted AS (
    SELECT issuer_id, dated, coalesce(product_id, 0) AS product_id, account_id, currency, sum(net) AS net FROM turnover GROUP BY 1, 2, 3, 4, 5
)
SELECT format('turnover of %%s', dated), format('account %%s, product %%s: counted %%s %%s, its lines are %%s', (SELECT code FROM ledger_account a WHERE a.id = account_id),
    coalesce((SELECT name FROM product p WHERE p.id = product_id), 'none'), coalesce(c.net, 0), currency, coalesce(i.net, 0))
FROM issued i FULL JOIN counted c USING (issuer_id, dated, product_id, account_id, currency)
WHERE coalesce(i.net, 0) <> coalesce(c.net, 0) ORDER BY issuer_id, dated, account_id, product_id, currency
""",
)

LEDGER_CHECKS: Final[tuple[Check, ...]] = (ENTRIES, CLOSED_DAYS, BALANCES, BOOKINGS, SOLD)

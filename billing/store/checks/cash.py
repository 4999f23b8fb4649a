"""Cash: receipts have no hole, hand-overs say what was counted, and collectors have what they have not handed over.

Next: billing/store/checks/commissions.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

RECEIPTS: Final = by_statement(
    "receipts",
    "I8, I17",
    "receipts and agents' settlements are numbered 1 to n a series and year, days not going back, and what a collector took has one",
    walks="",
    step=1,
    statement="""
WITH numbered AS (
    SELECT series_id, year, number, issued_on, lag(issued_on) OVER (PARTITION BY series_id ORDER BY year, number) AS before
    FROM (SELECT series_id, year, number, issued_on FROM receipt UNION ALL SELECT series_id, year, number, issued_on FROM agent_settlement) AS paper
), counted AS (
    SELECT series_id, year, count(*) AS many, max(number) AS last, min(number) AS first, bool_or(issued_on < before OR extract(year FROM issued_on) <> year) AS disorder FROM numbered GROUP BY series_id, year
)
SELECT format('series %%s of %%s', s.code, coalesce(c.year, y.year)), CASE WHEN c.disorder THEN 'its days go back or are of another year'
    WHEN c.first <> 1 OR c.many <> c.last THEN format('%%s numbers from %%s to %%s', c.many, c.first, c.last)
    ELSE format('its counter stands at %%s and its last number is %%s', coalesce(y.last_number, 0), coalesce(c.last, 0)) END
FROM counted c FULL JOIN number_series_year y ON y.series_id = c.series_id AND y.year = c.year
    JOIN number_series s ON s.id = coalesce(c.series_id, y.series_id)
WHERE c.disorder OR c.first <> 1 OR c.many <> c.last OR c.last IS DISTINCT FROM y.last_number
UNION ALL
SELECT 'payment ' || p.id, 'a collector took it and there is no receipt' FROM payment p WHERE p.source = 'collector' AND NOT EXISTS (SELECT FROM receipt r WHERE r.payment_id = p.id)
ORDER BY 1
""",
)

HAND_OVERS: Final = by_statement(
    "hand-overs",
    "I30",
    "a hand-over says what should have been there and what was counted, and its entry says the same",
    walks="cash_session",
    step=5_000,
    statement="""
WITH told AS (
    SELECT s.id, s.opening, s.expected, s.counted, cash_expected(s.id) AS should, coalesce((SELECT sum(c.value * c.pieces) FROM cash_count c WHERE c.session_id = s.id AND c.moment = 'closing'), 0) AS pieces,
        coalesce(e.with_collector, 0) AS with_collector, coalesce(e.cash, 0) AS cash, coalesce(e.shortage, 0) AS shortage
    FROM cash_session s LEFT JOIN LATERAL (SELECT sum(p.amount) FILTER (WHERE a.role = 'cash_with_collector') AS with_collector, sum(p.amount) FILTER (WHERE a.role = 'cash') AS cash,
            sum(p.amount) FILTER (WHERE a.role = 'cash_shortage') AS shortage
        FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id WHERE e.source = 'cash_session' AND e.source_id = s.id AND e.kind = 'cash_session') AS e ON true
    WHERE s.closed_at IS NOT NULL AND s.id BETWEEN %(first)s AND %(last)s
)
SELECT 'cash session ' || id, CASE WHEN expected <> should THEN format('%%s should have been there and it says %%s', should, expected)
    WHEN counted <> pieces THEN format('%%s were counted and it says %%s', pieces, counted) ELSE 'its entry says something else' END
FROM told WHERE expected <> should OR counted <> pieces OR (with_collector, cash, shortage) <> (opening - expected, counted - opening, expected - counted) ORDER BY id
""",
)

# Whose an entry on that account is follows from what it is of; nobody's are those by hand.
WITH_COLLECTORS: Final = by_statement(
    "cash with collectors",
    "I30",
    "what the books say that a collector has is what was received and not handed over, less what was taken back since",
    walks="",
    step=1,
    statement="""
WITH booked AS (
    SELECT s.collector_id, e.issuer_id, e.currency::text, sum(p.amount) AS amount
    FROM ledger_account a JOIN posting p ON p.account_id = a.id JOIN entry e ON e.id = p.entry_id
        LEFT JOIN receipt r ON e.source IN ('payment', 'payment_reversal') AND r.payment_id = e.source_id LEFT JOIN cash_withdrawal w ON e.source = 'cash_withdrawal' AND w.id = e.source_id
        LEFT JOIN cash_session s ON s.id = coalesce(r.session_id, w.session_id, CASE WHEN e.source = 'cash_session' THEN e.source_id END)
    WHERE a.role = 'cash_with_collector' GROUP BY 1, 2, 3
), moved AS (
    SELECT r.session_id, p.amount FROM receipt r JOIN payment p ON p.id = r.payment_id JOIN payment_method m ON m.id = p.method_id WHERE m.kind = 'cash'
    UNION ALL SELECT w.session_id, -w.amount FROM cash_withdrawal w
), has AS (
    SELECT s.collector_id, k.issuer_id, s.currency::text, sum(m.amount) AS amount FROM cash_session s JOIN collector k ON k.id = s.collector_id JOIN moved m ON m.session_id = s.id WHERE s.closed_at IS NULL GROUP BY 1, 2, 3
    UNION ALL
    SELECT s.collector_id, k.issuer_id, s.currency::text, -sum(p.amount) FROM payment_reversal v JOIN receipt r ON r.payment_id = v.payment_id JOIN cash_session s ON s.id = r.session_id
        JOIN collector k ON k.id = s.collector_id JOIN payment p ON p.id = v.payment_id JOIN payment_method m ON m.id = p.method_id AND m.kind = 'cash'
        LEFT JOIN cash_taken_back t ON t.payment_id = v.payment_id LEFT JOIN cash_session o ON o.id = t.session_id WHERE o.closed_at IS NULL GROUP BY 1, 2, 3
), owed AS (
    SELECT collector_id, issuer_id, currency, sum(amount) AS amount FROM has GROUP BY 1, 2, 3
)
SELECT coalesce('collector ' || coalesce(b.collector_id, o.collector_id), 'nobody') || ' with issuer ' || coalesce(b.issuer_id, o.issuer_id),
    format('the books say %%s %%s, and %%s are not handed over', coalesce(b.amount, 0), coalesce(b.currency, o.currency), coalesce(o.amount, 0))
FROM booked b FULL JOIN owed o ON o.collector_id = b.collector_id AND o.issuer_id = b.issuer_id AND o.currency = b.currency
WHERE coalesce(b.amount, 0) <> coalesce(o.amount, 0) ORDER BY 1
""",
)

CASH_CHECKS: Final[tuple[Check, ...]] = (RECEIPTS, HAND_OVERS, WITH_COLLECTORS)

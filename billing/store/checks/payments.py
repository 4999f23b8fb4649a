"""Payments: the books say each of them, and no more of one is settled or given back than it is.

Next: billing/store/checks/cash.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

# Sources are those of store/bookings.py: the event's table, whose row has the number of the entry's source.
BOOKED: Final = by_statement(
    "payments booked",
    "I17, I18",
    "the entry of a payment, match, reversal, refund or write-off says of its owner what it is",
    walks="entry",
    step=20_000,
    statement="""
WITH said AS (
    SELECT e.source, e.source_id AS id, e.issuer_id, e.currency::text, sum(p.amount) FILTER (WHERE a.role IN ('customers', 'suspense')) AS amount
    FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id
    WHERE e.id BETWEEN %(first)s AND %(last)s AND e.source IN ('payment', 'payment_reversal', 'payment_match', 'refund', 'write_off', 'write_off_undo') AND e.kind = e.source GROUP BY e.id
)
SELECT replace(s.source, '_', ' ') || ' ' || s.id, CASE WHEN v.amount IS NULL THEN 'it has an entry and is not there'
    ELSE format('its entry says %%s of its owner and it is %%s', s.amount, v.amount) END
FROM said s LEFT JOIN LATERAL (
    SELECT p.issuer_id, p.currency::text, -p.amount AS amount FROM payment p WHERE s.source = 'payment' AND p.id = s.id
    UNION ALL SELECT p.issuer_id, p.currency, p.amount FROM payment_reversal r JOIN payment p ON p.id = r.payment_id WHERE s.source = 'payment_reversal' AND r.payment_id = s.id
    UNION ALL SELECT p.issuer_id, p.currency, 0 FROM payment_match m JOIN payment p ON p.id = m.payment_id WHERE s.source = 'payment_match' AND m.id = s.id
    UNION ALL SELECT coalesce(p.issuer_id, d.issuer_id), coalesce(p.currency::text, d.currency::text), f.amount
        FROM refund f LEFT JOIN payment p ON p.id = f.payment_id LEFT JOIN document d ON d.id = f.credit_note_id WHERE s.source = 'refund' AND f.id = s.id
    UNION ALL SELECT d.issuer_id, d.currency, -w.amount FROM write_off w JOIN document d ON d.id = w.invoice_id WHERE s.source = 'write_off' AND w.id = s.id
    UNION ALL SELECT d.issuer_id, d.currency, w.amount FROM write_off_undo u JOIN write_off w ON w.id = u.write_off_id JOIN document d ON d.id = w.invoice_id
        WHERE s.source = 'write_off_undo' AND w.id = s.id) AS v ON true
WHERE (s.issuer_id, s.currency, s.amount) IS DISTINCT FROM (v.issuer_id, v.currency, v.amount) ORDER BY 1
""",
)

UNBOOKED: Final = by_statement(
    "payments in the books",
    "I17, I18",
    "no payment, match, reversal, refund or write-off is without its entry",
    walks="",
    step=1,
    statement="""
SELECT replace(v.source, '_', ' ') || ' ' || v.id, 'it has no entry' FROM (
    SELECT 'payment' AS source, id FROM payment UNION ALL SELECT 'payment_reversal', payment_id FROM payment_reversal UNION ALL SELECT 'payment_match', id FROM payment_match
    UNION ALL SELECT 'refund', id FROM refund UNION ALL SELECT 'write_off', id FROM write_off UNION ALL SELECT 'write_off_undo', write_off_id FROM write_off_undo) AS v
WHERE NOT EXISTS (SELECT FROM entry e WHERE e.source = v.source AND e.source_id = v.id AND e.kind = v.source) ORDER BY 1
""",
)

LEFT: Final = by_statement(
    "payments left",
    "I15, I16, I18, I32",
    "what a payment has left is what it is less what it settles and what was given back; one that came back settles nothing",
    walks="payment",
    step=20_000,
    statement="""
WITH rest AS (
    SELECT p.id, p.amount, p.issuer_id, p.currency, owner_of_payment(p.id) AS customer_id, r.payment_id IS NOT NULL AS gone,
        coalesce((SELECT sum(a.amount) FROM allocation a WHERE a.payment_id = p.id), 0) AS settled, coalesce((SELECT sum(f.amount) FROM refund f WHERE f.payment_id = p.id), 0) AS given
    FROM payment p LEFT JOIN payment_reversal r ON r.payment_id = p.id WHERE p.id BETWEEN %(first)s AND %(last)s
), left_over AS (
    SELECT *, CASE WHEN gone THEN 0 ELSE amount - given END - settled AS open FROM rest
)
SELECT 'payment ' || id, message FROM (
    SELECT l.id, CASE WHEN l.open < 0 THEN format('%%s of it settle invoices and %%s were given back, and it is %%s%%s', l.settled, l.given, l.amount, CASE WHEN l.gone THEN ', which came back' ELSE '' END)
        ELSE format('%%s of customer %%s are kept as left, which is %%s of customer %%s', coalesce(o.open, 0), coalesce(o.customer_id::text, 'nobody'), l.open, coalesce(l.customer_id::text, 'nobody')) END AS message
    FROM left_over l LEFT JOIN open_payment o ON o.payment_id = l.id
    WHERE l.open < 0 OR coalesce(o.open, 0) <> l.open OR (o.payment_id IS NOT NULL AND (o.customer_id, o.issuer_id, o.currency::text) IS DISTINCT FROM (l.customer_id, l.issuer_id, l.currency::text))
    UNION ALL
    SELECT p.id, format('it settles invoice %%s of another customer, issuer or currency', i.label) FROM allocation a JOIN rest p ON p.id = a.payment_id JOIN document i ON i.id = a.invoice_id
    GROUP BY p.id, i.id, p.customer_id, p.issuer_id, p.currency HAVING sum(a.amount) <> 0 AND (i.customer_id, i.issuer_id, i.currency::text) IS DISTINCT FROM (p.customer_id, p.issuer_id, p.currency::text)
) AS wrong ORDER BY wrong.id, message
""",
)

# Only those whose it is not: with nothing left there, what BOOKED looks at makes the owner's part right.
OWNERS: Final = by_statement(
    "payments of one owner",
    "I16, I18",
    "what became of a payment leaves nothing with anybody but its owner",
    walks="payment",
    step=20_000,
    statement="""
WITH paid AS (
    SELECT id, owner_of_payment(id) AS owner FROM payment WHERE id BETWEEN %(first)s AND %(last)s
), became AS (
    SELECT id, 'payment' AS source, id AS source_id FROM paid UNION ALL SELECT payment_id, 'payment_reversal', payment_id FROM payment_reversal WHERE payment_id BETWEEN %(first)s AND %(last)s
    UNION ALL SELECT payment_id, 'payment_match', id FROM payment_match WHERE payment_id BETWEEN %(first)s AND %(last)s
    UNION ALL SELECT payment_id, 'refund', id FROM refund WHERE payment_id BETWEEN %(first)s AND %(last)s
), stands AS (
    SELECT b.id, o.customer_id, sum(o.amount) AS amount FROM became b CROSS JOIN LATERAL (
        SELECT p.customer_id, p.amount FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id
        WHERE e.source = b.source AND e.source_id = b.source_id AND e.kind = b.source AND a.role IN ('customers', 'suspense') OFFSET 0) AS o
    GROUP BY b.id, o.customer_id HAVING sum(o.amount) <> 0
)
SELECT 'payment ' || s.id, format('its entries leave %%s with customer %%s, and it is of customer %%s', s.amount, coalesce(s.customer_id::text, 'nobody'), coalesce(p.owner::text, 'nobody'))
FROM stands s JOIN paid p USING (id) WHERE s.customer_id IS DISTINCT FROM p.owner ORDER BY s.id, s.customer_id
""",
)

PAYMENT_CHECKS: Final[tuple[Check, ...]] = (BOOKED, UNBOOKED, LEFT, OWNERS)

"""Dunning: nobody is limited for what is not owed, reliefs end with their promises, what is held back is of who owes it.

Next: billing/store/checks/catalogue.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

# By the day of now: a case is cleared, and its limits are lifted, in the transaction that pays. What only waits for a person does not count.
LIMITS: Final = by_statement(
    "dunning limits",
    "I19, I24",
    "what a run of dunning limits stands on an open case of who pays for it, who has something overdue",
    walks="restriction",
    step=20_000,
    statement="""
WITH limits AS (
    SELECT r.id, r.contract_id, r.level, coalesce(t.payer_id, c.customer_id) AS customer_id, i.id AS issuer_id, coalesce(t.currency, i.currency) AS currency, (now() AT TIME ZONE i.zone)::date AS today
    FROM restriction r JOIN contract c ON c.id = r.contract_id LEFT JOIN contract_terms t ON t.contract_id = c.id JOIN issuer i ON i.id = coalesce(t.issuer_id, (SELECT min(id) FROM issuer))
    WHERE r.id BETWEEN %(first)s AND %(last)s AND r.origin = 'dunning' AND r.lifted_at IS NULL AND r.run_id IS NOT NULL AND r.held_since IS NULL
), judged AS (
    SELECT l.*, EXISTS (SELECT FROM open_document o WHERE o.customer_id = l.customer_id AND o.issuer_id = l.issuer_id AND o.currency = l.currency AND o.open > 0 AND o.due_on < l.today) AS owes,
        EXISTS (SELECT FROM dunning_case d WHERE d.customer_id = l.customer_id AND d.issuer_id = l.issuer_id AND d.currency = l.currency AND d.cleared_at IS NULL) AS pursued FROM limits l
)
SELECT 'contract ' || contract_id, format('it is %%s by dunning and customer %%s %%s', level, customer_id, CASE WHEN owes THEN 'has no open case' ELSE 'has nothing overdue' END)
FROM judged WHERE NOT owes OR NOT pursued ORDER BY id
""",
)

CASES: Final = by_statement(
    "dunning cases",
    "I19, I25",
    "an open case has something open to pursue",
    walks="dunning_case",
    step=20_000,
    statement="""
SELECT 'dunning case ' || c.id, format('it is open and customer %%s has nothing open in %%s', c.customer_id, c.currency) FROM dunning_case c
WHERE c.id BETWEEN %(first)s AND %(last)s AND c.cleared_at IS NULL
    AND NOT EXISTS (SELECT FROM open_document o WHERE o.customer_id = c.customer_id AND o.issuer_id = c.issuer_id AND o.currency = c.currency AND o.open > 0) ORDER BY c.id
""",
)

PROMISES: Final = by_statement(
    "promises",
    "I26",
    "the reliefs of a promise end with its respite",
    walks="promise",
    step=20_000,
    statement="""
SELECT 'promise ' || p.id, format('its respite ends at %%s and it opens contract %%s until %%s', p.respite_until AT TIME ZONE 'UTC', r.contract_id, upper(r.during) AT TIME ZONE 'UTC')
FROM promise p JOIN promise_relief g ON g.promise_id = p.id JOIN relief r ON r.id = g.relief_id
WHERE p.id BETWEEN %(first)s AND %(last)s AND upper(r.during) > greatest(p.respite_until, lower(r.during) + interval '1 microsecond') ORDER BY p.id
""",
)

HELD_BACK: Final = by_statement(
    "held back",
    "I24",
    "no more of an invoice is in dispute than it is, and a plan is for invoices of its customer",
    walks="",
    step=1,
    statement="""
SELECT 'document ' || s.document_id, format('%%s of it are in dispute, and it is %%s of %%s', sum(s.amount), d.kind, d.payable) FROM dunning_dispute s JOIN document d ON d.id = s.document_id
WHERE s.closed_at IS NULL GROUP BY s.document_id, d.id HAVING sum(s.amount) > d.payable OR d.kind <> 'invoice'
UNION ALL SELECT 'plan ' || p.id, format('document %%s is of another customer, issuer or currency', n.document_id) FROM instalment_plan p JOIN instalment_plan_document n ON n.plan_id = p.id
    JOIN document d ON d.id = n.document_id WHERE (d.customer_id, d.issuer_id, d.currency) IS DISTINCT FROM (p.customer_id, p.issuer_id, p.currency) ORDER BY 1
""",
)

DUNNING_CHECKS: Final[tuple[Check, ...]] = (LIMITS, CASES, PROMISES, HELD_BACK)

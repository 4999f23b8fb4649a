"""What is kept for evidence: who wrote, what callers were answered, what was done about a debt.

Next: billing/store/checks/payments.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

# Rows that triggers of the audit log counted against rows that are there; only documents may be deleted, as drafts. What credit notes
# settled was called settlement before there were payments.
ACTORS: Final = by_statement(
    "actors",
    "I34",
    "every entry, document, charge, payment and allocation was written by somebody, and the audit log counted it",
    walks="",
    step=1,
    statement="""
WITH kept (name, rows, unsigned) AS (
    SELECT 'entry', count(*), count(*) FILTER (WHERE made_by = '') FROM entry UNION ALL SELECT 'document', count(*), count(*) FILTER (WHERE made_by = '') FROM document
    UNION ALL SELECT 'charge', count(*), count(*) FILTER (WHERE made_by = '') FROM charge UNION ALL SELECT 'allocation', count(*), 0 FROM allocation UNION ALL SELECT 'payment', count(*), count(*) FILTER (WHERE made_by = '') FROM payment
), logged AS (
    SELECT CASE split_part(action, '.', 1) WHEN 'settlement' THEN 'allocation' ELSE split_part(action, '.', 1) END AS name, sum(CASE WHEN action LIKE '%%.delete' THEN -1 ELSE (detail ->> 'rows')::bigint END) AS rows
    FROM audit_log WHERE action IN ('entry.insert', 'document.insert', 'document.delete', 'charge.insert', 'payment.insert', 'allocation.insert', 'settlement.insert') GROUP BY 1
)
SELECT name || ' of all', CASE WHEN k.unsigned > 0 THEN format('%%s rows have no writer', k.unsigned)
    ELSE format('it has %%s rows and the audit log counted %%s', k.rows, coalesce(l.rows, 0)) END
FROM kept k LEFT JOIN logged l USING (name) WHERE k.unsigned > 0 OR k.rows <> coalesce(l.rows, 0) ORDER BY name
""",
)

ANSWERS: Final = by_statement(
    "answers",
    "I31",
    "a key of a caller has one answer",
    walks="",
    step=1,
    statement="""
SELECT format('key %%s of %%s on %%s', key, caller, route), CASE WHEN count(*) > 1 THEN format('it has %%s answers', count(*)) ELSE 'it has no answer' END
FROM idempotency_key GROUP BY caller, route, key HAVING count(*) > 1 OR bool_or(status IS NULL OR answer IS NULL) ORDER BY 1
""",
)

STEPS: Final = by_statement(
    "dunning steps",
    "I25",
    "each step of a case ran once, none after the case was cleared",
    walks="dunning_case",
    step=20_000,
    statement="""
SELECT 'dunning case ' || c.id, CASE WHEN count(*) > 1 THEN format('step %%s ran %%s times', s.step, count(*)) ELSE format('step %%s ran after it was cleared', s.step) END
FROM dunning_case c JOIN dunning_case_step s ON s.case_id = c.id WHERE c.id BETWEEN %(first)s AND %(last)s
GROUP BY c.id, s.step HAVING count(*) > 1 OR bool_or(s.ran_at > c.cleared_at) ORDER BY c.id, s.step
""",
)

EVIDENCE_CHECKS: Final[tuple[Check, ...]] = (ACTORS, ANSWERS, STEPS)

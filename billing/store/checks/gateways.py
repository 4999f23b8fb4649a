"""Payouts of gateways against the books: each has its entry, with what reached the bank and what was kept.

Next: billing/store/checks/payments.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

PAID_OUT: Final = by_statement(
    "payouts of gateways",
    "I17, I18",
    "a payout has one entry, of what reached the bank and of the fees, against clearing",
    walks="",
    step=1,
    statement="""
SELECT 'payout ' || coalesce(p.id, e.source_id), CASE WHEN p.id IS NULL THEN 'it has an entry and is not there' WHEN e.id IS NULL THEN 'it has no entry'
    ELSE format('its entry says %%s to the bank and %%s of fees, it is %%s and %%s', e.bank, e.fees, p.amount, p.fee) END
FROM (SELECT * FROM payout WHERE amount <> 0 OR fee <> 0) AS p FULL JOIN (
    SELECT e.id, e.source_id, coalesce(sum(l.amount) FILTER (WHERE a.role = 'bank'), 0) AS bank, coalesce(sum(l.amount) FILTER (WHERE a.role = 'fees'), 0) AS fees
    FROM entry AS e JOIN posting AS l ON l.entry_id = e.id JOIN ledger_account AS a ON a.id = l.account_id WHERE e.source = 'payout' AND e.kind = 'payout' GROUP BY e.id) AS e ON e.source_id = p.id
WHERE p.id IS NULL OR e.id IS NULL OR (e.bank, e.fees) IS DISTINCT FROM (p.amount, p.fee) ORDER BY 1
""",
)

GATEWAY_CHECKS: Final[tuple[Check, ...]] = (PAID_OUT,)

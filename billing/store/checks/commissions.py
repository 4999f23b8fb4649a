"""Commissions: what was withdrawn sums to zero, nothing is paid twice, and settlements are what their rows and the books say.

Next: billing/store/checks/catalogue.py
"""

from __future__ import annotations

from typing import Final

from billing.store.checks.check import Check, by_statement

COMMISSIONS: Final = by_statement(
    "commissions",
    "I29",
    "the rows of money that was withdrawn sum to zero, a rule has one row of a money, contract and agent, and no row is in two settlements",
    walks="commission",
    step=20_000,
    statement="""
SELECT 'commission ' || id, message FROM (
    SELECT c.id, format('its money was withdrawn and %%s of it stay', c.amount + coalesce(b.amount, 0)) AS message
    FROM commission c JOIN allocation w ON w.withdraws_id = c.allocation_id LEFT JOIN commission b ON b.allocation_id = w.id AND b.rule_id = c.rule_id AND b.contract_id = c.contract_id AND b.agent_id = c.agent_id
    WHERE c.id BETWEEN %(first)s AND %(last)s AND c.amount + coalesce(b.amount, 0) <> 0
    UNION ALL
    SELECT min(c.id), format('%%s rows of one rule, agent, contract and money', count(*)) FROM commission c WHERE c.id BETWEEN %(first)s AND %(last)s AND c.allocation_id IS NOT NULL
    GROUP BY c.rule_id, c.contract_id, c.agent_id, c.allocation_id HAVING count(*) > 1
    UNION ALL
    SELECT c.id, format('it is in %%s settlements', count(*)) FROM commission c JOIN agent_settlement_line l ON l.commission_id = c.id
    WHERE c.id BETWEEN %(first)s AND %(last)s AND NOT EXISTS (SELECT FROM agent_settlement_undo u WHERE u.settlement_id = l.settlement_id) GROUP BY c.id HAVING count(*) > 1
) AS wrong ORDER BY id, message
""",
)

SETTLEMENTS: Final = by_statement(
    "agents' settlements",
    "I29",
    "a settlement is the sum of its commissions, and its entry says the same; so does the entry that takes it back",
    walks="agent_settlement",
    step=5_000,
    statement="""
WITH told AS (
    SELECT s.id, s.label, s.amount, (SELECT coalesce(sum(c.amount), 0) FROM agent_settlement_line l JOIN commission c ON c.id = l.commission_id WHERE l.settlement_id = s.id) AS rows,
        (SELECT count(*) FROM agent_settlement_undo u WHERE u.settlement_id = s.id) AS undone,
        (SELECT array_agg(e.source || ' ' || p.amount ORDER BY e.source, p.amount) FROM entry e JOIN posting p ON p.entry_id = e.id JOIN ledger_account a ON a.id = p.account_id AND a.role = 'agents_payable'
            WHERE e.source IN ('agent_settlement', 'agent_settlement_undo') AND e.source_id = s.id AND e.kind = e.source) AS booked
    FROM agent_settlement s WHERE s.id BETWEEN %(first)s AND %(last)s
)
SELECT 'settlement ' || label, CASE WHEN amount <> rows THEN format('it says %%s and its commissions are %%s', amount, rows) ELSE 'its entry says something else' END
FROM told WHERE amount <> rows OR booked IS DISTINCT FROM CASE WHEN undone > 0 THEN ARRAY['agent_settlement ' || -amount, 'agent_settlement_undo ' || amount] ELSE ARRAY['agent_settlement ' || -amount] END ORDER BY id
""",
)

COMMISSION_CHECKS: Final[tuple[Check, ...]] = (COMMISSIONS, SETTLEMENTS)

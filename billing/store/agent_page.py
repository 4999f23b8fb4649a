"""What an agent sees: the contracts that are theirs, and what they earned, page by page.

Next: billing/store/commissions.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.money import Money, read_money

Connection = psycopg.Connection[Any]

_CONTRACTS: Final = """
SELECT n.id, c.name, p.name, n.status::text, lower(a.during), upper(a.during)
FROM contract_agent AS a JOIN contract AS n ON n.id = a.contract_id JOIN customer AS c ON c.id = n.customer_id JOIN plan AS p ON p.id = n.plan_id
WHERE a.agent_id = %(agent)s AND (%(after)s::bigint IS NULL OR (n.id, lower(a.during)) < (%(after)s, %(since)s)) ORDER BY n.id DESC, lower(a.during) DESC LIMIT %(limit)s
"""
_EARNED: Final = """
SELECT e.id, e.earned_on, e.contract_id, d.label, e.cause::text, e.currency::text, e.base, e.amount, s.label
FROM commission AS e LEFT JOIN document AS d ON d.id = e.invoice_id
    LEFT JOIN LATERAL (SELECT t.label FROM agent_settlement_line AS l JOIN agent_settlement AS t ON t.id = l.settlement_id
        WHERE l.commission_id = e.id AND NOT EXISTS (SELECT FROM agent_settlement_undo AS u WHERE u.settlement_id = t.id) LIMIT 1) AS s ON true
WHERE e.agent_id = %(agent)s AND e.amount <> 0 AND (%(after)s::bigint IS NULL OR e.id < %(after)s)
    AND (%(settlement)s::bigint IS NULL OR e.id IN (SELECT l.commission_id FROM agent_settlement_line AS l WHERE l.settlement_id = %(settlement)s)) ORDER BY e.id DESC LIMIT %(limit)s
"""
_WAITING: Final = """
SELECT e.currency::text, sum(e.amount) FROM commission AS e
WHERE e.agent_id = %s AND NOT EXISTS (SELECT FROM agent_settlement_line AS l WHERE l.commission_id = e.id
    AND NOT EXISTS (SELECT FROM agent_settlement_undo AS u WHERE u.settlement_id = l.settlement_id))
GROUP BY e.currency HAVING sum(e.amount) <> 0 ORDER BY e.currency
"""


@dataclass(frozen=True, slots=True)
class BroughtContract:
    """A contract that is or was an agent's; `until` is its first day of somebody else."""

    id: int
    customer: str
    plan: str
    status: str
    since: date
    until: date | None


@dataclass(frozen=True, slots=True)
class EarnedLine:
    """A commission; `settlement` names the one that pays it."""

    id: int
    earned_on: date
    contract_id: int
    invoice: str | None
    cause: str
    base: Money
    amount: Money
    settlement: str | None


def load_brought_contracts(
    connection: Connection, agent_id: int, *, after: tuple[int, date] | None, limit: int
) -> list[BroughtContract]:
    """An agent's contracts, the newest first, those behind the one of that number and first day: a contract may be an agent's twice."""
    number, since = after or (None, None)
    rows = connection.execute(_CONTRACTS, {"agent": agent_id, "after": number, "since": since, "limit": limit})
    return [BroughtContract(*row) for row in rows]


def load_earned_lines(
    connection: Connection, agent_id: int, *, after: int | None, limit: int, settlement_id: int | None = None
) -> list[EarnedLine]:
    """What an agent earned or lost again, the newest first, what was written before number `after`; of one settlement, or all."""
    asked = {"agent": agent_id, "after": after, "limit": limit, "settlement": settlement_id}
    rows = connection.execute(_EARNED, asked)
    return [
        EarnedLine(id, on, contract, label, cause, read_money(base, code), read_money(amount, code), settlement)
        for id, on, contract, label, cause, code, base, amount, settlement in rows
    ]


def load_waiting_sums(connection: Connection, agent_id: int) -> list[Money]:
    """What was earned and no settlement pays yet, by currency."""
    return [read_money(amount, code) for code, amount in connection.execute(_WAITING, (agent_id,))]

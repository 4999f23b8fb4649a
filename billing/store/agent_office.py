"""Agents as the office sees them: how many contracts each has, up to which day each is settled, and what a rule has given.

Next: billing/store/agent_page.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.money import Money, read_money
from billing.store.commissions import Agent

Connection = psycopg.Connection[Any]

_OVERVIEW: Final = """
SELECT a.id, a.issuer_id, a.name, a.email, a.series_id, a.active,
    (SELECT count(*) FROM contract_agent AS c WHERE c.agent_id = a.id AND coalesce(upper(c.during) > %(on)s, true)), s.label, s.through
FROM agent AS a LEFT JOIN LATERAL (SELECT t.label, t.through FROM agent_settlement AS t WHERE t.agent_id = a.id
    AND NOT EXISTS (SELECT FROM agent_settlement_undo AS u WHERE u.settlement_id = t.id) ORDER BY t.id DESC LIMIT 1) AS s ON true
WHERE %(issuer)s::bigint IS NULL OR a.issuer_id = %(issuer)s ORDER BY a.name, a.id
"""
_COUNT: Final = """
SELECT count(*) FROM contract_agent AS c WHERE c.agent_id = %s AND coalesce(upper(c.during) > %s, true)
"""
_GIVEN_AFTER: Final = """
SELECT c.currency::text, sum(c.amount) FROM commission AS c JOIN document AS d ON d.id = c.invoice_id AND d.document_date > %s
WHERE c.rule_id = %s GROUP BY c.currency HAVING sum(c.amount) <> 0 ORDER BY c.currency
"""


@dataclass(frozen=True, slots=True)
class AgentOverview:
    """An agent with the contracts that are theirs now or later, and the last settlement that stands."""

    agent: Agent
    contracts: int
    settled_by: str | None
    settled_through: date | None


def load_overview(connection: Connection, *, on: date, issuer_id: int | None = None) -> list[AgentOverview]:
    """All agents, by name, with how many contracts are theirs on a day or later."""
    rows = connection.execute(_OVERVIEW, {"on": on, "issuer": issuer_id})
    return [AgentOverview(Agent(*row[:6]), *row[6:]) for row in rows]


def count_contracts(connection: Connection, agent_id: int, *, on: date) -> int:
    """How many contracts are an agent's on a day or later."""
    row = connection.execute(_COUNT, (agent_id, on)).fetchone()
    return 0 if row is None else int(row[0])


def load_given_after(connection: Connection, rule_id: int, day: date) -> list[Money]:
    """What a rule has given of invoices of later days, by currency: who ends it on that day takes it back."""
    return [read_money(amount, code) for code, amount in connection.execute(_GIVEN_AFTER, (day, rule_id))]

"""Agents, their rules, the contracts that they brought with the money that these got, and what was earned and settled.

Who works out or settles holds the customers first, as whoever moves their money does, then the agent.

Next: billing/store/payments.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import psycopg

from billing.commission_rules import Rule, RuleKind
from billing.commissions import Brought, Cause, Earned, EarningInvoice, EarningLine, MoneyIn
from billing.money import Money, read_money
from billing.store.payments import hold_customers
from billing.store.rows import insert_row

Connection = psycopg.Connection[Any]

_AGENTS: Final = """
SELECT a.id, a.issuer_id, a.name, a.email, a.series_id, a.active FROM agent AS a WHERE (%(id)s::bigint IS NULL OR a.id = %(id)s)
    AND (%(issuer)s::bigint IS NULL OR a.issuer_id = %(issuer)s) ORDER BY a.name, a.id
"""
_RULES: Final = """
SELECT id, kind::text, percent, flat, currency, product_id, agent_id, since, until, months, survives_months, after_periods
FROM commission_rule WHERE issuer_id = %s ORDER BY id
"""
_BROUGHT: Final = """
SELECT k.id, CASE WHEN k.status IN ('trial', 'active', 'free', 'ended') THEN k.starts_on END, CASE WHEN k.status = 'ended' THEN k.ends_on END,
    ARRAY(SELECT DISTINCT i.product_id FROM contract_item AS i WHERE i.contract_id = k.id AND i.product_id IS NOT NULL ORDER BY 1),
    ARRAY(SELECT lower(c.during) FROM contract_agent AS c WHERE c.contract_id = k.id AND c.agent_id = %(agent)s ORDER BY 1),
    ARRAY(SELECT upper(c.during) FROM contract_agent AS c WHERE c.contract_id = k.id AND c.agent_id = %(agent)s ORDER BY lower(c.during))
FROM contract AS k WHERE k.id IN (SELECT contract_id FROM contract_agent WHERE agent_id = %(agent)s UNION SELECT contract_id FROM commission WHERE agent_id = %(agent)s)
    AND (%(contracts)s::bigint[] IS NULL OR k.id = ANY (%(contracts)s)) ORDER BY k.id
"""
# What lines below zero of later invoices give back is less on those; only credit notes are taken off here.
_LINES: Final = """
SELECT l.contract_id, d.id, d.document_date, d.currency, d.payable - coalesce((SELECT sum(n.payable) FROM document AS n WHERE n.corrects_id = d.id AND n.kind = 'credit_note' AND n.state = 'issued'), 0),
    l.net - coalesce((SELECT sum(c.net) FROM document_line AS c JOIN document AS n ON n.id = c.document_id AND n.kind = 'credit_note' AND n.state = 'issued'
        WHERE c.corrects_id = l.document_id AND c.corrects_number = l.number), 0), l.product_id
FROM document_line AS l JOIN document AS d ON d.id = l.document_id AND d.kind = 'invoice' AND d.state = 'issued' AND d.issuer_id = %s
WHERE l.contract_id = ANY (%s) ORDER BY d.document_date, d.id, l.number
"""
# A credit note of another invoice hands on what was paid there; an invoice's own is no money.
_MONEY: Final = """
SELECT a.invoice_id, a.id, a.amount, a.withdraws_id, d.currency FROM allocation AS a JOIN document AS d ON d.id = a.invoice_id LEFT JOIN document AS n ON n.id = a.credit_note_id
WHERE a.invoice_id = ANY (%s) AND (a.payment_id IS NOT NULL OR n.corrects_id <> a.invoice_id) ORDER BY a.id
"""
_EARNED: Final = """
SELECT c.id, c.rule_id, c.agent_id, c.contract_id, c.invoice_id, c.allocation_id, c.cause::text, c.currency, c.base, c.amount, c.earned_on, d.label, s.label
FROM commission AS c LEFT JOIN document AS d ON d.id = c.invoice_id LEFT JOIN LATERAL (SELECT o.label FROM agent_settlement_line AS l JOIN agent_settlement AS o ON o.id = l.settlement_id
    WHERE l.commission_id = c.id AND NOT EXISTS (SELECT FROM agent_settlement_undo AS u WHERE u.settlement_id = o.id)) AS s ON true
WHERE c.agent_id = %(agent)s AND (%(contracts)s::bigint[] IS NULL OR c.contract_id = ANY (%(contracts)s)) ORDER BY c.id
"""
_WRITE: Final = """
INSERT INTO commission (rule_id, agent_id, contract_id, invoice_id, allocation_id, cause, currency, base, amount, earned_on)
SELECT n.rule, n.agent, n.contract, n.invoice, n.money, n.cause::commission_cause, n.currency, n.base, n.amount,
    CASE WHEN a.id IS NULL THEN %s ELSE (a.allocated_at AT TIME ZONE (SELECT i.zone FROM agent AS g JOIN issuer AS i ON i.id = g.issuer_id WHERE g.id = n.agent))::date END
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::numeric[], %s::numeric[])
    WITH ORDINALITY AS n (rule, agent, contract, invoice, money, cause, currency, base, amount, place) LEFT JOIN allocation AS a ON a.id = n.money ORDER BY n.place
"""
_CUSTOMERS: Final = """
SELECT d.customer_id FROM document_line AS l JOIN document AS d ON d.id = l.document_id WHERE l.contract_id = ANY (%(ids)s)
UNION SELECT k.customer_id FROM contract AS k WHERE k.id = ANY (%(ids)s)
"""
_ASSIGNMENTS: Final = """
SELECT k.id, k.starts_on, (SELECT a.agent_id FROM contract_agent AS a WHERE a.contract_id = k.id AND coalesce(upper(a.during) > %(on)s, true)
    ORDER BY lower(a.during) DESC LIMIT 1), ARRAY(SELECT DISTINCT a.agent_id FROM contract_agent AS a WHERE a.contract_id = k.id ORDER BY 1)
FROM contract AS k WHERE k.id = ANY (%(ids)s)
"""
_SETTLEMENTS: Final = """
SELECT s.id, s.agent_id, g.name, s.issuer_id, s.label, s.issued_on, s.through, s.currency, s.amount, s.made_by, (SELECT count(*) FROM agent_settlement_line AS l WHERE l.settlement_id = s.id), u.dated, u.reason
FROM agent_settlement AS s JOIN agent AS g ON g.id = s.agent_id LEFT JOIN agent_settlement_undo AS u ON u.settlement_id = s.id
"""


@dataclass(frozen=True, slots=True)
class Agent:
    """Who brings contracts."""

    id: int
    issuer_id: int
    name: str
    email: str | None
    series_id: int
    active: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """A contract with its first day, the agent whose it is, and all whose it is or was."""

    contract_id: int
    starts_on: date | None
    agent_id: int | None
    ever: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EarnedRow:
    """A commission with the day that it is of, the invoice's number and the settlement that pays it."""

    earned: Earned
    earned_on: date
    invoice: str | None
    settlement: str | None


@dataclass(frozen=True, slots=True)
class AgentSettlement:
    """A settlement; `undone_on` when it was taken back."""

    id: int
    agent_id: int
    agent: str
    issuer_id: int
    label: str
    issued_on: date
    through: date
    amount: Money
    made_by: str
    rows: int
    undone_on: date | None
    undone_for: str | None


def load_agents(connection: Connection, *, issuer_id: int | None = None, agent_id: int | None = None) -> list[Agent]:
    """Agents by name."""
    return [Agent(*row) for row in connection.execute(_AGENTS, {"id": agent_id, "issuer": issuer_id})]


def load_rules(connection: Connection, issuer_id: int) -> list[Rule]:
    """An issuer's rules in the order in which they were agreed."""
    return [
        Rule(id, RuleKind(kind), percent, None if flat is None else read_money(flat, currency), *rest)
        for id, kind, percent, flat, currency, *rest in connection.execute(_RULES, (issuer_id,))
    ]


def save_rule(connection: Connection, issuer_id: int, rule: Rule) -> int:
    """Write a rule; returns its number."""
    flat = rule.flat
    row = {
        "issuer_id": issuer_id,
        "agent_id": rule.agent_id,
        "kind": rule.kind,
        "percent": rule.percent,
        "flat": None if flat is None else flat.amount,
        "currency": None if flat is None else flat.currency,
        "product_id": rule.product_id,
        "since": rule.since,
        "until": rule.until,
        "months": rule.months,
        "survives_months": rule.survives_months,
        "after_periods": rule.after_periods,
    }
    return insert_row(connection, "commission_rule", row)


def assign_contract(connection: Connection, contract_id: int, agent_id: int | None, *, since: date) -> None:
    """From a day on a contract is that agent's, or nobody's; what was before stays."""
    connection.execute(
        "DELETE FROM contract_agent WHERE contract_id = %s AND lower(during) >= %s", (contract_id, since)
    )
    connection.execute(
        "UPDATE contract_agent SET during = daterange(lower(during), %s) WHERE contract_id = %s AND during @> %s",
        (since, contract_id, since),
    )
    if agent_id is not None:
        connection.execute(
            "INSERT INTO contract_agent (contract_id, agent_id, during) VALUES (%s, %s, daterange(%s, NULL))",
            (contract_id, agent_id, since),
        )


def load_assignments(connection: Connection, contract_ids: Sequence[int], *, on: date) -> dict[int, Assignment]:
    """These contracts by number, those that there are, with whose each is on a day or will be later."""
    rows = connection.execute(_ASSIGNMENTS, {"ids": list(contract_ids), "on": on})
    return {number: Assignment(number, starts_on, agent_id, tuple(ever)) for number, starts_on, agent_id, ever in rows}


def hold_agent_alone(connection: Connection, agent_id: int) -> Agent | None:
    """The agent of that number, which nobody else changes or settles until the transaction ends; None where there is none."""
    connection.execute("SELECT FROM agent WHERE id = %s FOR NO KEY UPDATE", (agent_id,))
    return next(iter(load_agents(connection, agent_id=agent_id)), None)


def load_rule(connection: Connection, rule_id: int, *, hold: bool = False) -> tuple[int, Rule] | None:
    """Whose rule of that number there is, and the rule; with `hold` nobody else ends it meanwhile."""
    statement = "SELECT issuer_id FROM commission_rule WHERE id = %s"
    row = connection.execute(f"{statement} FOR NO KEY UPDATE" if hold else statement, (rule_id,)).fetchone()
    if row is None:
        return None
    return row[0], next(one for one in load_rules(connection, row[0]) if one.id == rule_id)


def load_contracts_of(connection: Connection, agent_id: int) -> list[int]:
    """The contracts that are or were an agent's, or of which it earned."""
    rows = connection.execute(
        "SELECT contract_id FROM contract_agent WHERE agent_id = %(agent)s UNION SELECT contract_id FROM commission WHERE agent_id = %(agent)s ORDER BY 1",
        {"agent": agent_id},
    )
    return [number for (number,) in rows]


def hold_customers_of(connection: Connection, contract_ids: Sequence[int]) -> None:
    """Hold the customers of these contracts: nobody else moves their money or gives them to an agent meanwhile."""
    hold_customers(connection, [n for (n,) in connection.execute(_CUSTOMERS, {"ids": list(contract_ids)})])


def hold_agent(connection: Connection, agent_id: int, contract_ids: Sequence[int]) -> bool:
    """Hold the customers of these contracts, so that no money of theirs moves, then the agent; False when there is none."""
    hold_customers_of(connection, contract_ids)
    return connection.execute("SELECT FROM agent WHERE id = %s FOR NO KEY UPDATE", (agent_id,)).fetchone() is not None


def load_brought(connection: Connection, agent: Agent, contract_ids: Sequence[int] | None = None) -> list[Brought]:
    """An agent's contracts with their invoices and the money that these got."""
    asked = {"agent": agent.id, "contracts": None if contract_ids is None else list(contract_ids)}
    contracts = connection.execute(_BROUGHT, asked).fetchall()
    invoices = _load_invoices(connection, agent.issuer_id, [row[0] for row in contracts])
    one_day = timedelta(days=1)
    return [
        Brought(
            id,
            agent.id,
            started_on,
            ended_on,
            tuple(invoices.get(id, ())),
            frozenset(products),
            tuple((since, None if end is None else end - one_day) for since, end in zip(begins, ends, strict=True)),
        )
        for id, started_on, ended_on, products, begins, ends in contracts
    ]


def load_earned(connection: Connection, agent_id: int, contract_ids: Sequence[int] | None = None) -> list[EarnedRow]:
    """What an agent earned, in the order in which it was written."""
    asked = {"agent": agent_id, "contracts": None if contract_ids is None else list(contract_ids)}
    found = []
    for (
        id,
        rule,
        agent,
        contract,
        invoice_id,
        money,
        cause,
        currency,
        base,
        amount,
        on,
        invoice,
        settlement,
    ) in connection.execute(_EARNED, asked):
        sums = (read_money(base, currency), read_money(amount, currency))
        earned = Earned(rule, agent, contract, invoice_id, money, Cause(cause), *sums, settlement is not None, id)
        found.append(EarnedRow(earned, on, invoice, settlement))
    return found


def write_earned(connection: Connection, rows: Sequence[Earned], *, today: date) -> None:
    """Write them by one statement, which the database judges."""
    if not rows:
        return
    columns: list[list[Any]] = [
        [row.rule_id for row in rows],
        [row.agent_id for row in rows],
        [row.contract_id for row in rows],
        [row.invoice_id for row in rows],
        [row.money_id for row in rows],
        [row.cause.value for row in rows],
        [row.amount.currency for row in rows],
        [row.base.amount for row in rows],
        [row.amount.amount for row in rows],
    ]
    connection.execute(_WRITE, (today, *columns))


def write_settlement(
    connection: Connection,
    number: int,
    agent: Agent,
    amount: Money,
    rows: Iterable[Earned],
    *,
    issued_on: date,
    through: date,
    actor: str,
) -> None:
    """Write a settlement, whose entry is there, with its rows; the database numbers it and looks at the sum."""
    connection.execute(
        "INSERT INTO agent_settlement (id, agent_id, issuer_id, series_id, issued_on, through, currency, amount, made_by)"
        " OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            *(number, agent.id, agent.issuer_id, agent.series_id, issued_on, through),
            *(amount.currency, amount.amount, actor),
        ),
    )
    connection.execute(
        "INSERT INTO agent_settlement_line (settlement_id, commission_id) SELECT %s, * FROM unnest(%s::bigint[])",
        (number, [row.id for row in rows]),
    )


def load_settlements(
    connection: Connection, *, agent_id: int | None = None, label: str | None = None, number: int | None = None
) -> list[AgentSettlement]:
    """The newest settlements that fit."""
    rows = connection.execute(
        _SETTLEMENTS + "WHERE (%s::bigint IS NULL OR s.agent_id = %s) AND (%s::text IS NULL OR s.label = %s)"
        " AND (%s::bigint IS NULL OR s.id = %s) ORDER BY s.id DESC",
        (agent_id, agent_id, label, label, number, number),
    )
    found = []
    for id, agent, name, issuer, printed, issued_on, through, currency, amount, made_by, count, undone_on, why in rows:
        money = read_money(amount, currency)
        settlement = AgentSettlement(id, agent, name, issuer, printed, issued_on, through, money, made_by, count, undone_on, why)  # fmt: skip
        found.append(settlement)
    return found


def load_settled_rows(connection: Connection, settlement: AgentSettlement) -> list[EarnedRow]:
    """The commissions of a settlement, taken back or not."""
    ids = {
        number
        for (number,) in connection.execute(
            "SELECT commission_id FROM agent_settlement_line WHERE settlement_id = %s", (settlement.id,)
        )
    }
    return [one for one in load_earned(connection, settlement.agent_id) if one.earned.id in ids]


def _load_invoices(
    connection: Connection, issuer_id: int, contract_ids: Sequence[int]
) -> Mapping[int, list[EarningInvoice]]:
    heads: dict[tuple[int, int], tuple[date, Money]] = {}
    lines: dict[tuple[int, int], list[EarningLine]] = defaultdict(list)
    for contract, invoice, dated, currency, payable, net, product in connection.execute(
        _LINES, (issuer_id, list(contract_ids))
    ):
        heads[contract, invoice] = (dated, read_money(payable, currency))
        lines[contract, invoice].append(EarningLine(read_money(net, currency), product))
    money: dict[int, list[MoneyIn]] = defaultdict(list)
    for invoice, id, amount, withdraws, currency in connection.execute(_MONEY, (sorted({i for _, i in heads}),)):
        money[invoice].append(MoneyIn(id, read_money(amount, currency), withdraws))
    found: dict[int, list[EarningInvoice]] = defaultdict(list)
    for (contract, invoice), (dated, payable) in heads.items():
        key = (contract, invoice)
        found[contract].append(EarningInvoice(invoice, dated, payable, tuple(lines[key]), tuple(money[invoice])))
    return found

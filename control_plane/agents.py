"""Agents as the office keeps them: who they are, which contracts are theirs, and by which rules they earn. Commands, pages and programs call the same.

What is given or taken away is done whole or not at all, with one row in the audit log, and what was earned of it is worked out at once.

Next: billing/operations/earning.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import psycopg

from billing.commission_rules import Rule, refuse_rule
from billing.operations.earning import work_out
from billing.payments import NotDone
from billing.store.collectors import load_series
from billing.store.commissions import (
    Agent,
    assign_contract,
    hold_customers_of,
    load_agents,
    load_assignments,
    load_rule,
    save_rule,
)
from billing.store.rows import insert_row, update_row
from control_plane import audit

Connection = psycopg.Connection[Any]
_SERIES = "agent_settlement"


def add_agent(
    connection: Connection, issuer_id: int, *, name: str, email: str | None, actor: str, active: bool = True
) -> int | NotDone:
    """An agent, whose no contract is yet; returns the number."""
    series = load_series(connection, issuer_id, _SERIES)
    if not series:
        return NotDone("there is no series of numbers for agents' settlements")
    columns = {"issuer_id": issuer_id, "name": name, "email": email, "series_id": series[0][0], "active": active}
    number = insert_row(connection, "agent", columns)
    audit.append(connection, actor=actor, action="agent.add", subject=f"agent {number}", detail=columns)
    return number


def change_agent(connection: Connection, agent: Agent, columns: Mapping[str, object], *, actor: str) -> None:
    """Set these columns of an agent."""
    update_row(connection, "agent", agent.id, columns)
    detail = {"before": {name: getattr(agent, name) for name in columns}, "after": dict(columns)}
    audit.append(connection, actor=actor, action="agent.set", subject=f"agent {agent.id}", detail=detail)


def assign(
    connection: Connection,
    to: Agent | None,
    contract_ids: Sequence[int],
    *,
    since: date | None,
    today: date,
    actor: str,
) -> NotDone | None:
    """From a day on, without one from each contract's first, they are this agent's, or nobody's; what was before stays whose it was."""
    if to is not None and not to.active:
        return NotDone("%(name)s is no longer active and gets no contract more", name=to.name)
    # Whoever moves their money, or gives them to another agent, waits.
    hold_customers_of(connection, contract_ids)
    known = load_assignments(connection, contract_ids, on=today)
    for number in contract_ids:
        if number not in known:
            return NotDone("there is no contract %(number)s", number=number)
        begins = since or known[number].starts_on
        if begins is None:
            return NotDone("contract %(number)s has no first day yet: say from which day", number=number)
        assign_contract(connection, number, None if to is None else to.id, since=begins)
    before = {number: one.agent_id for number, one in known.items()}
    detail = {"before": before, "after": None if to is None else to.id, "since": since}
    subject = "agent nobody" if to is None else f"agent {to.id}"
    audit.append(connection, actor=actor, action="agent.assign", subject=subject, detail=detail)
    concerned = {agent_id for one in known.values() for agent_id in one.ever} | ({to.id} if to else set())
    for agent in sorted(load_agents(connection), key=lambda one: one.id):
        if agent.id in concerned:
            work_out(connection, agent, today=today, actor=actor, contracts=contract_ids)
    return None


def take_away(
    connection: Connection,
    agent: Agent,
    contract_ids: Sequence[int],
    *,
    since: date,
    today: date,
    actor: str,
    to: Agent | None = None,
) -> NotDone | None:
    """From a day on these are no longer this agent's, but another one's or nobody's."""
    if to is not None and (to.issuer_id != agent.issuer_id or to.id == agent.id):
        return NotDone("%(name)s can't take them over: only another agent of the same books can", name=to.name)
    hold_customers_of(connection, contract_ids)
    known = load_assignments(connection, contract_ids, on=today)
    if any(number not in known or known[number].agent_id != agent.id for number in contract_ids):
        return NotDone("not all of these are %(name)s's any more: look again", name=agent.name)
    return assign(connection, to, contract_ids, since=since, today=today, actor=actor)


def add_rule(connection: Connection, issuer_id: int, rule: Rule, *, actor: str) -> int | NotDone:
    """One more rule; returns its number."""
    if (refused := refuse_rule(rule)) is not None:
        return refused
    number = save_rule(connection, issuer_id, rule)
    detail = {
        "agent": rule.agent_id,
        "kind": rule.kind,
        "percent": rule.percent,
        "flat": rule.flat,
        "since": rule.since,
    }
    audit.append(connection, actor=actor, action="agent.rule_add", subject=f"rule {number}", detail=detail)
    return number


def refuse_end(rule: Rule, day: date) -> NotDone | None:
    """Why a rule can't end on that day: it is before its first one, or would let what is over earn again. None: it can."""
    if day < rule.since:
        return NotDone("a rule does not end before it begins: it counts from %(since)s", since=rule.since)
    if rule.until is not None and day > rule.until:
        return NotDone("this rule ended on %(until)s: a new one may count after it", until=rule.until)
    return None


def end_rule(connection: Connection, rule_id: int, day: date, *, actor: str) -> NotDone | None:
    """Let a rule count up to and with a day; what it gave of later invoices is taken back when it is worked out next."""
    found = load_rule(connection, rule_id, hold=True)
    if found is None:
        return NotDone("there is no rule %(number)s", number=rule_id)
    _, rule = found
    if (refused := refuse_end(rule, day)) is not None:
        return refused
    update_row(connection, "commission_rule", rule_id, {"until": day})
    detail = {"before": {"until": rule.until}, "after": {"until": day}}
    audit.append(connection, actor=actor, action="agent.rule_end", subject=f"rule {rule_id}", detail=detail)
    return None

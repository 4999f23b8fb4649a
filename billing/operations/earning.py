"""What agents earned is worked out and settled: a settlement has a number of its own and an entry, and can be taken back.

What is worked out again finds nothing to do, so a job and a settlement may do it at any time; customers are held, so that no money moves meanwhile.

Units: days of the issuer's zone; `today` is passed in.
Source: billing model sections 13 and 16; invariant I29.

Next: billing/store/commissions.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import psycopg

from billing.commissions import Earned, earned_rows, payable_rows, total_earned
from billing.money import Money
from billing.payments import NotDone
from billing.postings import Accounts, Leg
from billing.store import commissions as store
from billing.store.acting import acting
from billing.store.bookings import When, book_event
from billing.store.commissions import Agent, AgentSettlement
from billing.store.documents import take_ids
from billing.store.ledger import load_accounts
from billing.store.payments import write_row

Connection = psycopg.Connection[Any]

# Of whose customers a job holds at once: few, so that a payment waits for moments only.
_BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a settlement: one a currency, and what waits."""

    settlements: tuple[AgentSettlement, ...]
    waiting: tuple[Earned, ...]


def settlement_legs(amount: Money, accounts: Accounts) -> tuple[Leg, ...]:
    """What an agent is owed. With a negative amount: what the agent owes, or a settlement that is taken back."""
    return (Leg(accounts.of("commissions"), amount), Leg(accounts.of("agents_payable"), -amount))


def work_out(
    connection: Connection, agent: Agent, *, today: date, actor: str, contracts: Sequence[int] | None = None
) -> list[Earned]:
    """Write what an agent earned and what is taken back of it, up to now, of all contracts or of these; the rows that were written."""
    if contracts is None:
        contracts = store.load_contracts_of(connection, agent.id)
    return _work_out(connection, agent, contracts, today=today, actor=actor)


def work_out_all(connection: Connection, issuer_id: int, *, today: date, actor: str) -> int:
    """The same for all agents of an issuer, some contracts a transaction of their own; how many rows. Outside of any transaction."""
    rows = 0
    with connection.transaction():
        agents = store.load_agents(connection, issuer_id=issuer_id)
    for agent in agents:
        with connection.transaction():
            contracts = store.load_contracts_of(connection, agent.id)
        for first in range(0, len(contracts), _BATCH):
            with connection.transaction():
                part = contracts[first : first + _BATCH]
                rows += len(_work_out(connection, agent, part, today=today, actor=actor))
    return rows


def settle_agent(
    connection: Connection, agent_id: int, *, through: date, today: date, actor: str, also_below: bool = False
) -> Settled | NotDone:
    """Settle what an agent earned up to and with a day, one settlement a currency.

    What comes to nothing or less waits for the next one, unless `also_below` asks for it: then the agent owes it.
    """
    agent = next(iter(store.load_agents(connection, agent_id=agent_id)), None)
    if agent is None:
        return NotDone("there is no agent %(agent_id)s", agent_id=agent_id)
    if through > today:
        return NotDone("%(through)s is not over: settle up to %(today)s", through=through, today=today)
    work_out(connection, agent, today=today, actor=actor)
    rules = {rule.id: rule for rule in store.load_rules(connection, agent.issuer_id)}
    earned = defaultdict(list)
    later = set()
    for row in store.load_earned(connection, agent.id):
        earned[row.earned.contract_id].append(row.earned)
        if row.earned_on > through:
            later.add(row.earned.id)
    ready: dict[str, list[Earned]] = defaultdict(list)
    waiting = [one for rows in earned.values() for one in rows if not one.settled]
    for brought in store.load_brought(connection, agent):
        for one in payable_rows(brought, rules, earned[brought.contract_id]):
            if one.id not in later:
                ready[one.amount.currency].append(one)
    made = []
    for currency, rows in sorted(ready.items()):
        amount = total_earned(rows, currency)
        if amount.minor > 0 or (amount and also_below):
            made.append(_settle(connection, agent, amount, rows, through=through, today=today, actor=actor))
            paid = {one.id for one in rows}
            waiting = [one for one in waiting if one.id not in paid]
    return Settled(tuple(made), tuple(one for one in waiting if one.amount))


def undo_settlement(connection: Connection, number: int, *, reason: str, today: date, actor: str) -> NotDone | None:
    """Take a settlement back: its number stays, its entry is mirrored, its commissions are settled anew."""
    found = next(iter(store.load_settlements(connection, number=number)), None)
    if found is None:
        return NotDone("there is no settlement %(number)s", number=number)
    connection.execute("SELECT FROM agent WHERE id = %s FOR NO KEY UPDATE", (found.agent_id,))
    found = store.load_settlements(connection, number=number)[0]
    if found.undone_on is not None:
        return NotDone(
            "settlement %(label)s was taken back on %(undone_on)s", label=found.label, undone_on=found.undone_on
        )
    acting(connection, actor)
    legs = settlement_legs(-found.amount, load_accounts(connection, found.issuer_id))
    when = When(today, today, actor, f"{found.label}: {reason}")
    book_event(connection, found.issuer_id, ("agent_settlement_undo", number), legs, when)
    row = (("settlement_id", number), ("dated", today), ("reason", reason), ("made_by", actor))
    write_row(connection, "agent_settlement_undo", row)
    return None


def _work_out(
    connection: Connection, agent: Agent, contracts: Sequence[int], *, today: date, actor: str
) -> list[Earned]:
    held = store.hold_agent(connection, agent.id, contracts)
    assert held, f"agent {agent.id} is there"
    rules = store.load_rules(connection, agent.issuer_id)
    written = defaultdict(list)
    for row in store.load_earned(connection, agent.id, contracts):
        written[row.earned.contract_id].append(row.earned)
    made = [
        row
        for brought in store.load_brought(connection, agent, contracts)
        for row in earned_rows(brought, rules, written[brought.contract_id], today=today)
    ]
    acting(connection, actor)
    store.write_earned(connection, made, today=today)
    return made


def _settle(
    connection: Connection,
    agent: Agent,
    amount: Money,
    rows: Sequence[Earned],
    *,
    through: date,
    today: date,
    actor: str,
) -> AgentSettlement:
    acting(connection, actor)
    (number,) = take_ids(connection, "agent_settlement_id_seq", 1)
    legs = settlement_legs(amount, load_accounts(connection, agent.issuer_id))
    book_event(connection, agent.issuer_id, ("agent_settlement", number), legs, When(today, today, actor, agent.name))
    store.write_settlement(connection, number, agent, amount, rows, issued_on=today, through=through, actor=actor)
    return store.load_settlements(connection, number=number)[0]

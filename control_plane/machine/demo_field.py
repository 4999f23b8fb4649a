"""Who collects and who sells for the demo ISP: collectors with their sessions, an agent with a settlement.

Yesterday's session of one collector is handed over, two euros short; today's two are open. The agent brought contracts of the past
year, is settled for what they paid, and loses what of it a bank sends back (demo_office.py).

Next: demo_office.py
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

import psycopg

from billing.cash import DENOMINATIONS, Destination, refuse_more_cash
from billing.collectors import Collector, Scope, ScopeKind
from billing.commission_rules import Rule, RuleKind
from billing.errors import BillingError
from billing.money import Money, read_money
from billing.operations.collecting import Taken, Taking, take_payment
from billing.operations.earning import Settled, settle_agent, work_out
from billing.operations.handing_over import begin_session, hand_over, withdraw
from billing.operations.receiving import record_payment, reverse_payment
from billing.payments import Happening, NewPayment, NotDone, PaymentSource
from billing.store.cash import load_sessions
from billing.store.collectors import add_scopes, add_series, load_collectors, load_series, may_collect
from billing.store.commissions import assign_contract, load_agents, save_rule
from billing.store.payments import load_methods
from billing.store.rows import insert_row
from control_plane.machine.demo_books import ACTOR, CURRENCY

Connection = psycopg.Connection[Any]
_Done = TypeVar("_Done")
COLLECTORS: Final = (("Carla Neri", "RE", ("Monte Alto",)), ("Pedro Sanz", "PE", ("Puerto Claro", "Kingsbridge")))
AGENT: Final = "Dora Melli"
_MOST_CASH: Final = Decimal(1500)
_CHANGE: Final = {Decimal(20): 1, Decimal(10): 2, Decimal(5): 2}
_MISSING: Final = Decimal("2.00")
_BROUGHT: Final = 30
# Contracts that began within the books, the earliest first: they have paid most.
_CONTRACTS: Final = """
SELECT k.id, k.starts_on FROM contract AS k JOIN contract_terms AS t ON t.contract_id = k.id
WHERE t.issuer_id = %s AND k.status IN ('active', 'ended') AND k.starts_on >= %s ORDER BY k.starts_on, k.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an open invoice: who pays, contests or promises it."""

    customer_id: int
    name: str
    city: str
    contract_id: int
    document_id: int
    label: str
    open: Money


class People:
    """Those who are left to be somebody in the story; each is one once."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._left = list(people)

    def next(self, count: int, *, city: str | None = None, contracts: Iterable[int] | None = None) -> list[Person]:
        """So many of them, of a city or with one of these contracts; fewer where there are no more."""
        wanted = None if contracts is None else set(contracts)
        found = [
            one
            for one in self._left
            if (city is None or one.city == city) and (wanted is None or one.contract_id in wanted)
        ][:count]
        self._left = [one for one in self._left if one not in found]
        return found


def send_collectors(connection: Connection, issuer: int, people: People, now: datetime, today: date) -> None:
    """Yesterday and today of the collectors. In the caller's transaction."""
    carla, pedro = (_collector(connection, issuer, *one) for one in COLLECTORS)
    yesterday = today - timedelta(days=1)
    opened_at = now - timedelta(days=1)
    session = insert_row(
        connection,
        "cash_session",
        {"collector_id": carla, "currency": CURRENCY, "opened_at": opened_at, "opened_by": "Carla Neri"},
    )
    for place, one in enumerate(people.next(5, city="Monte Alto")):
        _take(connection, issuer, carla, one, yesterday, method="card" if place == 2 else "cash")
    counted = _sum_of(connection, session) - _MISSING
    pieces = _pieces(counted)
    done(hand_over(connection, session, pieces, taken_by="Maria", today=yesterday, actor=ACTOR, note="two euros short, to be looked for"))  # fmt: skip
    taken = [_take(connection, issuer, carla, one, today) for one in people.next(3, city="Monte Alto")]
    if taken:
        why = Happening(today, "typed twice")
        done(reverse_payment(connection, taken[-1].payment.id, why, today=today, actor=ACTOR))
    change = done(begin_session(connection, pedro, read_money(Decimal(50), CURRENCY), actor=ACTOR, pieces=_CHANGE))
    for one in people.next(4, city="Puerto Claro"):
        _take(connection, issuer, pedro, one, today)
    to_bank = read_money(Decimal(40), CURRENCY)
    done(withdraw(connection, change.id, to_bank, Destination.BANK, reason="paid in at noon", today=today, actor=ACTOR))


def find_collector(connection: Connection, customer_id: int, amount: Money) -> Collector | None:
    """Who collects from that customer and may carry so much more cash; None where nobody does."""
    # What a collector sees is said to the transaction: a connection that commits each statement would see nothing.
    with connection.transaction():
        for one in load_collectors(connection):
            if not one.active or not may_collect(connection, one.id, customer_id):
                continue
            open_now = load_sessions(connection, collector_id=one.id, only_open=True)
            if not any(refuse_more_cash(amount, session.takings, one.most_cash) for session in open_now):
                return one
    return None


def _collector(connection: Connection, issuer: int, name: str, code: str, cities: Sequence[str]) -> int:
    series = {text: number for number, text in load_series(connection, issuer, "receipt")}
    number = series.get(code) or add_series(connection, issuer, "receipt", code, f"Receipts of {name}")
    row = {"issuer_id": issuer, "name": name, "series_id": number, "most_cash": _MOST_CASH}
    collector: int = insert_row(connection, "collector", {**row, "login": name.partition(" ")[0].lower()})
    add_scopes(connection, collector, [Scope(ScopeKind.CITY, city) for city in cities])
    return collector


def _take(
    connection: Connection, issuer: int, collector: int, who: Person, day: date, *, method: str = "cash"
) -> Taken:
    methods = {one.code: one for one in load_methods(connection, issuer)}
    taking = Taking(collector, who.customer_id, who.open, methods[method], f"demo {who.label}", day)
    return done(take_payment(connection, taking, today=day, actor=ACTOR))


def _sum_of(connection: Connection, session: int) -> Decimal:
    row = connection.execute("SELECT cash_expected(%s)", (session,)).fetchone()
    assert row is not None
    return Decimal(row[0])


def _pieces(amount: Decimal) -> dict[Decimal, int]:
    """Notes and coins that come to it, as few as there are."""
    left, found = amount, dict[Decimal, int]()
    for value in sorted(DENOMINATIONS[CURRENCY], reverse=True):
        many = int(left // value)
        if many and value <= 50:
            found[value] = many
            left -= value * many
    return found


def have_an_agent(connection: Connection, issuer: int, begins: date, today: date) -> tuple[int, list[int]]:
    """An agent with rules and contracts since they began; its number and theirs. In the caller's transaction."""
    row = connection.execute(
        "SELECT id FROM number_series WHERE issuer_id = %s AND kind = 'agent_settlement' ORDER BY id LIMIT 1", (issuer,)
    ).fetchone()
    assert row is not None, "an issuer begins with one"
    columns = {"issuer_id": issuer, "name": AGENT, "email": "dora.melli@mail.example", "series_id": row[0]}
    agent: int = insert_row(connection, "agent", columns)
    flat = read_money(Decimal(15), CURRENCY)
    save_rule(connection, issuer, Rule(0, RuleKind.RECURRING, Decimal(8), since=begins, months=24, survives_months=6))
    save_rule(
        connection, issuer, Rule(0, RuleKind.ONE_OFF, flat=flat, since=begins, survives_months=6, after_periods=3)
    )
    contracts = connection.execute(_CONTRACTS, (issuer, begins, _BROUGHT)).fetchall()
    for number, starts_on in contracts:
        assign_contract(connection, number, agent, since=starts_on)
    return agent, [number for number, _ in contracts]


def collect_by_debit(connection: Connection, issuer: int, who: Sequence[Person], day: date) -> list[str]:
    """Direct debits of that day, under the references with which the bank tells of them. In the caller's transaction."""
    method = next(one for one in load_methods(connection, issuer) if one.code == "direct_debit")
    references = []
    for one in who:
        reference = f"SDD {day:%Y-%m} {one.customer_id}"
        payment = NewPayment(method, one.open, day, PaymentSource.FILE, reference, one.customer_id)
        done(record_payment(connection, payment, today=day, actor=ACTOR))
        references.append(reference)
    return references


def settle_the_agent(connection: Connection, agent: int, today: date) -> Settled:
    """All that the agent may be paid by now. In the caller's transaction."""
    return done(settle_agent(connection, agent, through=today, today=today, actor=ACTOR))


def work_out_the_agent(connection: Connection, agent: int, today: date) -> None:
    """What came since the settlement, as the night's job would."""
    (known,) = load_agents(connection, agent_id=agent)
    work_out(connection, known, today=today, actor=ACTOR)


def done(outcome: _Done | NotDone) -> _Done:
    """What was done. Raises: BillingError with the words of what was not."""
    if isinstance(outcome, NotDone):
        raise BillingError(f"the demo's office: {outcome.message}")
    return outcome

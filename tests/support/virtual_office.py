"""What the office of a virtual operator does about money by the calendar, and what it does it with.

Lists of who paid ahead, the bank's file of the week, hand-overs of collectors, the agent's settlement, formal notices that came. All goes
through the operations that commands go through.

Next: tests/support/virtual_till.py
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg
from support.books_isp import BooksIsp
from support.dunning_policies import ITALY
from support.small_isp import one
from support.virtual_operator import FIRST, LIVELY_EVERY, Operator

from billing.banking.bank_line import BankLine, Form, Statement, keyed
from billing.bulk_payments import read_bulk
from billing.cash import Destination
from billing.collectors import Scope, ScopeKind
from billing.commission_rules import Rule, RuleKind
from billing.dunning.policy_data import default_policy
from billing.money import Money, read_money
from billing.operations.bank_import import take_file, work_lines
from billing.operations.earning import settle_agent, undo_settlement
from billing.operations.handing_over import begin_session, hand_over, withdraw
from billing.operations.holding_back import (
    notice_delivered,
)
from billing.operations.receiving import match_payment, record_payment, reverse_payment
from billing.payments import Happening, NewPayment, NotDone, PaymentSource
from billing.store.acting import acting
from billing.store.bank_files import load_accounts_at_banks, save_bank_account
from billing.store.cash import load_sessions
from billing.store.collectors import add_scopes
from billing.store.commissions import assign_contract, save_rule
from billing.store.dunning_policies import save_version
from billing.store.fees import save_return_fee
from billing.store.gateways import load_gateway_accounts
from billing.store.payments import load_methods

POLICY_SINCE: Final = date(2027, 11, 15)
_AHEAD_DAYS: Final = 40
_AHEAD: Final = "4000.00"
_NOTES: Final = ("500", "200", "100", "50", "20", "10", "5", "2", "1", "0.50", "0.20", "0.10", "0.05", "0.02", "0.01")
_IBAN: Final = "IT60X0542811101000000123456"
_OWED = """
SELECT d.id, d.label, d.payable - coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.invoice_id = d.id), 0), min(u.due_on)
FROM document AS d JOIN document_due AS u ON u.document_id = d.id
WHERE d.customer_id = %s AND d.kind = 'invoice' AND d.state = 'issued' GROUP BY d.id
HAVING d.payable > coalesce((SELECT sum(a.amount) FROM allocation AS a WHERE a.invoice_id = d.id), 0) ORDER BY min(u.due_on), d.id
"""
# By their place, since numbers have holes where a night died.
_COME = """
SELECT id FROM (SELECT id, delivered_at, sent_at, row_number() OVER (ORDER BY id) AS place FROM formal_notice) AS f
WHERE delivered_at IS NULL AND sent_at < %s AND place %% 9 <> 4 ORDER BY id
"""


@dataclass(frozen=True)
class Owed:
    """An invoice that has something open."""

    document: int
    label: str
    open: Decimal
    due_on: date


def make_till(connection: psycopg.Connection[Any], isp: BooksIsp) -> None:
    """Collectors, an agent with rules, an account at a bank and one at a gateway with mandates, what a return costs; not committed."""
    acting(connection, "maria")
    methods = {one.code: one for one in load_methods(connection, isp.issuer)}
    fee = one(
        connection,
        "INSERT INTO product (name, kind, family, tax_code_id) VALUES ('Return fee', 'one_off', 'other', %s) RETURNING id",
        isp.tax_codes["IVA-N1"],
    )
    save_return_fee(connection, methods["direct_debit"].id, Decimal("3.50"), fee)
    series = {
        kind: one(connection, "SELECT id FROM number_series WHERE issuer_id = %s AND kind = %s", isp.issuer, kind)
        for kind in ("receipt", "agent_settlement")
    }
    for name in ("Bruno", "Carla"):
        collector = one(
            connection,
            "INSERT INTO collector (issuer_id, name, series_id) VALUES (%s, %s, %s) RETURNING id",
            *(isp.issuer, name, series["receipt"]),
        )
        add_scopes(connection, collector, (Scope(ScopeKind.EVERYONE),))
    agent = one(
        connection,
        "INSERT INTO agent (issuer_id, name, series_id) VALUES (%s, 'Dora', %s) RETURNING id",
        *(isp.issuer, series["agent_settlement"]),
    )
    for rule in (
        Rule(0, RuleKind.RECURRING, percent=Decimal(5), since=FIRST, months=24, survives_months=12),
        Rule(0, RuleKind.RECURRING, percent=Decimal(8), product_id=isp.products["Static address"], since=FIRST),
        Rule(0, RuleKind.ONE_OFF, flat=read_money(Decimal(20), "EUR"), since=FIRST, survives_months=9, after_periods=1),
    ):
        save_rule(connection, isp.issuer, rule)
    for contract in isp.contracts[:: 2 * LIVELY_EVERY]:
        assign_contract(connection, contract, agent, since=FIRST)
    save_bank_account(
        connection,
        issuer_id=isp.issuer,
        name="Main",
        account=_IBAN,
        currency="EUR",
        method_id=methods["transfer"].id,
        automatic_from=80,
    )
    gateway = one(
        connection,
        "INSERT INTO gateway_account (issuer_id, method_id, name, provider, live, base_url, sealed_secret, sealed_webhook_secret, token)"
        " VALUES (%s, %s, 'cards', 'stripe', false, 'http://127.0.0.1:9', %s, %s, %s) RETURNING id",
        *(isp.issuer, methods["card"].id, b"s" * 64, b"w" * 64, "t" * 40),
    )
    connection.execute(
        "INSERT INTO mandate (account_id, customer_id, ref, state, made_by) SELECT %s, c, 'MD' || c, 'active', 'maria' FROM unnest(%s::bigint[]) AS c",
        (gateway, isp.customers[::LIVELY_EVERY]),
    )


class Office:
    """A day's money by a seed: asked day by day in order, it always does the same."""

    def __init__(self, connection: psycopg.Connection[Any], operator: Operator) -> None:
        self.db, self.all, self.isp = connection, operator, operator.isp
        self.chance = random.Random(8)
        self.lively = self.isp.customers[::LIVELY_EVERY]
        lively = set(self.lively)
        self._quiet = [customer for customer in self.isp.customers if customer not in lively]
        self.methods = {one.code: one for one in load_methods(connection, self.isp.issuer)}
        (self.gateway,) = load_gateway_accounts(connection)
        (self._bank,) = load_accounts_at_banks(connection)
        self.collectors = [number for (number,) in connection.execute("SELECT id FROM collector ORDER BY id")]
        self._agent = one(connection, "SELECT id FROM agent")
        self.count = 0
        self.later: list[tuple[date, Callable[[], object]]] = []
        self.lines: list[BankLine] = []
        self.disputes: list[tuple[int, int]] = []
        self.proofs: list[int] = []
        self.excluded: list[int] = []
        self.today, self.now = FIRST, datetime.min
        connection.commit()

    def done(self, do: Callable[[], object]) -> None:
        """A deed with its commit; what it calls itself is counted, and a refusal by its words."""
        acting(self.db, "maria")
        told = do()
        self.db.commit()
        if isinstance(told, NotDone):
            self.all.refused[f"money: {told.message.partition(':')[0][:60]}"] += 1
        elif isinstance(told, str):
            self.all.done[told] += 1

    def regular(self) -> None:
        """What the office does by the calendar."""
        number = (self.today - FIRST).days
        if number < _AHEAD_DAYS:
            self.done(lambda: self._pay_ahead(self._quiet[number::_AHEAD_DAYS]))
        self.done(self._deliver)
        weekday, day = self.today.weekday(), self.today.day
        if weekday == 1:
            self._import()
        if weekday == 2:
            self.done(self._withdraw)
        if weekday == 4:
            for collector in self.collectors:
                self.done(lambda collector=collector: self._hand_over(collector))
        if day == 5:
            self.done(self._settle)
        if day == 12:
            self.done(self._assign)

    def come_back(self, payment: int, reason: str, *, with_fee: bool = False) -> None:
        """A payment is going to come back in some days."""

        def do() -> str | NotDone:
            why = Happening(self.today, reason, PaymentSource.FILE, f"return {payment}")
            told = reverse_payment(
                self.db, payment, why, code="AM04", with_fee=with_fee, today=self.today, actor="maria", now=self.now
            )
            return told if isinstance(told, NotDone) else "returned with a fee" if with_fee else "taken back"

        self.later.append((self.today + timedelta(days=self.chance.randint(2, 20)), do))

    def owed(self, customer: int) -> list[Owed]:
        """What a customer has open, the oldest first."""
        return [Owed(*row) for row in self.db.execute(_OWED, (customer,))]

    def record(self, method: str, amount: Decimal, customer: int | None, **given: Any) -> Any:
        """A payment of today; it as it is known, or why it was not taken."""
        payment = NewPayment(
            self.methods[method],
            read_money(amount, "EUR"),
            self.today,
            given.pop("source", PaymentSource.MANUAL),
            customer_id=customer,
            **given,
        )
        told = record_payment(self.db, payment, today=self.today, actor="maria", now=self.now)
        return told if isinstance(told, NotDone) else told.payment

    def line(self, amount: Decimal, text: str) -> BankLine:
        """A line of the bank's next file."""
        self.count += 1
        money = read_money(amount, "EUR")
        return BankLine(self.count, money, self.today, self.today, text=text, reference=f"B{self.count}")

    # By the calendar ------------------------------------------------------------------------------------------------

    def save_policy(self) -> None:
        """From now on who owes is pursued, by Italy's first policy."""
        acting(self.db, "maria")
        data = {**default_policy(ITALY), "min_debt": {"EUR": "5.00"}}
        save_version(
            self.db, self.isp.issuer, data, name=data["name"], since=self.today, reason="as the law asks", by="maria"
        )
        self.db.commit()

    def _pay_ahead(self, customers: list[int]) -> str:
        """By a list, all of it at once."""
        text = "customer,amount\n" + "".join(f"{customer},{_AHEAD}\n" for customer in customers)
        rows, refused = read_bulk(text.encode(), decimal=".")
        assert not refused
        for row in rows:
            self.record("slip", row.amount, int(row.customer), reference=row.key)
        self.all.done["paid by a list"] += len(rows)
        return "list"

    def _deliver(self) -> str | NotDone | None:
        """Formal notices come on the fifth day; one in nine is never heard of."""
        come = [number for (number,) in self.db.execute(_COME, (self.now - timedelta(days=5),))]
        if not come:
            return None
        told = notice_delivered(self.db, come, delivered_at=self.now, now=self.now, actor="post")
        return told if isinstance(told, NotDone) else "notice delivered"

    def _import(self) -> None:
        """The week's lines of the bank, and one of a stranger, whom somebody knows three days later."""
        if not self.lines:
            return
        stranger = self.line(Decimal(self.chance.randint(500, 4000)) / 100, "thanks")
        lines = [*self.lines, stranger]
        statement = Statement(_IBAN, Form.CAMT_053, keyed(lines))
        acting(self.db, "maria")
        take_file(
            self.db,
            f"week of {self.today}".encode(),
            name="week.xml",
            statements=[(self._bank, statement)],
            actor="maria",
        )
        self.db.commit()
        for kept, fate in work_lines(self.db, today_of=lambda account: self.today, actor="maria"):
            self.all.done[f"bank line {fate.state}"] += 1
            if fate.state == "waiting" and fate.payment_id is not None:
                whose = self.chance.choice(self.lively)
                self.later.append(
                    (self.today + timedelta(days=3), lambda n=fate.payment_id, c=whose: self._match(n, c))
                )
            if fate.payment_id is not None and self.chance.random() < 0.1 and kept.line.amount.minor > 0:
                self.come_back(fate.payment_id, "the bank took it back")
        self.lines = []

    def _match(self, payment: int, customer: int) -> str | NotDone:
        told = match_payment(
            self.db, payment, customer, reason="rang us up", today=self.today, actor="maria", now=self.now
        )
        return told if isinstance(told, NotDone) else "match"

    def _withdraw(self) -> str | NotDone | None:
        """A collector pays half of the cash in at the bank, or gives it to the main cash."""
        session = self._open_session(self.chance.choice(self.collectors))
        had = None if session is None else session.takings.with_collector
        if session is None or had is None or had.minor < 200:
            return None
        to = self.chance.choice((Destination.BANK, Destination.CASH))
        told = withdraw(
            self.db, session.id, Money(had.minor // 2, "EUR"), to, reason="too much", today=self.today, actor="carla"
        )
        return told if isinstance(told, NotDone) else "withdraw cash"

    def _hand_over(self, collector: int) -> str | NotDone | None:
        """What was counted: right, short or too much; then the next session with some change."""
        session = self._open_session(collector)
        name = None
        if session is not None:
            expected = session.takings.expected
            off = self.chance.choice((0, 0, -250, 100))
            counted = max(0, expected.minor + off)
            told = hand_over(self.db, session.id, _pieces(counted), taken_by="maria", today=self.today, actor="carla")
            if isinstance(told, NotDone):
                return told
            name = "hand over" if counted == expected.minor else "hand over with a difference"
        if self.chance.random() < 0.5:
            begin_session(self.db, collector, read_money(Decimal(50), "EUR"), actor="maria", pieces={Decimal(10): 5})
        return name

    def _open_session(self, collector: int) -> Any:
        return next((one for one in load_sessions(self.db, collector_id=collector, only_open=True, limit=5)), None)

    def _settle(self) -> str | NotDone | None:
        through = self.today.replace(day=1) - timedelta(days=1)
        told = settle_agent(self.db, self._agent, through=through, today=self.today, actor="maria")
        if isinstance(told, NotDone):
            return told
        if not told.settlements:
            return None
        if self.today.month == 5:
            undone = undo_settlement(
                self.db, told.settlements[0].id, reason="a rule was wrong", today=self.today, actor="maria"
            )
            return undone if isinstance(undone, NotDone) else "settlement taken back"
        return "settle agent"

    def _assign(self) -> str | None:
        """The newest contracts are the agent's."""
        newest = self.all.contracts[len(self.isp.contracts) :][-3:]
        for contract in newest:
            assign_contract(self.db, contract, self._agent, since=self.today)
        return "assign" if newest else None


def _pieces(cents: int) -> dict[Decimal, int]:
    """Notes and coins of an amount, the largest first."""
    pieces: dict[Decimal, int] = {}
    for value in map(Decimal, _NOTES):
        count, cents = divmod(cents, int(value * 100))
        if count:
            pieces[value] = count
    return pieces

"""Agents and commissions in the books (billing model section 16, I29): worked out of what was paid, settled, taken back."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest
from msgspec.structs import replace
from support.books_isp import desk
from support.earned import make_earning_days
from support.paid import pay
from support.small_isp import one

from billing.commission_rules import Rule, RuleKind
from billing.documents import draft_document
from billing.money import Money
from billing.operations.earning import settle_agent, undo_settlement, work_out
from billing.operations.receiving import reverse_payment
from billing.payments import Happening, NotDone
from billing.store.acting import acting
from billing.store.checks.catalogue import find_in
from billing.store.commissions import assign_contract, load_agents, load_earned, load_settlements, save_rule
from billing.store.documents import issue
from control_plane.jobs.commissions import commissions

pytestmark = pytest.mark.db

TODAY = date(2026, 12, 31)
# Allocations are written now; what is settled is settled up to now.
NOW = date(2999, 1, 1)
BACK = Happening(date(2026, 3, 12), "no funds")


@pytest.fixture(scope="module")
def days(module_database):
    with psycopg.connect(module_database) as opened:
        return make_earning_days(opened)


@pytest.fixture
def connection(module_database, days):
    """Of a test's own transaction, which is taken back: the documents stay as they were."""
    with psycopg.connect(module_database) as opened:
        yield opened
        opened.rollback()


def make_agent(connection, days, *contracts, **rule):
    """An agent of these contracts since January, who earns 10 percent of what is paid if nothing else is said."""
    acting(connection, "maria")
    issuer = days.isp.issuer
    series = one(connection, "SELECT id FROM number_series WHERE issuer_id = %s AND kind = 'agent_settlement'", issuer)
    number = one(
        connection,
        "INSERT INTO agent (issuer_id, name, series_id) VALUES (%s, 'Dora', %s) RETURNING id",
        issuer,
        series,
    )
    for contract in contracts:
        assign_contract(connection, days.isp.contracts[contract], number, since=date(2026, 1, 1))
    given = {"kind": RuleKind.RECURRING, "percent": Decimal(10), "since": date(2026, 1, 1), **rule}
    save_rule(connection, issuer, Rule(0, **given))
    return load_agents(connection, agent_id=number)[0]


def another_agent(connection, agent, name):
    """One more agent of the same books."""
    row = (agent.issuer_id, name, agent.series_id)
    number = one(connection, "INSERT INTO agent (issuer_id, name, series_id) VALUES (%s, %s, %s) RETURNING id", *row)
    return load_agents(connection, agent_id=number)[0]


def earn(connection, agent, today=TODAY):
    """Work it out; what was written, by cause and amount."""
    return [(row.cause.value, str(row.amount.amount)) for row in work_out(connection, agent, today=today, actor="job")]


def booked(connection, role):
    row = connection.execute(
        "SELECT coalesce(sum(p.amount), 0) FROM posting p JOIN ledger_account a ON a.id = p.account_id WHERE a.role = %s",
        (role,),
    ).fetchone()
    return str(round(row[0], 2))


def issue_invoice(connection, days, *lines, customer=2):
    table = desk(connection, days.isp)
    acting(connection, "maria")
    contract = days.isp.contracts[customer]
    drafted = [table.line(price, product=product, contract_id=contract) for price, product in lines]
    (made,) = issue(connection, [table.invoice(*drafted, customer=customer, day=date(2026, 3, 12))], made_by="maria")
    return made


# Of customer 0 January's 29.90 were credited by 10.00: 24.28 are payable, 19.90 net; February's 41.36 are 33.90 net.
def test_what_was_paid_earns_and_is_settled_with_its_entry(connection, days):
    dora = make_agent(connection, days, 0)
    assert earn(connection, dora) == []
    pay(connection, days.isp.issuer, "30.00", days.isp.customers[0])
    # 1.99, and of 5.72 in 41.36 of 33.90: 0.4688.
    assert earn(connection, dora) == [("paid", "1.99"), ("paid", "0.47")]
    assert earn(connection, dora) == []
    assert booked(connection, "agents_payable") == "0.00"

    done = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria")
    (settlement,) = done.settlements
    assert (settlement.label, settlement.amount, settlement.rows) == ("1/AG/2999", Money(246, "EUR"), 2)
    assert (booked(connection, "commissions"), booked(connection, "agents_payable")) == ("2.46", "-2.46")
    assert settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria").settlements == ()
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert list(find_in(connection)) == []


def test_a_debit_that_comes_back_takes_the_commission_along_at_once_and_waits_until_there_is_more(connection, days):
    dora = make_agent(connection, days, 0)
    paid = pay(connection, days.isp.issuer, "65.64", days.isp.customers[0])
    settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria")
    assert booked(connection, "agents_payable") == "-5.38"
    reverse_payment(connection, paid.payment.id, BACK, today=TODAY, actor="maria")
    rows = load_earned(connection, dora.id)
    assert [(row.earned.cause.value, str(row.earned.amount.amount)) for row in rows[2:]] == [("withdrawn", "-1.99"), ("withdrawn", "-3.39")]  # fmt: skip
    assert list(find_in(connection)) == []

    waits = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria")
    assert (waits.settlements, len(waits.waiting)) == ((), 2)
    pay(connection, days.isp.issuer, "70", days.isp.customers[0])
    even = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria")
    assert even.settlements == ()
    # It left for good: the agent owes what came back.
    paid = load_earned(connection, dora.id)[-1].earned
    assert paid.settled is False


def test_what_an_agent_owes_is_settled_below_zero_when_asked(connection, days):
    dora = make_agent(connection, days, 0)
    paid = pay(connection, days.isp.issuer, "24.28", days.isp.customers[0])
    settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria")
    reverse_payment(connection, paid.payment.id, BACK, today=TODAY, actor="maria")
    (owed,) = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria", also_below=True).settlements
    assert (owed.amount, booked(connection, "agents_payable")) == (Money(-199, "EUR"), "0.00")


def test_a_settlement_is_taken_back_and_settled_anew_under_another_number(connection, days):
    dora = make_agent(connection, days, 0)
    pay(connection, days.isp.issuer, "24.28", days.isp.customers[0])
    (first,) = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria").settlements
    assert undo_settlement(connection, first.id, reason="wrong rule", today=NOW, actor="maria") is None
    again = undo_settlement(connection, first.id, reason="wrong rule", today=NOW, actor="maria")
    assert "was taken back on 2999-01-01" in again.message
    assert booked(connection, "agents_payable") == "0.00"
    (second,) = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria").settlements
    assert (second.label, second.amount) == ("2/AG/2999", first.amount)
    assert [one.undone_for for one in load_settlements(connection, agent_id=dora.id)] == [None, "wrong rule"]
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert list(find_in(connection)) == []


def test_a_credit_note_of_a_paid_invoice_moves_its_commission_to_the_invoice_that_takes_the_credit(connection, days):
    """36.48 are paid; 12.20 of it are credited, and pay another invoice: as much money, as much commission."""
    dora = make_agent(connection, days, 2)
    pay(connection, days.isp.issuer, "36.48", days.isp.customers[2])
    assert earn(connection, dora) == [("paid", "2.99")]
    table = desk(connection, days.isp)
    acting(connection, "maria")
    draft = draft_document(
        [table.line("10.00", corrects=(days.january[2].id, 1))],
        table.parties[days.isp.customers[2]],
        register=table.registers["NC"],
        document_date=date(2026, 3, 12),
        currency="EUR",
        includes_tax=False,
    )
    issue(connection, [replace(draft, corrects_id=days.january[2].id)], made_by="maria")
    assert earn(connection, dora) == [("adjusted", "-1.00")]
    issue_invoice(connection, days, ("29.90", "Home 30"))
    # 12.20 of 36.48.
    assert earn(connection, dora) == [("paid", "1.00")]
    assert list(find_in(connection)) == []


def test_an_early_end_takes_back_and_a_contract_that_waits_is_not_payable(connection, days):
    dora = make_agent(connection, days, 1, survives_months=12, after_periods=2)
    pay(connection, days.isp.issuer, "36.48", days.isp.customers[1])
    waits = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria")
    assert (waits.settlements, [str(row.amount.amount) for row in waits.waiting]) == ((), ["2.99"])
    pay(connection, days.isp.issuer, "36.48", days.isp.customers[1])
    (made,) = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria").settlements
    assert made.amount == Money(598, "EUR")
    connection.execute(
        "UPDATE contract SET status = 'ended', ends_on = '2026-06-01' WHERE id = %s", (days.isp.contracts[1],)
    )
    assert earn(connection, dora) == [("early_end", "-2.99"), ("early_end", "-2.99")]


def test_once_for_a_contract_and_whose_it_is_day_by_day(connection, days):
    dora = make_agent(connection, days, 0, kind=RuleKind.ONE_OFF, percent=None, flat=Money(2000, "EUR"))
    assert earn(connection, dora) == [("activation", "20.00")]
    # It never was hers.
    assign_contract(connection, days.isp.contracts[0], None, since=date(2026, 1, 1))
    assert earn(connection, dora) == [("adjusted", "-20.00")]


def test_a_contract_that_turns_out_to_be_another_agent_s_moves_what_was_earned_and_money_that_goes_takes_both_along(connection, days):  # fmt: skip
    dora = make_agent(connection, days, 0)
    paid = pay(connection, days.isp.issuer, "24.28", days.isp.customers[0])
    assert earn(connection, dora) == [("paid", "1.99")]
    elio = another_agent(connection, dora, "Elio")
    assign_contract(connection, days.isp.contracts[0], elio.id, since=date(2026, 1, 1))
    assert (earn(connection, dora), earn(connection, elio)) == ([("adjusted", "-1.99")], [("paid", "1.99")])
    assert (earn(connection, dora), earn(connection, elio)) == ([], [])

    # Both rows of the money go; what was taken back of Dora before is given back to her.
    reverse_payment(connection, paid.payment.id, BACK, today=TODAY, actor="maria")
    assert (earn(connection, dora), earn(connection, elio)) == ([("adjusted", "1.99")], [])
    for agent in (dora, elio):
        assert sum(row.earned.amount.minor for row in load_earned(connection, agent.id)) == 0
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert list(find_in(connection)) == []


def test_all_agents_at_night_and_again_finds_nothing(database):
    with psycopg.connect(database) as connection:
        days = make_earning_days(connection)
        make_agent(connection, days, 0, 1, 2)
        connection.commit()
        for customer in days.isp.customers:
            pay(connection, days.isp.issuer, "24.28", customer)
        connection.commit()
    with psycopg.connect(database, autocommit=True) as connection:
        night = datetime(2026, 12, 31, 5, 0, tzinfo=UTC)
        said = [commissions(connection, None, night) for _ in range(2)]
        assert said == ["wrote 3 commissions", "nothing was earned or taken back"]


def test_payments_returns_and_settlements_at_once_pay_each_cent_once(database):
    with psycopg.connect(database) as connection:
        days = make_earning_days(connection)
        dora = make_agent(connection, days, 0, 1, 2)
        connection.commit()
    start = threading.Barrier(5)
    failures = []

    def customer(number):
        start.wait(120)
        for _ in range(5):
            with psycopg.connect(database) as opened:
                paid = pay(opened, days.isp.issuer, "7.77", days.isp.customers[number])
            with psycopg.connect(database) as opened:
                reverse_payment(opened, paid.payment.id, BACK, today=TODAY, actor="maria")
            with psycopg.connect(database) as opened:
                pay(opened, days.isp.issuer, "3.33", days.isp.customers[number])

    def office(_):
        start.wait(120)
        for _ in range(6):
            with psycopg.connect(database) as opened:
                done = settle_agent(opened, dora.id, through=NOW, today=NOW, actor="maria")
                if isinstance(done, NotDone):
                    failures.append(done)

    threads = [threading.Thread(target=customer, args=(n,)) for n in range(3)]
    threads += [threading.Thread(target=office, args=(n,)) for n in range(2)]
    for one_ in threads:
        one_.start()
    for one_ in threads:
        one_.join(90)
    assert not failures
    assert not any(one_.is_alive() for one_ in threads)
    with psycopg.connect(database) as connection:
        settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria", also_below=True)
        connection.commit()
        # 16.65 came in for each: of customer 0's 24.28 (19.90), 1's and 2's 36.48 (29.90).
        assert booked(connection, "agents_payable") == f"-{Decimal('1.36') + 2 * Decimal('1.36')}"
        assert list(find_in(connection)) == []


BREAKS = {
    "what was withdrawn stays": (
        "UPDATE commission SET amount = -0.50 WHERE cause = 'withdrawn' AND amount = -1.99",
        ["commissions: its money was withdrawn and 1.490 of it stay"],
    ),
    "a row in two settlements": (
        "DELETE FROM agent_settlement_undo",
        ["agents' settlements: its entry says something else", "commissions: it is in 2 settlements"],
    ),
    "a settlement was changed": (
        "UPDATE agent_settlement SET amount = 9 WHERE label LIKE '2/%'",
        ["agents' settlements: it says 9.000 and its commissions are 1.990"],
    ),
    "a number was changed": (
        "UPDATE agent_settlement SET number = 5 WHERE label LIKE '2/%'",
        ["receipts: 2 numbers from 1 to 5"],
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_wrong_with_commissions_is_found(connection, days, name):
    statement, expected = BREAKS[name]
    dora = make_agent(connection, days, 0)
    paid = pay(connection, days.isp.issuer, "24.28", days.isp.customers[0])
    (first,) = settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria").settlements
    undo_settlement(connection, first.id, reason="x", today=NOW, actor="maria")
    settle_agent(connection, dora.id, through=NOW, today=NOW, actor="maria")
    reverse_payment(connection, paid.payment.id, BACK, today=TODAY, actor="maria")
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET session_replication_role = replica")
    connection.execute(statement)
    ours = {"commissions", "agents' settlements", "receipts"}
    found = sorted({f"{one.check}: {one.message}" for one in find_in(connection) if one.check in ours})
    assert found == expected

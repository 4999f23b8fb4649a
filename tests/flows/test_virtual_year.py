"""A thousand contracts for a year of days: books, registers, statements, debtors and the network's desired state, checked every night.

Each morning, from nothing: what each account and each customer stands at by all documents and all money, what each payment settled, each
hand-over and each agent's earnings, each register's numbers, the plan that each contract is billed for, and, at midnight too, the network's
state of all accounts in the contracts' own words; as each day ends, who is limited for what is owed and who is not. The charges of every
contract that something was done to, from its first day; every new document, entry and charge; the statements of three
customers. On four mornings all checks of the books over everything, at the end the statements of all customers and each
plan's money counted day by day. The year is played a second time, by a process of its own, with its night's jobs killed once
a night: it leaves the same rows.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.own_postgres import copy_database
from support.virtual_operator import FIRST, LAST
from support.virtual_year import all_that_was_written, begin_year
from support.year_watch import VirtualClock, Watcher, money_by_days

from control_plane import db
from control_plane.control_loop import desired
from control_plane.settings import DatabaseSettings, EdgeSettings, Settings
from nas_drivers.dictionaries.reader import load_dictionary

# Two years of 366 nights are minutes of work, and what else runs takes its share of the machine.
pytestmark = [pytest.mark.db, pytest.mark.timeout(1800)]

NIGHTS = (LAST - FIRST).days + 1
# How often each deed must have been done at least, for the year to be worth its time.
FLOORS = {
    "make_contract": 90, "Propose": 90, "Accept": 80, "Refuse": 5, "Cancel": 5, "Withdraw": 3, "Activate": 75, "ChangePlan": 120, "ChangeCycle": 20, "Pause": 120,
    "Restrict": 100, "Lift": 80, "ScheduleEnd": 100, "WithdrawEnd": 8, "Reopen": 20, "MakeFree": 20, "MakeBillable": 15, "MoveAddress": 30,
    "make_invoice": 60, "credit_document": 60, "apply_promotion": 60, "change_prices": 500, "regroup": 5,
    # Money: by which way it comes, what becomes of it, and what the office does about it.
    "paid by a list": 800, "pay at the counter": 30, "pay a collector": 80, "pay at the gateway": 35, "direct debit": 75, "bank line recorded": 35, "match": 25,
    "pay in part": 50, "pay too much": 12, "pay in advance": 20, "returned with a fee": 35, "returned at the gateway": 8, "taken back": 8, "refund": 40,
    "dispute": 50, "dispute decided for the customer": 30, "dispute decided for us": 20, "promise": 50, "pay what was promised": 25, "proof valid": 4, "proof not valid": 4,
    "exclusion": 20, "exclusion ended": 20, "plan of instalments": 14, "instalment": 18, "notice delivered": 70, "write off": 1, "settle agent": 9, "settlement taken back": 1,
    "hand over": 40, "hand over with a difference": 25, "withdraw cash": 22, "assign": 10,
}  # fmt: skip


@contextmanager
def keeping(conninfo: str, monkeypatch) -> Iterator[threading.Event]:
    """The keeper of desired policies follows the database by the virtual clock, in the mornings: while the event is set."""
    monkeypatch.setattr(desired, "datetime", VirtualClock)
    settings = Settings(database=DatabaseSettings(conninfo=conninfo), edge=EdgeSettings(poll_interval_s=1.0))
    stop, morning, errors = threading.Event(), threading.Event(), []

    def connect():
        return db.connect(conninfo, name="test desired", autocommit=True)

    def run() -> None:
        try:
            desired.run_desired(settings, connect, stop, on_turn=morning.wait)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield morning
    finally:
        stop.set()
        morning.set()
        thread.join(timeout=120)
    assert not errors, errors


def _second(conninfo: str, answers) -> None:
    year = begin_year(conninfo, kills=11)
    for _ in year.days():
        pass
    answers.send((year.killed, year.operator.done, all_that_was_written(conninfo)))


@pytest.fixture(scope="module")
def databases(cluster):
    """Two empty databases."""
    names = ("virtual_year", "virtual_year_killed")
    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        for name in names:
            copy_database(admin, name)
        yield [cluster.conninfo(name) for name in names]
        for name in names:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def killed_year(databases):
    """The year with a kill each night, under way in a process; what it comes to is read from here."""
    fork = multiprocessing.get_context("fork")
    answers, told = fork.Pipe(duplex=False)
    process = fork.Process(target=_second, args=(databases[1], told))
    process.start()
    # Without this end of it, a process that dies without an answer is noticed.
    told.close()
    yield answers
    process.terminate()
    process.join()


def test_a_year_of_nights_is_right_every_night_and_the_same_when_each_is_killed(databases, killed_year, monkeypatch):
    year = begin_year(databases[0])
    dictionary = load_dictionary(Settings().radius.freeradius_dictionary)
    with keeping(databases[0], monkeypatch) as morning:
        watcher = Watcher(year.connect, year.operator.isp.issuer, dictionary, morning)
        for day in year.days(watcher.look_at_midnight):
            watcher.look(day)
    watcher.close()

    assert watcher.nights == NIGHTS
    few = {name: (year.operator.done[name], floor) for name, floor in FLOORS.items()}
    assert {name: counts for name, counts in few.items() if counts[0] < counts[1]} == {}
    # Each level was seen on an open day, and promises came to either end.
    assert min(watcher.people.seen.values()) > 10, watcher.people.seen
    with year.connect() as connection:
        assert money_by_days(connection) > 300
        states = dict(connection.execute("SELECT state::text, count(*) FROM promise GROUP BY 1").fetchall())
        assert min(states.get("kept", 0), states.get("broken", 0)) > 2, states
        earned = dict(connection.execute("SELECT cause::text, count(*) FROM commission GROUP BY 1").fetchall())
        assert min(earned.get(cause, 0) for cause in ("activation", "paid", "withdrawn", "early_end")) > 0, earned
    kills, done, written = killed_year.recv()
    assert kills > NIGHTS // 2, "most of the nights died under way"
    assert done == year.operator.done
    for table, rows in all_that_was_written(databases[0]).items():
        assert rows == written[table], table

"""The run, twice, in pieces, killed, by several at once: always the same charges, documents, numbers and postings."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.billing_process import begin, killed_after
from support.billing_world import bill, go_on, make_mixed_books, prepare, what_is_written
from support.own_postgres import copy_database

from billing.store.due_work import Scope
from control_plane import db

pytestmark = pytest.mark.db

DAY = date(2026, 3, 12)
CUSTOMERS = 20


@pytest.fixture(scope="module")
def mixed(cluster):
    """A function that makes databases of the same small ISP, nothing of it billed."""
    names = []

    with db.connect(cluster.conninfo("postgres"), name="test", autocommit=True) as admin:
        copy_database(admin, "mixed_books")
        with db.connect(cluster.conninfo("mixed_books"), name="test") as connection:
            make_mixed_books(connection, customers=CUSTOMERS)

        def another() -> str:
            names.append(f"mixed_books_{len(names)}")
            copy_database(admin, names[-1], "mixed_books")
            return cluster.conninfo(names[-1])

        yield another
        for name in (*names, "mixed_books"):
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Written(dict):
    """What a run wrote, too much to be shown whole."""

    def __repr__(self):
        return f"Written({ {table: len(rows) for table, rows in self.items()} })"


@pytest.fixture(scope="module")
def expected(mixed):
    """What one undisturbed run writes."""
    conninfo = mixed()
    tally = bill(conninfo, DAY, workers=1, batch=3)
    assert (tally.payers, tally.failures) == (CUSTOMERS - 3, [])
    return Written(what_is_written(conninfo))


def charges(written):
    """Each charge with what it costs, wherever it is billed."""
    return sorted(row[:10] for row in written["charge"])


def has_a_hole(written):
    """Items whose charged time is not one stretch from their first to their last day."""
    ends: dict[int, date] = {}
    holes = []
    for row in sorted((row for row in written["charge"] if row[2] == "period"), key=lambda one: (one[1], one[3].lower)):
        if ends.get(row[1], row[3].lower) != row[3].lower:
            holes.append(row)
        ends[row[1]] = row[3].upper
    return holes


def test_no_time_is_missing_and_none_is_charged_twice(expected):
    assert len([row for row in expected["charge"] if row[2] == "period"]) > 60
    assert has_a_hole(expected) == []


def test_billed_again_nothing_is_new(mixed, expected):
    conninfo = mixed()
    run = prepare(conninfo, DAY)
    go_on(conninfo, run, batch=3)

    again = go_on(conninfo, run, batch=3)
    and_again = bill(conninfo, DAY)

    assert (again.charges, again.invoices, and_again.charges) == (0, 0, 0)
    assert what_is_written(conninfo) == expected


def test_two_threads_write_what_one_does_whatever_the_batches(mixed, expected):
    conninfo = mixed()

    bill(conninfo, DAY, batch=2, workers=2)

    assert what_is_written(conninfo) == expected


def test_killed_at_every_statement_it_goes_on_as_if_it_had_not_been(mixed, expected):
    conninfo = mixed()
    run = prepare(conninfo, DAY)

    kills = 0
    while killed_after(conninfo, run, kills, batch=9):
        kills += 1
        assert kills < 300, "a run that never gets anywhere"

    assert kills > 40  # each statement of a batch, its BEGIN and its COMMIT
    assert what_is_written(conninfo) == expected


def test_killed_among_two_threads_it_goes_on(mixed, expected):
    conninfo = mixed()
    run = prepare(conninfo, DAY)

    for point in (60, 90, 75, 110):
        killed_after(conninfo, run, point, batch=2, workers=2)
    go_on(conninfo, run)

    assert what_is_written(conninfo) == expected


def test_three_at_once_write_what_one_does(mixed, expected):
    conninfo = mixed()
    run = prepare(conninfo, DAY)

    together = [begin(conninfo, run, batch=1, workers=workers) for workers in (1, 2, 1)]
    for process in together:
        process.join()

    assert [process.exitcode for process in together] == [0, 0, 0]
    assert what_is_written(conninfo) == expected


def test_stopped_it_leaves_whole_batches_and_a_second_start_goes_on(mixed, expected):
    conninfo = mixed()
    run = prepare(conninfo, DAY)
    stop = threading.Event()

    first = go_on(conninfo, run, batch=3, workers=1, stop=stop, progress=lambda done: stop.set())
    state = "SELECT state FROM billing_run"
    with db.connect(conninfo, name="test") as connection:
        between = connection.execute(state).fetchone()
    second = go_on(conninfo, run, batch=3)
    with db.connect(conninfo, name="test") as connection:
        after = connection.execute(state).fetchone()

    assert (first.payers, between, second.payers, after) == (3, ("issuing",), CUSTOMERS - 6, ("done",))
    assert what_is_written(conninfo) == expected


# A step is some days on, and all customers or one alone.
STEPS = st.lists(st.tuples(st.integers(0, 40), st.none() | st.integers(1, CUSTOMERS)), min_size=1, max_size=6)


# Each example is a database of its own; what fails is told as it was found.
@settings(max_examples=6, phases=[Phase.generate])
@given(steps=STEPS)
def test_billed_in_any_pieces_the_charges_are_the_same(mixed, expected, steps):
    conninfo = mixed()

    day = date(2025, 12, 25)
    for days, customer in steps:
        day = min(day + timedelta(days=days), DAY)
        bill(conninfo, day, scope=Scope(customer_id=customer), workers=1)
    bill(conninfo, DAY)

    written = what_is_written(conninfo)
    assert charges(written) == charges(expected)
    assert has_a_hole(written) == []
    numbers = [(row[4], row[5], row[6]) for row in written["document"]]
    assert numbers == [
        (register, year, place) for (register, year), last in _lasts(numbers).items() for place in range(1, last + 1)
    ]
    balance = sum(row[3] for row in written["customer_balance"])
    assert balance == sum(row[13] for row in written["document"])


def _lasts(numbers):
    lasts = {}
    for register, year, number in numbers:
        lasts[register, year] = max(number, lasts.get((register, year), 0))
    return dict(sorted(lasts.items()))

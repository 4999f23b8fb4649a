"""Each step once a case, and none in a cleared one (I25), also when a step and the clearing come at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from support.legal_world import WORLD

pytestmark = pytest.mark.db

STEP = "INSERT INTO dunning_case_step (case_id, step, ran_by) VALUES ({}, '{}', 'job dunning')"
CLEAR = "UPDATE dunning_case SET cleared_at = now() WHERE id = {} AND cleared_at IS NULL"
OPEN = "INSERT INTO dunning_case (customer_id, issuer_id, currency) VALUES (1, 1, '{}') RETURNING id"
WRITERS = 8
ROUNDS = 20


@pytest.fixture
def two(database):
    """Two connections; case 1 is open and has run its first step."""
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        first.execute(WORLD)
        first.commit()
        second.execute("SET corrente.actor = 'job dunning'; SET lock_timeout = '300ms'")
        second.commit()
        yield first, second


def _waits(connection, statement):
    with pytest.raises(psycopg.errors.LockNotAvailable), connection.transaction():
        connection.execute(statement)


def test_a_step_waits_for_who_clears_the_case_and_is_refused_then(two):
    first, second = two
    first.execute(CLEAR.format(1))
    _waits(second, STEP.format(1, "walled"))
    first.commit()
    with pytest.raises(psycopg.errors.CheckViolation, match="dunning case 1 is cleared: step walled does not run"):
        second.execute(STEP.format(1, "walled"))


def test_a_case_is_not_cleared_under_a_step_that_runs(two):
    first, second = two
    first.execute(STEP.format(1, "walled"))
    _waits(second, CLEAR.format(1))
    first.commit()
    assert second.execute(CLEAR.format(1)).rowcount == 1


def test_a_snapshot_from_before_the_clearing_runs_no_step_either(two):
    first, second = two
    second.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    second.execute("SELECT FROM dunning_case")
    first.execute(CLEAR.format(1))
    first.commit()
    with pytest.raises(psycopg.errors.SerializationFailure):
        second.execute(STEP.format(1, "walled"))


def test_two_that_run_a_step_and_then_clear_the_case_wait_in_line_and_never_for_each_other(two):
    first, second = two
    first.execute(STEP.format(1, "walled"))
    _waits(second, STEP.format(1, "blocked"))
    # With a shared lock both would be here, each waiting for the other's.
    assert first.execute(CLEAR.format(1)).rowcount == 1
    first.commit()


def test_the_same_step_by_two_at_once_runs_once(two):
    first, second = two
    first.execute(STEP.format(1, "walled"))
    _waits(second, STEP.format(1, "walled"))
    first.commit()
    with pytest.raises(psycopg.errors.UniqueViolation):
        second.execute(STEP.format(1, "walled"))


def test_a_customer_has_one_open_case_a_currency_whoever_opens_it(two):
    first, second = two
    first.execute(OPEN.format("EUR"))
    _waits(second, OPEN.format("EUR"))
    first.commit()
    with pytest.raises(psycopg.errors.UniqueViolation):
        second.execute(OPEN.format("EUR"))


def test_eight_writers_over_several_cases_never_deadlock_and_no_step_comes_after_the_clearing(two, database):
    first, _ = two
    cases = [first.execute(OPEN.format(currency)).fetchone()[0] for currency in ("EUR", "GBP", "CHF")]
    first.commit()
    steps = "SELECT count(*) FROM dunning_case_step WHERE case_id = %s"
    at_clearing = {}

    def work(number):
        refused = (psycopg.errors.UniqueViolation, psycopg.errors.CheckViolation)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SET corrente.actor = 'job dunning'")
            for count in range(ROUNDS):
                for case in cases:
                    with suppress(*refused), connection.transaction():
                        connection.execute(STEP.format(case, f"s{(number + count) % ROUNDS}"))
                    if number == 0 and count == ROUNDS // 2:
                        with connection.transaction():
                            connection.execute(STEP.format(case, "last"))
                            connection.execute(CLEAR.format(case))
                            at_clearing[case] = connection.execute(steps, (case,)).fetchone()[0]

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))

    assert {case: first.execute(steps, (case,)).fetchone()[0] for case in cases} == at_clearing
    assert min(at_clearing.values()) > 1

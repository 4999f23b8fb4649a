"""The same key and body: one effect and one answer (I31), also when calls come at once or end in the middle."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from billing.store.idempotency import Answered, AnswerKeptError, First, OtherBody, Running, keep_answer, once

pytestmark = pytest.mark.db

CALL = {"caller": "portal", "route": "POST /payments", "key": "k1", "body": b'{"amount": "10.00"}'}
CALLERS = 8


@pytest.fixture
def two(database):
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        first.execute("CREATE TABLE effect (by text)")
        first.commit()
        yield first, second


def _effects(connection):
    return connection.execute("SELECT count(*) FROM effect").fetchone()[0]


def _do(connection, call=CALL):
    """The call as an interface makes it."""
    outcome = once(connection, **call)
    if isinstance(outcome, First):
        connection.execute("INSERT INTO effect VALUES ('us')")
        keep_answer(connection, outcome, status=201, answer=b"paid")
    return outcome


def test_a_repeated_call_has_the_first_one_s_answer_and_no_second_effect(two):
    first, second = two
    assert _do(first) == First("portal", "POST /payments", "k1")
    first.commit()

    assert _do(second) == Answered(201, b"paid")
    assert _effects(second) == 1


def test_the_key_of_another_caller_or_route_is_another_key(two):
    first, _ = two
    for changed in ({}, {"caller": "bank"}, {"route": "POST /refunds"}, {"key": "k2"}):
        assert isinstance(_do(first, {**CALL, **changed}), First)
    assert _effects(first) == 4


def test_the_same_key_for_another_body_is_refused(two):
    first, second = two
    _do(first)
    first.commit()

    assert _do(second, {**CALL, "body": b'{"amount": "99.00"}'}) == OtherBody()
    assert _effects(second) == 1


def test_a_call_that_is_still_running_is_said_to_be_and_nobody_waits(two):
    first, second = two
    second.execute("SET lock_timeout = '300ms'")
    _do(first)

    assert _do(second) == Running()
    first.commit()
    second.commit()
    assert _do(second) == Answered(201, b"paid")


def test_a_call_that_was_taken_back_leaves_its_key_free(two):
    first, second = two
    _do(first)
    first.rollback()

    assert isinstance(_do(second), First)
    assert _effects(second) == 1


def test_a_key_is_not_committed_without_its_answer(two):
    first, second = two
    once(first, **CALL)
    first.execute("INSERT INTO effect VALUES ('us')")
    assert once(first, **CALL) == Running()
    with pytest.raises(psycopg.errors.CheckViolation, match="k1 of portal on POST /payments has no answer"):
        first.commit()

    assert _effects(second) == 0
    assert isinstance(_do(second), First)


def test_an_answer_is_kept_once_and_only_for_what_this_transaction_began(two):
    first, _ = two
    call = _do(first)
    with pytest.raises(AnswerKeptError, match="k1 of portal on POST /payments waits for no answer"):
        keep_answer(first, call, status=500, answer=b"no")


def test_two_that_do_not_ask_first_can_t_both_write_the_key(two):
    first, second = two
    row = (
        "INSERT INTO idempotency_key (caller, route, key, body_hash, status, answer)"
        " VALUES ('portal', 'x', 'k', sha256(''), 200, '')"
    )
    first.execute(row)
    second.execute("SET lock_timeout = '300ms'")
    second.commit()
    with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
        second.execute(row)
    first.commit()
    with pytest.raises(psycopg.errors.UniqueViolation), second.transaction():
        second.execute(row)


def test_many_at_once_have_one_effect_and_whoever_asks_until_it_is_done_the_same_answer(two, database):
    first, _ = two
    together = threading.Barrier(CALLERS)

    def call(_):
        with psycopg.connect(database) as connection:
            together.wait()
            while True:
                outcome = _do(connection)
                connection.commit()
                if not isinstance(outcome, Running):
                    return outcome

    with ThreadPoolExecutor(CALLERS) as pool:
        outcomes = list(pool.map(call, range(CALLERS)))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Answered"] * (CALLERS - 1) + ["First"]
    assert {outcome.answer for outcome in outcomes if isinstance(outcome, Answered)} == {b"paid"}
    assert _effects(first) == 1

"""The outbox hands every event over once, and those of a contract in order, whoever takes at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import psycopg
import pytest
from psycopg.rows import tuple_row
from support.legal_world import WORLD, insert

from billing.store.outbox import CHANNEL, Event, hand_over, write

pytestmark = pytest.mark.db

CONTRACTS = 5
WRITERS = 4
EVENTS = 30


@pytest.fixture
def two(database):
    with psycopg.connect(database, row_factory=tuple_row) as first, psycopg.connect(database) as second:
        second.execute("SET lock_timeout = '300ms'")
        second.commit()
        yield first, second


def _of(contract, name="contract.changed"):
    return Event(name, {}, contract)


def _names(taken):
    return [(event.contract_id, event.version) for event in taken]


def test_an_event_comes_out_as_it_was_written_with_amounts_and_days_as_text(two):
    first, _ = two
    payload = {"document": 7, "payable": Decimal("122.00"), "due_on": date(2026, 3, 16)}
    write(first, [Event("document.issued", payload, payload_version=2)])

    (event,) = hand_over(first, limit=10)

    assert event.payload == {"document": 7, "payable": "122.00", "due_on": "2026-03-16"}
    assert (event.name, event.payload_version, event.contract_id, event.version) == (
        "document.issued",
        2,
        None,
        None,
    )


def test_an_event_is_there_only_when_the_transaction_that_decided_it_commits_and_wakes_who_listens(two, database):
    first, second = two
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        write(first, [_of(1)])
        assert hand_over(second, limit=10) == []
        second.commit()
        assert list(listener.notifies(timeout=0)) == []
        first.commit()
        assert len(list(listener.notifies(timeout=120, stop_after=1))) == 1
    assert _names(hand_over(second, limit=10)) == [(1, 1)]


def test_what_one_takes_and_gives_back_nobody_has_meanwhile_nor_what_follows_it_of_its_contract(two):
    first, second = two
    write(first, [_of(1), _of(1), _of(2), Event("document.issued")])
    first.commit()

    # Those of no contract come first.
    assert _names(hand_over(first, limit=2)) == [(None, None), (1, 1)]
    assert _names(hand_over(second, limit=10)) == [(2, 1)]
    second.commit()
    first.rollback()

    assert _names(hand_over(second, limit=10)) == [(None, None), (1, 1), (1, 2)]
    second.commit()
    assert hand_over(first, limit=10) == []


def test_a_second_writer_of_a_contract_waits_so_that_versions_are_committed_in_order(two):
    first, second = two
    write(first, [_of(1)])
    with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
        write(second, [_of(1)])
    first.rollback()

    write(second, [_of(1)])
    second.commit()
    assert _names(hand_over(second, limit=10)) == [(1, 1)]


def test_many_writers_and_relays_at_once_deliver_all_in_order_without_a_deadlock(database):
    delivered, guard, written = [], threading.Lock(), threading.Event()

    def write_all(number):
        with psycopg.connect(database) as connection:
            for count in range(EVENTS):
                # Given in another order each time; every seventh takes it back.
                contracts = [1 + (number + count + step) % CONTRACTS for step in range(3)]
                with connection.transaction(force_rollback=count % 7 == 6):
                    write(connection, [_of(contract) for contract in contracts])

    def relay(_):
        with psycopg.connect(database, autocommit=True) as connection:
            while True:
                done = written.is_set()
                with connection.transaction():
                    taken = hand_over(connection, limit=20)
                    with guard:
                        delivered.extend(_names(taken))
                if done and not taken:
                    return

    with ThreadPoolExecutor(WRITERS + 3) as pool:
        relays = [pool.submit(relay, number) for number in range(3)]
        writers = [pool.submit(write_all, number) for number in range(WRITERS)]
        for writer in writers:
            writer.result()
        written.set()
        for one in relays:
            one.result()

    with psycopg.connect(database, autocommit=True) as connection:
        # A relay may have ended while another held what came before.
        while rest := hand_over(connection, limit=100):
            delivered += _names(rest)
        assert connection.execute("SELECT count(*) FROM outbox WHERE sent_at IS NULL").fetchone() == (0,)
    of = {contract: [v for c, v in delivered if c == contract] for contract in range(1, CONTRACTS + 1)}
    assert all(versions == list(range(1, len(versions) + 1)) for versions in of.values())
    assert len(delivered) == WRITERS * (EVENTS - EVENTS // 7) * 3


def test_an_event_can_t_be_marked_sent_before_the_one_in_front_of_it(two):
    first, _ = two
    first.execute(WORLD)
    first.execute(insert("outbox"))
    later = first.execute("SELECT max(id) FROM outbox").fetchone()[0]
    with pytest.raises(psycopg.errors.CheckViolation, match="an earlier event of contract 1 is not sent yet"):
        first.execute("UPDATE outbox SET attempts = 1, sent_at = now() WHERE id = %s", (later,))

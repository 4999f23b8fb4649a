"""Batches by several threads: in their order, all or none after a failure. No database: a batch is what the test says."""

from __future__ import annotations

import gc
import threading
from contextlib import nullcontext

import pytest

from billing.runs.desk import Sheaf
from billing.runs.walk import Walk, collecting_seldom


def batch(number):
    return Sheaf(owners=((number, number),))


def nobody():
    return nullcontext(None)


def test_batches_are_written_in_their_order_whichever_thread_is_quicker():
    written, both = [], threading.Barrier(2)

    def bill(connection, contracts, turn):
        (number,) = contracts
        if number in (1, 2):
            both.wait(timeout=120)  # so each thread has one of the first two in hand
        turn()
        written.append(number)
        return batch(number)

    walk = Walk(iter([(n,) for n in range(1, 9)]), of=8)
    walk.go(bill, nobody, None, workers=2)

    assert written == list(range(1, 9))
    assert (walk.tally.payers, walk.stopped) == (8, False)


def test_what_fails_ends_the_walk_and_nothing_behind_it_is_written():
    written, ahead = [], threading.Event()

    def bill(connection, contracts, turn):
        (number,) = contracts
        if number == 2:
            ahead.set()
        if number == 1:
            ahead.wait(timeout=120)
            raise OSError("the disk is full")
        turn()
        written.append(number)
        return batch(number)

    walk = Walk(iter([(n,) for n in range(1, 9)]), of=8)
    with pytest.raises(OSError, match="the disk is full"):
        walk.go(bill, nobody, None, workers=2)

    assert written == []
    assert walk.stopped


def test_stopped_it_takes_no_further_batch_and_tells_how_far_it_came():
    stop, told = threading.Event(), []

    def progress(done):
        told.append((done.payers, done.of))
        stop.set()

    walk = Walk(iter([(n,) for n in range(1, 9)]), of=8, progress=progress, stop=stop)
    walk.go(lambda connection, contracts, turn: batch(*contracts), nobody, None, workers=1)

    assert told == [(1, 8)]
    assert walk.stopped


def test_a_connection_that_can_not_be_made_ends_the_walk():
    def refuses():
        raise OSError("no route")

    def bill(connection, contracts, turn):
        turn()
        return batch(*contracts)

    walk = Walk(iter([(n,) for n in range(1, 9)]), of=8)
    with pytest.raises(OSError, match="no route"):
        walk.go(bill, refuses, None, workers=2)


def test_of_several_at_once_the_last_to_leave_sets_the_collector_back():
    usual = gc.get_threshold()
    first, second, third = (collecting_seldom() for _ in range(3))
    for one in (first, second):
        one.__enter__()
        assert gc.get_threshold() == (100 * usual[0], *usual[1:])
    first.__exit__(None, None, None)
    third.__enter__()
    assert gc.get_threshold() == (100 * usual[0], *usual[1:])
    second.__exit__(None, None, None)
    third.__exit__(None, None, None)
    assert gc.get_threshold() == usual

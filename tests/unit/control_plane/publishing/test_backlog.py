import threading
from array import array
from contextlib import closing

import pytest

from control_plane.publishing.backlog import Backlog
from control_plane.publishing.change_feed import Changes

LIMIT_S = 120


def until_ready(backlog):
    for _ in range(LIMIT_S * 100):
        if backlog.ready:
            return
        threading.Event().wait(0.01)
    raise AssertionError("never ready")


def test_accounts_are_taken_in_order_and_once_they_are_ordered():
    let_go = threading.Event()

    def order(accounts):
        assert let_go.wait(LIMIT_S)
        return array("q", sorted(set(accounts)))

    with closing(Backlog(order)) as backlog:
        assert not backlog
        backlog.add(Changes(accounts=array("q", [3, 1, 2, 1]), usernames=["old"]))
        assert backlog
        assert backlog.take(10).usernames == ["old"]
        assert (len(backlog.take(10)), backlog.ready, bool(backlog)) == (0, False, True)

        let_go.set()
        until_ready(backlog)
        assert [list(backlog.take(2).accounts), list(backlog.take(2).accounts)] == [[2, 3], [1]]
        assert not backlog


def test_what_comes_while_another_is_being_ordered_is_ordered_after_it():
    let_go = threading.Event()

    def order(accounts):
        assert let_go.wait(LIMIT_S)
        return accounts

    with closing(Backlog(order)) as backlog:
        for number in (1, 2, 3):
            backlog.add(Changes(accounts=array("q", [number])))
        let_go.set()
        taken = []
        while backlog:
            until_ready(backlog)
            taken += backlog.take(10).accounts
        assert taken == [1, 2, 3]


def test_a_failure_to_order_is_raised_to_who_takes():
    def order(accounts):
        raise ConnectionError("gone")

    with closing(Backlog(order)) as backlog:
        backlog.add(Changes(accounts=array("q", [1])))
        until_ready(backlog)
        with pytest.raises(ConnectionError, match="gone"):
            backlog.take(1)

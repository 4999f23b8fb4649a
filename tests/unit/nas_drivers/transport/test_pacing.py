"""Rates and identifiers without a clock: the test says what time it is."""

import math

import pytest

from nas_drivers.transport.pacing import IdentifierPool, Pace


def test_a_rate_spreads_its_requests_evenly():
    pace = Pace(per_s=100)
    began = []
    now = 50.0
    while len(began) < 301:
        wait = pace.wait_s(now)
        if wait == 0:
            began.append(now)
            pace.take(now)
        now += 0.001

    # 300 of them need 3 s; 10 ms of grace are one request early.
    assert began[-1] - began[0] == pytest.approx(2.99, abs=0.01)
    assert max(sum(at <= one < at + 1 for one in began) for at in began) <= 102


def test_a_pause_saves_up_no_burst():
    pace = Pace(per_s=10)
    pace.take(0.0)

    assert pace.wait_s(100.0) == 0
    pace.take(100.0)
    assert pace.wait_s(100.0) == pytest.approx(0.09)


def test_an_identifier_rests_for_five_minutes_and_a_second_port_is_asked_for_in_the_meantime():
    pool = IdentifierPool()
    first = [pool.take(0.0, ports=1) for _ in range(256)]
    assert first == [(0, identifier) for identifier in range(256)]
    for pair in first:
        pool.give_back(pair, 10.0)

    assert pool.take(309.9, ports=1) == (1, 0)
    assert pool.take(310.0, ports=2) == (0, 0)
    assert pool.take(310.0, ports=2) == (0, 1)


def test_an_identifier_in_use_is_never_given_again():
    pool = IdentifierPool()
    taken = [pool.take(0.0, ports=2) for _ in range(512)]
    for pair in taken[1:]:
        pool.give_back(pair, 0.0)

    # (0, 0) is still on its way; nothing may overtake it on the way to a third port.
    assert pool.take(1_000_000.0, ports=2) == (2, 0)


def test_without_ports_it_says_when_one_may_be_free():
    pool = IdentifierPool(max_ports=1)
    pairs = [pool.take(0.0, ports=1) for _ in range(256)]

    assert pool.take(5.0, ports=1) == math.inf
    pool.give_back(pairs[0], 7.0)
    assert pool.take(8.0, ports=1) == 307.0
    assert pool.take(307.0, ports=1) == (0, 0)

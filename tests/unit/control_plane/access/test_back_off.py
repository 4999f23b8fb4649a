"""How long the next try waits, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.access.back_off import FREE_BY_ADDRESS, Failures, line_of, longest_wait_s, wait_until

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "wait_s"),
    [(4, None), (5, 30), (6, 60), (7, 120), (8, 240), (9, 480), (10, 900), (11, 900), (1_000_000, 900)],
)
def test_five_tries_are_free_and_each_failure_after_them_doubles_the_wait_up_to_a_quarter_of_an_hour(count, wait_s):
    expected = None if wait_s is None else NOON + timedelta(seconds=wait_s)
    assert wait_until(Failures(count, NOON), free=5) == expected


def test_the_longer_of_the_two_waits_holds_and_a_begun_second_is_a_whole_one():
    by_name, by_line = Failures(6, NOON), Failures(FREE_BY_ADDRESS, NOON)
    assert longest_wait_s(by_name, by_line, now=NOON + timedelta(seconds=20.5)) == 40
    assert longest_wait_s(Failures(), by_line, now=NOON + timedelta(seconds=20.5)) == 10
    assert longest_wait_s(by_name, by_line, now=NOON + timedelta(seconds=60)) == 0
    assert longest_wait_s(Failures(), Failures(), now=NOON) == 0


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, None),
    ],
)
def test_a_line_is_an_ipv4_address_or_an_ipv6_prefix(address, line):
    assert line_of(address) == line

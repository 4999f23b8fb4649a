"""Accounting against the device's own list: what differs, and when it is too much to act on."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.control_loop.two_views import (
    Gives,
    HeldSession,
    ListedSession,
    OwnSession,
    agrees,
    contradicted,
    difference,
    held_policies,
)
from nas_drivers.device_session import DeviceSession

READ_AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def own(number, *, heard_s_ago=600, username="anna"):
    heard = READ_AT - timedelta(seconds=heard_s_ago)
    return OwnSession(bytes([number % 256]) * 16, f"s{number}", username, heard - timedelta(hours=1), heard)


def listed(number, *, up_s=600, username="anna"):
    return ListedSession(f"s{number}", username, READ_AT - timedelta(seconds=up_s))


def test_sessions_of_both_views_do_not_differ():
    assert difference([own(1), own(2)], [listed(2), listed(1)], read_at=READ_AT) == difference([], [], read_at=READ_AT)


@pytest.mark.parametrize(("heard_s_ago", "ghosts"), [(121, ["s1"]), (120, []), (-30, [])])
def test_ours_alone_is_a_ghost_when_it_was_last_heard_before_the_grace(heard_s_ago, ghosts):
    found = difference([own(1, heard_s_ago=heard_s_ago)], [], read_at=READ_AT)

    assert [one.acct_session_id for one in found.ghosts] == ghosts


@pytest.mark.parametrize(("up_s", "unknown"), [(121, ["s1"]), (120, [])])
def test_the_device_s_alone_is_unknown_when_it_is_up_for_longer_than_the_grace(up_s, unknown):
    found = difference([], [listed(1, up_s=up_s)], read_at=READ_AT)

    assert [one.acct_session_id for one in found.unknown] == unknown


def test_an_id_that_another_user_has_now_is_a_ghost_and_an_unknown_one():
    found = difference([own(1, username="anna")], [listed(1, username="bruno")], read_at=READ_AT)

    assert (len(found.ghosts), len(found.unknown), found.held) == (1, 1, "")


@pytest.mark.parametrize(
    ("sessions", "gone", "held"),
    [(20, 20, False), (21, 21, True), (500, 25, False), (500, 26, True), (400, 21, True), (1000, 21, False)],
)
def test_more_than_a_twentieth_and_more_than_twenty_at_once_is_left_to_a_person(sessions, gone, held):
    found = difference(map(own, range(sessions)), map(listed, range(gone, sessions)), read_at=READ_AT)

    assert (len(found.ghosts), bool(found.held)) == (gone, held)


def test_ghosts_and_unknown_ones_count_together():
    found = difference(map(own, range(11)), map(listed, range(20, 31)), read_at=READ_AT)

    assert found.held == (
        "11 of our sessions are not on the device and 11 of its own are not known here, of 11: nothing was done"
    )


MBIT = 1_000_000


def gives(down, up, lists=frozenset()):
    return Gives(down * MBIT, up * MBIT, lists)


FULL, SLOW, WALLED = gives(100, 20), gives(2, 1), gives(2, 1, frozenset({"walled"}))
GIVES = {b"FFFF": FULL, b"SSSS": SLOW, b"WWWW": WALLED, b"OOOO": gives(50, 10, None)}


def shown(down=None, up=None, lists=None, *, number=1):
    rates = {"rate_down_bps": down and down * MBIT, "rate_up_bps": up and up * MBIT}
    return DeviceSession(f"s{number}", "anna", **rates, address_lists=lists)


def held(version, desired=b"FFFF1111", *, number=1):
    return HeldSession(bytes([number % 256]) * 16, f"s{number}", "anna", 7, version, desired)


@pytest.mark.parametrize(
    ("device", "given", "expected"),
    [
        (shown(100, 20), FULL, True),
        (shown(20, 100), FULL, False),
        (shown(0, 0), gives(0, 0), True),
        (shown(), FULL, None),
        # Half a pair says nothing.
        (shown(100, None), FULL, None),
        (shown(2, 1, ()), WALLED, False),
        (shown(2, 1, ("no-mail", "walled")), WALLED, True),
        (shown(2, 1, ("no-mail",)), SLOW, True),
        (shown(lists=("walled",)), WALLED, True),
        (shown(50, 10, ()), GIVES[b"OOOO"], True),
    ],
)
def test_rates_must_be_the_same_and_the_lists_that_were_given_be_there(device, given, expected):
    assert agrees(device, given) is expected


@pytest.mark.parametrize(
    ("sold_bps", "shown_bps", "expected"),
    # A mebibit is 1,048.576 kbit/s: a device that knows whole kilobits was told 1,049. No limit is no small rate.
    [
        (1_048_576, 1_049_000, True),
        (1_048_576, 1_050_000, False),
        (999, 0, False),
        (1_000, 1_999, True),
        (1_000, 2_000, False),
    ],
)
def test_rates_are_compared_to_the_kilobit(sold_bps, shown_bps, expected):
    device = DeviceSession("s1", "anna", rate_down_bps=shown_bps, rate_up_bps=shown_bps)

    assert agrees(device, Gives(sold_bps, sold_bps, None)) is expected


@pytest.mark.parametrize(
    ("held_version", "device", "believed"),
    [
        (b"FFFF1111", shown(100, 20, ()), None),
        (b"FFFF1111", shown(2, 1, ()), b"SSSS1111"),
        # What is wanted is the likeliest, then what has most of the lists.
        (b"WWWW1111", shown(100, 20, ()), b"FFFF1111"),
        (b"FFFF1111", shown(2, 1, ("walled",)), b"WWWW1111"),
        (b"WWWW1111", shown(2, 1, ()), b"SSSS1111"),
        # A profile as it was before it was edited, and what no profile ever gave.
        (b"FFFF2222", shown(50, 10, ()), b"OOOO2222"),
        (b"FFFF1111", shown(3, 3, ()), bytes(4) + b"1111"),
        (bytes(4) + b"1111", shown(3, 3, ()), None),
        (bytes(4) + b"1111", shown(100, 20, ()), b"FFFF1111"),
        # Nothing is known of what was held, or the device says nothing.
        (b"????1111", shown(2, 1, ()), None),
        (b"FFFF1111", shown(), None),
        (b"FFFF1111", shown(2, 1, number=2), None),
    ],
)
def test_a_device_that_shows_something_else_than_was_held_is_believed(held_version, device, believed):
    found = contradicted([held(held_version)], [device], GIVES)

    assert [one.shown for one in found] == ([] if believed is None else [believed])


def test_of_a_session_that_must_end_too_it_is_known_what_it_runs_under():
    (found,) = contradicted([held(b"FFFF1111", None)], [shown(2, 1, ())], GIVES)

    assert (found.shown, found.is_drift) == (b"SSSS1111", True)


@pytest.mark.parametrize(("wrong", "held_back"), [(20, False), (21, True)])
def test_more_than_a_twentieth_and_more_than_twenty_in_drift_are_not_believed_and_those_in_order_do_not_count(
    wrong, held_back
):
    sessions = [held(b"SSSS1111", number=number) for number in range(100)]
    devices = [shown(3, 3, (), number=n) if n < wrong else shown(100, 20, (), number=n) for n in range(100)]

    found = contradicted(sessions, devices, GIVES)

    assert (len(found), bool(held_policies(found, of=100))) == (100, held_back)

"""Accounting against the device's own list: what differs, and when it is too much to act on."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.control_loop.two_views import ListedSession, OwnSession, difference

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

"""Accounting's sessions beside the device's own list."""

from datetime import UTC, datetime, timedelta

from control_plane.control_loop.two_views import OwnSession
from control_plane.device_test.seen import Sides
from control_plane.device_test.session_lists import compare
from nas_drivers.device_session import DeviceSession

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def own(session_id, username, *, heard_s=600):
    at = NOW - timedelta(seconds=heard_s)
    return OwnSession(b"k" * 16, session_id, username, at, at)


def there(session_id, username, *, up_s=None):
    return DeviceSession(session_id, username, up_s=up_s)


def test_with_ids_a_session_is_the_same_by_id_and_name_whatever_the_case_of_its_id():
    sides = compare(
        [own("8100000A", "anna"), own("81000002", "bruno")],
        [there("8100000a", "anna"), there("81000003", "bruno", up_s=500)],
        read_at=NOW,
    )
    assert sides == Sides(only_ours=("bruno",), only_there=("bruno",), there=2, by_id=True)


def test_without_ids_the_sessions_of_each_username_are_counted():
    ours = [own("1", "anna"), own("2", "anna"), own("3", "bruno")]
    listed = [there("", "anna"), there("", "carla"), there("", "carla")]
    assert compare(ours, listed, read_at=NOW) == Sides(("anna", "bruno"), ("carla", "carla"), 3, by_id=False)


def test_one_nameless_id_makes_the_list_one_of_names():
    ours = [own("1", "anna"), own("2", "bruno")]
    assert compare(ours, [there("1", "anna"), there("", "bruno")], read_at=NOW) == Sides(there=2, by_id=False)


def test_what_is_younger_than_two_minutes_is_on_its_way():
    young = [own("1", "anna", heard_s=119)]
    assert compare(young, [there("9", "bruno", up_s=120)], read_at=NOW) == Sides(there=1)
    old = [own("1", "anna", heard_s=121)]
    assert compare(old, [there("9", "bruno", up_s=121)], read_at=NOW) == Sides(("anna",), ("bruno",), 1)


def test_where_a_list_has_no_ages_who_just_logged_in_is_young_and_nobody_else():
    listed = [there("8", "anna"), there("9", "bruno")]
    assert compare([], listed, read_at=NOW, just_in={"anna"}) == Sides((), ("bruno",), 2)
    assert compare([], [there("8", "anna", up_s=900)], read_at=NOW, just_in={"anna"}) == Sides((), ("anna",), 1)


def test_an_empty_list_lacks_all_of_ours():
    assert compare([own("1", "anna")], [], read_at=NOW) == Sides(("anna",), (), 0)

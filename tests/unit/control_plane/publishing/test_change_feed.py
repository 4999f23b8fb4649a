from array import array
from datetime import UTC, datetime

from control_plane.publishing.change_feed import Changes

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def test_a_backlog_is_taken_in_parts_until_nothing_is_left_and_devices_go_first():
    backlog = Changes(since=LATE)
    backlog.add(
        Changes(
            accounts=array("q", range(5)),
            sessions=array("q", [9]),
            usernames=["a", "b", "c"],
            devices=True,
            since=EARLY,
        )
    )
    assert (len(backlog), backlog.since) == (10, EARLY)

    parts = []
    while len(backlog):
        parts.append(backlog.take(2))

    assert [part.devices for part in parts] == [True, False, False]
    assert sorted(key for part in parts for key in part.accounts) == [0, 1, 2, 3, 4]
    assert sorted(name for part in parts for name in part.usernames) == ["a", "b", "c"]
    assert [len(part.sessions) for part in parts] == [1, 0, 0]
    assert all(part.since == EARLY for part in parts)


def test_nothing_taken_from_nothing():
    assert len(Changes().take(10)) == 0

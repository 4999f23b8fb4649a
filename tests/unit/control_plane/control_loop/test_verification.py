"""What a second source says of an acknowledged change, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.control_loop.enforcement import Sight
from control_plane.control_loop.verification import Look, deadline_after, sight_of

ACK = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
OLD, NEW = bytes(8), b"\1" * 8


def after(seconds: float) -> datetime:
    return ACK + timedelta(seconds=seconds)


COA = Look(
    ends_session=False,
    live=True,
    replaced=False,
    heard_at=after(-60),
    version=OLD,
    desired_version=NEW,
    sent_at=after(-0.1),
    answered_at=ACK,
    read_to=after(0),
    deadline=after(162),
    echoes=True,
    source="accounting",
)
CUT = replace(COA, ends_session=True, deadline=after(10))


@pytest.mark.parametrize(
    ("look", "now", "expected"),
    [
        (COA, after(1), Sight.NOT_YET),
        # Receipt is counted in whole seconds: a record of 12:00:00 came in the second of the change.
        (replace(COA, heard_at=after(-0.5), version=NEW), after(1), Sight.HOLDS),
        (replace(COA, version=NEW), after(1), Sight.NOT_YET),
        (replace(COA, heard_at=after(1.5)), after(2), Sight.NOT_YET),
        (replace(COA, heard_at=after(2.5)), after(3), Sight.IGNORED),
        (replace(COA, heard_at=after(30), version=NEW), after(31), Sight.HOLDS),
        (replace(COA, live=False), after(1), Sight.OVER),
        (replace(COA, echoes=False), after(1), Sight.CANNOT),
        (replace(COA, source="none"), after(1), Sight.CANNOT),
        (replace(COA, echoes=False, device=True), after(1), Sight.HOLDS),
        (replace(COA, echoes=False, device=False), after(1), Sight.IGNORED),
        # Late by the clock alone says nothing: the records may lie unread in a spool.
        (COA, after(200), Sight.NOT_YET),
        (replace(COA, read_to=None), after(200), Sight.NOT_YET),
        (replace(COA, read_to=after(163)), after(200), Sight.CANNOT),
        (CUT, after(1), Sight.NOT_YET),
        (replace(CUT, live=False), after(1), Sight.HOLDS),
        (replace(CUT, replaced=True), after(1), Sight.HOLDS),
        (replace(CUT, heard_at=after(3)), after(4), Sight.IGNORED),
        (CUT, after(20), Sight.NOT_YET),
        (replace(CUT, read_to=after(11)), after(20), Sight.IGNORED),
    ],
)
def test_a_second_source_is_believed(look, now, expected):
    sight, problem = sight_of(look, now=now)
    assert sight is expected
    assert bool(problem) == (expected in (Sight.IGNORED, Sight.CANNOT, Sight.OVER))


def test_a_cut_is_given_ten_seconds_and_a_coa_two_interim_intervals():
    assert deadline_after(ends_session=True, interim_interval_s=600) == 10
    assert deadline_after(ends_session=False, interim_interval_s=600) == pytest.approx(30 + 2.2 * 600)
    assert deadline_after(ends_session=False, interim_interval_s=None) == pytest.approx(30 + 2.2 * 600)

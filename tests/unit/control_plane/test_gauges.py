"""Bounded labels; what the figures say is in tests/db/test_web.py."""

from control_plane.gauges import by_nas, drift_counts
from control_plane.store.drift import DriftFigure, DriftReason


def test_nases_with_the_fewest_changes_are_counted_together():
    rows = [
        (("queued",), "a", 5),
        (("acked",), "a", 1),
        (("queued",), "b", 4),
        (("queued",), "c", 2),
        (("acked",), "d", 3),
    ]
    assert by_nas(rows, named=2) == {
        ("queued", "a"): 5,
        ("acked", "a"): 1,
        ("queued", "b"): 4,
        ("queued", "other"): 2,
        ("acked", "other"): 3,
    }


def test_of_nases_with_as_many_the_first_by_name_are_named():
    assert by_nas([(("queued",), name, 1) for name in "cab"], named=2) == {
        ("queued", "a"): 1,
        ("queued", "b"): 1,
        ("queued", "other"): 1,
    }


def test_drift_is_told_by_reason_by_whether_anything_is_under_way_and_by_nas():
    figures = [
        DriftFigure(1, DriftReason.MUST_END, "queued", to_change=False, sessions=3),
        DriftFigure(2, DriftReason.MUST_END, "sent", to_change=False, sessions=4),
        DriftFigure(1, DriftReason.MUST_END, "queued", to_change=True, sessions=1),
        DriftFigure(1, DriftReason.UNKNOWN, "", to_change=False, sessions=9),
    ]
    assert drift_counts(figures, {1: "tower", 2: "bras"}) == {
        ("must_end", "open", "tower"): 3,
        ("must_end", "open", "bras"): 4,
        ("must_end", "wanted", "tower"): 1,
        ("unknown", "none", "tower"): 9,
    }


def test_drift_of_ten_thousand_nases_is_told_of_twenty_by_name_and_of_the_others_together():
    figures = [
        DriftFigure(number, DriftReason.MUST_END, "sent", to_change=False, sessions=1 + number % 100)
        for number in range(1, 10_001)
    ]
    counts = drift_counts(figures, {number: f"nas{number:05}" for number in range(1, 10_001)})
    assert len(counts) == 21
    assert ("must_end", "open", "nas00099") in counts
    # 1 to 100, a hundred times each.
    assert sum(counts.values()) == 505_000

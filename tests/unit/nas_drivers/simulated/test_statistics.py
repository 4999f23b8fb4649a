"""Counting and percentiles."""

import pytest

from nas_drivers.simulated import statistics
from nas_drivers.simulated.statistics import Latencies, Statistics, take_snapshot


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0), (0.0, 1.0)])
def test_a_percentile_is_the_smallest_value_that_this_share_did_not_exceed(share: float, expected: float) -> None:
    latencies = Latencies()
    for value in range(100, 0, -1):
        latencies.add(float(value))

    assert latencies.percentile(share) == expected


def test_without_answers_there_is_no_latency() -> None:
    assert Latencies().percentile(0.99) == 0.0


def test_beyond_the_limit_the_oldest_latencies_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAX_LATENCIES", 3)
    latencies = Latencies()
    for value in (9.0, 9.0, 1.0, 2.0, 3.0):
        latencies.add(value)

    assert (latencies.percentile(1.0), len(latencies)) == (3.0, 5)


def test_a_snapshot_sums_up_acks_and_naks() -> None:
    counted = Statistics(accepted=2)
    counted.changes_answered.update({"coa ack": 3, "disconnect ack": 1, "coa nak 503": 2, "disconnect nak": 1})

    picture = take_snapshot(counted, name="n", address="127.0.0.1", vendor="generic", online=1, waiting=0)

    assert (picture.changes_acked, picture.changes_nacked, picture.accepted) == (4, 3, 2)

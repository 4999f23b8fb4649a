"""Counters that follow the rate."""

from hypothesis import given
from hypothesis import strategies as st

from nas_drivers.simulated.traffic import Counters, Meter, Rates


def _meter(down_bps: int | None, up_bps: int | None) -> Meter:
    return Meter(Rates(down_bps, up_bps), line_bps=1_000_000_000, load_down=0.5, load_up=0.1, now=100.0)


def test_a_session_counts_its_share_of_the_rate() -> None:
    # 80 Mbit/s at half load are 5,000,000 octets a second; 8 Mbit/s at a tenth are 100,000.
    assert _meter(80_000_000, 8_000_000).read(110.0) == Counters(octets_down=50_000_000, octets_up=1_000_000)


def test_without_a_rate_the_line_is_the_limit() -> None:
    assert _meter(None, None).read(101.0) == Counters(octets_down=62_500_000, octets_up=12_500_000)


def test_a_change_keeps_what_was_counted_and_goes_on_at_the_new_rate() -> None:
    meter = _meter(80_000_000, 8_000_000)

    meter.change(Rates(8_000_000, 800_000), 110.0)

    assert meter.read(110.0) == Counters(50_000_000, 1_000_000)
    assert meter.read(120.0) == Counters(55_000_000, 1_100_000)
    assert meter.rates == Rates(8_000_000, 800_000)


def test_another_load_and_a_reset_bend_the_line_in_the_same_way() -> None:
    meter = _meter(80_000_000, 8_000_000)

    meter.load(down=1.0, up=1.0, now=110.0)
    assert meter.read(111.0) == Counters(60_000_000, 2_000_000)
    meter.reset(111.0)
    assert meter.read(112.0) == Counters(10_000_000, 1_000_000)


def test_a_line_is_quiet_from_when_nothing_flows_either_way_until_something_does() -> None:
    meter = _meter(80_000_000, 8_000_000)
    assert meter.quiet_since is None

    meter.load(down=0.0, up=0.2, now=110.0)
    assert meter.quiet_since is None
    meter.load(down=0.0, up=0.0, now=120.0)
    meter.change(Rates(1_000, 1_000), 130.0)
    assert meter.quiet_since == 120.0
    meter.load(down=0.1, up=0.0, now=140.0)
    assert meter.quiet_since is None
    assert Meter(Rates(), line_bps=1, load_down=0.0, load_up=0.0, now=100.0).quiet_since == 100.0


def test_packets_are_counted_beside_octets() -> None:
    assert (Counters(10_000, 999).packets_down, Counters(10_000, 999).packets_up) == (10, 0)


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(1_000, 10**11)), min_size=1, max_size=20))
def test_counters_never_go_back_whatever_is_changed(steps: list[tuple[float, int]]) -> None:
    meter, now, last = _meter(1_000_000, 1_000_000), 100.0, Counters()
    for wait_s, rate_bps in steps:
        now += wait_s
        meter.change(Rates(rate_bps, rate_bps), now)
        read = meter.read(now)
        assert read.octets_down >= last.octets_down
        assert read.octets_up >= last.octets_up
        last = read

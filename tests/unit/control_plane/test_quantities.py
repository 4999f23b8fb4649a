"""Quantities as people write them."""

from datetime import UTC, datetime
from ipaddress import ip_network
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane import quantities
from control_plane.quantities import (
    FASTEST_BPS,
    SLOWEST_BPS,
    QuantityError,
    Rates,
    duration_text,
    instant_text,
    mac_text,
    network_text,
    octets_text,
    off_text,
    rate_text,
    rates_text,
    read_device_address,
    read_device_source,
    read_duration_s,
    read_host,
    read_instant,
    read_mac,
    read_network,
    read_new_name,
    read_octets,
    read_rates,
)

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "down", "up"),
    [
        ("300M/30M", 300_000_000, 30_000_000),
        ("1.5G/200M", 1_500_000_000, 200_000_000),
        ("512k/256k", 512_000, 256_000),
        ("100 Mbit/s / 20 Mbit/s", 100_000_000, 20_000_000),
        ("100Mbps/20Mbps", 100_000_000, 20_000_000),
        ("64000bps/1000bps", 64_000, 1_000),
        ("400G/1k", 400_000_000_000, 1_000),
    ],
)
def test_rates_are_down_and_up_in_bit_per_second(text, down, up):
    assert read_rates(text) == Rates(down, up)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("300M", "expected DOWN/UP such as 300M/30M, down \\(to the subscriber\\) first"),
        ("300M/30M/1M", "expected DOWN/UP"),
        ("", "expected DOWN/UP"),
        ("300/30", "down '300': say the unit: 300M for Mbit/s"),
        ("300M/30", "up '30': say the unit"),
        ("300m/30M", "down '300m': expected a number with k, M or G"),
        ("300M/-30M", "up '-30M': expected a number"),
        ("300M/fast", "up 'fast': expected a number"),
        ("401G/1G", "down '401G': expected 1k to 400G"),
        ("1M/0.9k", "up '0.9k': expected 1k to 400G"),
        ("1.0000001k/1k", "is not a whole number"),
        ("٣M/1M", "expected a number"),
    ],
)
def test_a_rate_that_can_be_taken_two_ways_or_none_is_refused(text, complaint):
    with pytest.raises(QuantityError, match=complaint):
        read_rates(text)


@pytest.mark.parametrize(
    ("bps", "text"),
    [
        (30_000_000, "30 Mbit/s"),
        (1_500_000_000, "1.5 Gbit/s"),
        (1_234_567, "1234.567 kbit/s"),
        (12_345_678, "12345.678 kbit/s"),
        (1_234_567_891, "1234567.891 kbit/s"),
        (1_000, "1 kbit/s"),
        (999, "999 bit/s"),
        (400_000_000_000, "400 Gbit/s"),
    ],
)
def test_a_rate_is_shown_exactly(bps, text):
    assert rate_text(bps) == text


@given(st.integers(SLOWEST_BPS, FASTEST_BPS), st.integers(SLOWEST_BPS, FASTEST_BPS))
def test_a_shown_rate_reads_back_as_itself(down, up):
    assert read_rates(f"{rate_text(down)}/{rate_text(up)}") == Rates(down, up)


def test_no_limit_is_shown_as_nothing():
    assert rates_text(None, None) == ""
    assert rates_text(300_000_000, 30_000_000) == "down 300 Mbit/s, up 30 Mbit/s"


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("500G", 500 * 10**9),
        ("500GB", 500 * 10**9),
        ("1.5T", 1_500_000_000_000),
        ("2Gi", 2_147_483_648),
        ("1024", 1024),
    ],
)
def test_octets_are_decimal_unless_they_say_otherwise(text, octets):
    assert read_octets(text) == octets


@pytest.mark.parametrize("text", ["", "0", "-1G", "500g", "1.0001k5", "0.5", "much", "10000000T"])
def test_octets_that_are_none_are_refused(text):
    with pytest.raises(QuantityError, match="expected"):
        read_octets(text)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_230_000_000, "1.23 GB"),
        (45_600_000, "45.6 MB"),
        (789_000, "789 kB"),
        (2 * 10**12, "2.00 TB"),
    ],
)
def test_octets_are_shown_with_three_figures(octets, text):
    assert octets_text(octets) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("12h", 43200), ("30d", 2592000), ("2w", 1209600)]
)
def test_durations_name_their_unit(text, seconds):
    assert read_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["600", "10 min", "-1d", "1.5h", ""])
def test_a_duration_without_a_unit_we_know_is_refused(text):
    with pytest.raises(QuantityError, match="expected a duration such as 90s"):
        read_duration_s(text)


def test_a_duration_is_shown_by_its_two_largest_units():
    assert [duration_text(s) for s in (0, 59, 3600, 3661, 90061)] == ["0 s", "59 s", "1 h", "1 h 1 min", "1 d 1 h"]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-31 18:40", datetime(2026, 1, 31, 17, 40, tzinfo=UTC)),
        ("2026-07-31 18:40", datetime(2026, 7, 31, 16, 40, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 30, 23, 0, tzinfo=UTC)),
        ("2026-01-31T18:40Z", datetime(2026, 1, 31, 18, 40, tzinfo=UTC)),
        ("2026-01-31T18:40+05:30", datetime(2026, 1, 31, 13, 10, tzinfo=UTC)),
        ("+2d", datetime(2026, 1, 12, 12, 0, tzinfo=UTC)),
        ("now", datetime(2026, 1, 10, 12, 0, tzinfo=UTC)),
        ("-2h", datetime(2026, 1, 10, 10, 0, tzinfo=UTC)),
        ("2026-10-25 02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_of_the_billing_zone(text, utc):
    assert read_instant(text, zone=ROME, now=NOW) == utc


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tomorrow", "expected a time such as 2026-01-31 18:40"),
        ("+2", "expected a duration"),
        ("2026-03-29 02:30", "the clocks of Europe/Rome skip this time"),
        ("2026-10-25 02:30", "this time comes twice in Europe/Rome"),
        ("0001-01-01", "expected a time"),
    ],
)
def test_a_time_that_is_none_or_two_is_refused(text, complaint):
    with pytest.raises(QuantityError, match=complaint):
        read_instant(text, zone=ROME, now=NOW)


def test_an_instant_is_shown_in_the_zone_with_its_name():
    assert instant_text(datetime(2026, 1, 31, 17, 40, 5, tzinfo=UTC), ROME) == "2026-01-31 18:40:05 CET"


def test_networks_are_read_canonically_and_hosts_shown_without_length():
    assert read_network("192.0.2.7") == ip_network("192.0.2.7/32")
    assert read_network("2001:DB8::/32") == ip_network("2001:db8::/32")
    assert [network_text(read_network(text)) for text in ("192.0.2.7", "192.0.2.0/24")] == ["192.0.2.7", "192.0.2.0/24"]


def test_a_prefix_with_host_bits_is_refused_with_both_readings():
    with pytest.raises(QuantityError, match=r"did you mean 192.0.2.0/24 or 192.0.2.7\?"):
        read_network("192.0.2.7/24")


@pytest.mark.parametrize("text", ["bras-1", "192.0.2", "192.0.2.300", "192.0.2.0/33", ""])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(QuantityError, match="expected an address or a prefix"):
        read_network(text)
    with pytest.raises(QuantityError, match="expected one address"):
        read_host(text)


@pytest.mark.parametrize("text", ["0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "239.1.2.3", "ff02::1"])
def test_what_is_nobody_s_address_or_everybody_s_is_no_device_s(text):
    for read in (read_device_address, read_device_source):
        with pytest.raises(QuantityError, match=f"{text} is (no device's address|multicast)"):
            read(text)


@pytest.mark.parametrize(
    "text", ["192.0.2.7", "127.0.0.1", "10.255.255.255", "223.255.255.255", "2001:db8::7", "fe80::1"]
)
def test_any_other_address_may_be_a_device_s(text):
    assert read_device_address(text) == read_device_source(text) == ip_network(text)


def test_a_prefix_of_devices_may_be_any_but_multicast():
    assert read_device_source("192.0.2.0/24") == ip_network("192.0.2.0/24")
    with pytest.raises(QuantityError, match=r"224\.0\.0\.0/8 is multicast"):
        read_device_source("224.0.0.0/8")


def test_a_new_name_is_not_taken_for_an_option():
    assert read_new_name("bras-1") == "bras-1"
    for name in ("-", "-bras", "--help"):
        with pytest.raises(QuantityError, match="as options do"):
            read_new_name(name)


def test_a_host_is_no_prefix():
    assert read_host("192.0.2.7") == ip_network("192.0.2.7/32")
    with pytest.raises(QuantityError, match="expected one address"):
        read_host("192.0.2.0/24")


@pytest.mark.parametrize("text", ["02:00:5E:10:00:01", "02-00-5e-10-00-01", "0200.5e10.0001", "02005E100001"])
def test_a_mac_address_is_read_in_any_usual_spelling(text):
    assert read_mac(text) == "02005e100001"
    assert mac_text(read_mac(text)) == "02:00:5e:10:00:01"


@pytest.mark.parametrize(
    "text", ["", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "02:00-5e:10:00:01", "02:00:5g:10:00:01"]
)
def test_what_is_no_mac_address_is_refused(text):
    with pytest.raises(QuantityError, match="expected a MAC address"):
        read_mac(text)


@pytest.mark.parametrize(
    ("ahead_s", "text"),
    [
        (-192.0, "3 min 12 s behind"),
        (0.44, "0.4 s ahead"),
        (30, "30 s ahead"),
        (59.6, "1 min ahead"),
        (-3600, "1 h behind"),
        (90_061, "1 d 1 h ahead"),
        (9 - 1_795_262_400, "20,778 d 11 h behind"),
    ],
)
def test_how_far_a_clock_is_off_is_told_in_two_units_at_most(ahead_s, text):
    assert off_text(ahead_s) == text


@pytest.mark.parametrize("bps", [1_000, 1_001, 512_000, 999_999, 1_500_000, 20_000_000, 1_234_567_000, 400_000_000_000])
def test_a_rate_as_it_is_typed_reads_as_itself(bps):
    assert quantities.read_rate(quantities.typed_text(bps)) == bps


@pytest.mark.parametrize("octets", [1, 999, 1_500, 500 * 10**9, 1_500 * 10**9, 2 * 10**12, 10**12 + 1])
def test_octets_as_they_are_typed_read_as_themselves(octets):
    assert quantities.read_octets(quantities.typed_text(octets)) == octets


@pytest.mark.parametrize("seconds", [1, 59, 60, 90, 3600, 5400, 86_400, 2_592_000])
def test_a_span_as_it_is_typed_reads_as_itself(seconds):
    assert quantities.read_duration_s(quantities.typed_duration(seconds)) == seconds

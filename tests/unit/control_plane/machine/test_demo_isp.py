from collections import Counter
from datetime import date

from control_plane.machine.demo_isp import CUSTOMERS, NASES, PROFILES, demo_lines

TODAY = date(2026, 11, 21)
LINES = demo_lines(TODAY)


def test_it_is_the_same_every_time():
    assert demo_lines(TODAY) == LINES


def test_another_day_moves_dates_and_nobody_else():
    later = demo_lines(date(2026, 11, 22))
    assert [line.username for line in later] == [line.username for line in LINES]
    assert [line.password for line in later] == [line.password for line in LINES]


def test_no_two_share_a_username_a_mac_or_a_prefix():
    assert len({line.username for line in LINES}) == CUSTOMERS
    assert len({line.mac for line in LINES}) == CUSTOMERS
    prefixes = [prefix.prefix for line in LINES for prefix in line.prefixes]
    assert len(prefixes) == len(set(prefixes)) > 100


def test_most_are_in_service_and_every_status_is_there():
    shares = Counter(line.status for line in LINES)
    assert 0.85 < shares["active"] / CUSTOMERS < 0.97
    assert set(shares) == {"draft", "proposal", "pending", "trial", "active", "free", "ended", "cancelled"}


def test_only_contracts_in_service_are_restricted():
    limited = [line for line in LINES if line.restrictions]
    assert len(limited) > 50
    assert {line.status for line in limited} <= {"active", "free"}


def test_every_line_ends_at_an_access_device_of_each_vendor():
    assert {line.nas for line in LINES} == {nas.name for nas in NASES}
    assert {nas.vendor for nas in NASES} == {"mikrotik", "accel_ppp", "generic"}
    assert all(nas.address.startswith("127.") for nas in NASES)


def test_the_plans_of_the_offer_are_there():
    assert {profile.down_bps // 1_000_000 for profile in PROFILES} >= {30, 100, 300, 1000}


def test_ended_contracts_have_an_end_that_has_come():
    assert all(line.ends_on is not None and line.ends_on <= TODAY for line in LINES if line.status == "ended")

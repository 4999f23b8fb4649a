import pytest

from control_plane.takeover.freeradius_profiles import profile_for
from control_plane.takeover.wanted import WantedProfile

MIKROTIK = ("mikrotik",)


def _rate(text, vendors=MIKROTIK):
    return profile_for({"Mikrotik-Rate-Limit": (text,)}, vendors)


def test_a_rate_that_comes_back_as_it_was_becomes_the_profile():
    profile, given = _rate("30M/300M 60M/600M 20M/200M 16/16 5 1M/2M")
    assert profile == WantedProfile(
        rate_up_bps=30_000_000,
        rate_down_bps=300_000_000,
        burst_up_bps=60_000_000,
        burst_down_bps=600_000_000,
        burst_threshold_up_bps=20_000_000,
        burst_threshold_down_bps=200_000_000,
        burst_time_s=16,
        priority=5,
        minimum_up_bps=1_000_000,
        minimum_down_bps=2_000_000,
    )
    assert given == {"Mikrotik-Rate-Limit": ("30M/300M 60M/600M 20M/200M 16/16 5 1M/2M",)}


@pytest.mark.parametrize(
    "text",
    [
        "10M",  # would come back as 10M/10M
        "10000k/20M",  # as 10M/20M
        "10M/20M  20M/40M",  # with one space
        "10M/20M 20M/40M 8M/16M 8",  # with a pair of times
        "10M/20M 5M/5M",  # a burst below the rate, which the database refuses
        "500/500",  # below what a rate may be
        "0/0",
        "fast",
        "",
    ],
)
def test_a_rate_that_would_come_back_otherwise_stays_as_it_is(text):
    assert _rate(text) == (WantedProfile(), {})


def test_every_vendor_of_the_network_must_render_it_alike():
    assert _rate("10M/20M", ("generic", "mikrotik")) == (WantedProfile(), {})
    pool = {"Framed-Pool": ("home",)}
    assert profile_for(pool, ("generic", "mikrotik")) == (WantedProfile(ipv4_pool="home"), pool)
    assert profile_for(pool, ()) == (WantedProfile(), {})


def test_names_and_lists_become_fields_in_their_order():
    reply = {
        "Mikrotik-Address-List": ("b", "a"),
        "Framed-IPv6-Pool": ("six",),
        "Mikrotik-Delegated-IPv6-Pool": ("pd",),
        "Filter-Id": ("out",),
        "Reply-Message": ("hello",),
    }
    profile, given = profile_for(reply, MIKROTIK)
    assert profile == WantedProfile(address_lists=("b", "a"), ipv6_pool="six", delegated_ipv6_pool="pd", filter="out")
    assert set(reply) - set(given) == {"Reply-Message"}


@pytest.mark.parametrize(
    ("name", "field", "good", "bad"),
    [
        ("Session-Timeout", "session_timeout_s", "86400", "30"),
        ("Idle-Timeout", "idle_timeout_s", "600", "0"),
        ("Acct-Interim-Interval", "interim_interval_s", "300", "86401"),
    ],
)
def test_a_time_within_its_range_becomes_a_field(name, field, good, bad):
    assert profile_for({name: (good,)}, ()) == (WantedProfile(**{field: int(good)}), {name: (good,)})
    assert profile_for({name: (bad,)}, MIKROTIK) == (WantedProfile(), {})
    assert profile_for({name: (good, good)}, MIKROTIK) == (WantedProfile(), {})

"""RouterOS words, worked out by hand from the grammar in its manual (page RADIUS)."""

from dataclasses import replace
from typing import Any

import pytest

from nas_drivers.policy import Attribute, BitRate, RatePair, SessionPolicy
from nas_drivers.vendors.mikrotik import MikrotikDriver, Options

DRIVER = MikrotikDriver()


def _pair(down_bps: int, up_bps: int) -> RatePair:
    return RatePair(down=BitRate(down_bps), up=BitRate(up_bps))


FIBRE = _pair(300_000_000, 30_000_000)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # rx (up) stands first.
        (SessionPolicy(rate=FIBRE), "30M/300M"),
        (SessionPolicy(rate=_pair(256_000, 64_000)), "64k/256k"),
        (SessionPolicy(rate=_pair(1_000_000_000, 2_500_000_000)), "2500M/1000M"),
        (SessionPolicy(rate=_pair(1_500_500, 1_024_000)), "1024k/1500500"),
        # Threshold and time left out: RouterOS takes the rate and 1 s.
        (SessionPolicy(rate=FIBRE, burst=_pair(600_000_000, 60_000_000)), "30M/300M 60M/600M"),
        # A time without a threshold: the threshold must be written, as what RouterOS would have taken.
        (
            SessionPolicy(rate=FIBRE, burst=_pair(600_000_000, 60_000_000), burst_time_s=8),
            "30M/300M 60M/600M 30M/300M 8/8",
        ),
        (
            SessionPolicy(
                rate=_pair(10_000_000, 2_000_000),
                burst=_pair(20_000_000, 4_000_000),
                burst_threshold=_pair(7_500_000, 1_500_000),
                burst_time_s=16,
                priority=5,
                minimum=_pair(1_000_000, 512_000),
            ),
            "2M/10M 4M/20M 1500k/7500k 16/16 5 512k/1M",
        ),
        # Priority or minimum without a burst: the burst groups are filled with zero.
        (SessionPolicy(rate=FIBRE, priority=1), "30M/300M 0/0 0/0 0/0 1"),
        (SessionPolicy(rate=FIBRE, minimum=_pair(1_000_000, 500_000)), "30M/300M 0/0 0/0 0/0 8 500k/1M"),
        # A threshold without a burst says nothing.
        (SessionPolicy(rate=FIBRE, burst_threshold=FIBRE, burst_time_s=4), "30M/300M"),
    ],
)
def test_rates_are_written_in_the_order_and_units_of_the_manual(policy: SessionPolicy, expected: str) -> None:
    assert DRIVER.login_attributes(policy) == (Attribute("Mikrotik-Rate-Limit", ":=", expected),)


def test_lists_chain_and_pools_go_by_their_names_on_the_router() -> None:
    policy = SessionPolicy(
        address_lists=("walled", "no-mail"), ipv4_pool="v4", ipv6_pool="v6", delegated_ipv6_pool="pd", filter="slow.in"
    )

    assert DRIVER.login_attributes(policy) == (
        Attribute("Filter-Id", ":=", "slow.in"),
        Attribute("Framed-Pool", ":=", "v4"),
        Attribute("Framed-IPv6-Pool", ":=", "v6"),
        Attribute("Mikrotik-Delegated-IPv6-Pool", ":=", "pd"),
        Attribute("Mikrotik-Address-List", "+=", "walled"),
        Attribute("Mikrotik-Address-List", "+=", "no-mail"),
    )
    assert "UNCONFIRMED" in DRIVER.unsupported(policy)[0]


def test_a_burst_without_a_rate_is_named_as_unsupported() -> None:
    policy = SessionPolicy(burst=FIBRE, priority=3)

    assert DRIVER.login_attributes(policy) == ()
    assert len(DRIVER.unsupported(policy)) == 1


HOME = SessionPolicy(rate=FIBRE, ipv4_pool="homes")


@pytest.mark.parametrize(
    ("new", "ladder"),
    [
        (SessionPolicy(rate=_pair(8_000_000, 1_000_000), ipv4_pool="homes"), "coa disconnect routeros_api"),
        (SessionPolicy(rate=FIBRE, ipv4_pool="homes", filter="slow.in"), "coa disconnect routeros_api"),
        (SessionPolicy(rate=FIBRE, ipv4_pool="homes", address_lists=("walled",)), "disconnect routeros_api"),
        # The manual's list of a CoA has neither pools nor address lists, and no CoA takes a rate back.
        (SessionPolicy(rate=FIBRE, ipv4_pool="walled"), "disconnect routeros_api"),
        (
            SessionPolicy(rate=_pair(8_000_000, 1_000_000), ipv4_pool="homes", address_lists=("walled",)),
            "disconnect routeros_api",
        ),
        (SessionPolicy(ipv4_pool="homes"), "disconnect routeros_api"),
        (None, "disconnect routeros_api"),
        # The next login carries these.
        (SessionPolicy(rate=FIBRE, ipv4_pool="homes", session_timeout_s=3600, idle_timeout_s=300), "coa"),
    ],
)
def test_the_ladder_follows_the_list_of_the_manual(new: SessionPolicy | None, ladder: str) -> None:
    assert " ".join(method.value for method in DRIVER.change_methods(HOME, new)) == ladder


SLOW_WALL = SessionPolicy(rate=_pair(8_000_000, 1_000_000), ipv4_pool="homes", address_lists=("walled",))


@pytest.mark.parametrize(
    ("old", "new", "ladder"),
    [
        (HOME, replace(HOME, address_lists=("walled",)), "coa disconnect routeros_api"),
        (HOME, SLOW_WALL, "coa disconnect routeros_api"),
        # Lists are taken back by API too; a rate is not.
        (SLOW_WALL, HOME, "coa disconnect routeros_api"),
        (SLOW_WALL, SessionPolicy(ipv4_pool="homes"), "disconnect routeros_api"),
        (HOME, replace(SLOW_WALL, ipv4_pool="walled"), "disconnect routeros_api"),
        # Which lists it must leave is not known.
        (None, SLOW_WALL, "disconnect routeros_api"),
        (HOME, None, "disconnect routeros_api"),
    ],
)
def test_where_lists_change_by_api_they_take_no_new_login(
    old: SessionPolicy | None, new: SessionPolicy | None, ladder: str
) -> None:
    driver = replace(DRIVER, options=Options(lists_by_api=True))

    assert " ".join(method.value for method in driver.change_methods(old, new)) == ladder
    assert driver.live_lists() == 3600
    assert driver.without_live_lists() == DRIVER


@pytest.mark.parametrize("given", [{"list_entry_timeout_s": 899}, {"lists_by_api": True, "address_list_by_coa": True}])
def test_options_that_make_no_sense_together_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"list_entry_timeout_s|not both"):
        Options(**given)


def test_a_coa_leaves_out_what_routeros_would_refuse_or_ignore() -> None:
    policy = SessionPolicy(
        rate=FIBRE, ipv4_pool="homes", filter="slow.in", address_lists=("walled",), idle_timeout_s=60
    )

    assert DRIVER.change_attributes(policy, class_octets=b"CO1") == (
        Attribute("Mikrotik-Rate-Limit", ":=", "30M/300M"),
        Attribute("Filter-Id", ":=", "slow.in"),
        Attribute("Idle-Timeout", ":=", "60"),
    )

"""ZTE words, by hand from its dictionary: SCR up and down, one QoS profile a direction, the unit as the option has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionPolicy
from nas_drivers.vendors.zte import DRIVER, Options, ZteDriver

HOME = SessionPolicy(rate=RatePair(down=BitRate(300_000_001), up=BitRate(30_000_000)))
SLOW = SessionPolicy(rate=RatePair(down=BitRate(1_000_000), up=BitRate(1_000_000)))
FAST = SessionPolicy(rate=RatePair(down=BitRate(10_000_000_000), up=BitRate(30_000_000)))


def said(driver: ZteDriver, policy: SessionPolicy) -> list[tuple[str, str]]:
    return [(one.name, one.value) for one in driver.login_attributes(policy)]


def test_rates_are_bits_unless_the_option_says_kilobits_rounded_up() -> None:
    kilobits = ZteDriver(Options(rate_unit="kbit/s"))

    assert said(ZteDriver(), HOME) == [("ZTE-Rate-Ctrl-SCR-Up", "30000000"), ("ZTE-Rate-Ctrl-SCR-Down", "300000001")]
    assert said(kilobits, HOME) == [("ZTE-Rate-Ctrl-SCR-Up", "30000"), ("ZTE-Rate-Ctrl-SCR-Down", "300001")]


def test_a_rate_beyond_32_bits_goes_by_its_profile_or_is_held_and_told() -> None:
    assert said(ZteDriver(), FAST) == [("ZTE-Rate-Ctrl-SCR-Up", "30000000"), ("ZTE-Rate-Ctrl-SCR-Down", "4294967295")]
    assert ["4294967295" in sentence for sentence in DRIVER.unsupported(FAST)] == [True]
    assert ZteDriver(Options(rate_unit="kbit/s")).unsupported(FAST) == ()
    named = replace(FAST, device_policy="home-10g")
    assert said(ZteDriver(Options(up_suffix="-up")), named) == [
        ("ZTE-QOS-Profile-Up", "home-10g-up"),
        ("ZTE-QoS-Profile-Down", "home-10g"),
    ]
    assert DRIVER.unsupported(named) == ()


def test_ipv6_has_attributes_of_its_own_by_option() -> None:
    assert said(ZteDriver(Options(ipv6_twins=True)), SLOW) == [
        ("ZTE-Rate-Ctrl-SCR-Up", "1000000"),
        ("ZTE-Rate-Ctrl-SCR-Down", "1000000"),
        ("ZTE-Rate-Ctrl-SCR-Up-v6", "1000000"),
        ("ZTE-Rate-Ctrl-SCR-Down-v6", "1000000"),
    ]


def test_nothing_is_changed_live_unless_an_option_says_that_it_is_done() -> None:
    trusted = ZteDriver(Options(qos_by_coa=True))

    assert DRIVER.change_methods(HOME, SLOW) == (Method.DISCONNECT,)
    assert DRIVER.change_attributes(SLOW, old=HOME, class_octets=b"CO1") == ()
    assert trusted.change_methods(HOME, SLOW) == (Method.COA, Method.DISCONNECT)
    assert trusted.change_attributes(SLOW, old=HOME) == (
        Attribute("ZTE-Rate-Ctrl-SCR-Up", ":=", "1000000"),
        Attribute("ZTE-Rate-Ctrl-SCR-Down", ":=", "1000000"),
    )


def test_it_has_no_command_line_and_a_session_is_ended_by_disconnect_alone() -> None:
    assert DRIVER.cli is None
    assert DRIVER.change_methods(HOME, None) == (Method.DISCONNECT,)


def test_a_suffix_that_no_name_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="up_suffix"):
        Options(up_suffix=" up")

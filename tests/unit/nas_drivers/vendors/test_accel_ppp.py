"""accel-ppp words, worked out by hand from its shaper: download first, kbit."""

import pytest

from nas_drivers.cli_dialect import CliStep
from nas_drivers.driver import Drivers
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.accel_ppp import DRIVER, AccelCmd, Options


@pytest.mark.parametrize(
    ("down_bps", "up_bps", "expected"),
    [
        (300_000_000, 30_000_000, "300000/30000"),
        (1_000, 1_000, "1/1"),
        (1_001, 1_999, "2/2"),
        (10_000_000_000, 2_500_000_000, "10000000/2500000"),
    ],
)
def test_the_rate_is_down_slash_up_in_kbit_rounded_up(down_bps: int, up_bps: int, expected: str) -> None:
    policy = SessionPolicy(rate=RatePair(down=BitRate(down_bps), up=BitRate(up_bps)))

    assert DRIVER.login_attributes(policy) == (Attribute("Filter-Id", ":=", expected),)


def test_ipv6_pools_go_by_the_attributes_its_pool_module_reads() -> None:
    policy = SessionPolicy(ipv4_pool="v4", ipv6_pool="v6", delegated_ipv6_pool="pd")

    assert DRIVER.login_attributes(policy) == (
        Attribute("Framed-Pool", ":=", "v4"),
        Attribute("Stateful-IPv6-Address-Pool", ":=", "v6"),
        Attribute("Delegated-IPv6-Prefix-Pool", ":=", "pd"),
    )


def test_a_filter_never_takes_the_place_of_the_rate() -> None:
    policy = SessionPolicy(filter="walled", address_lists=("walled",), priority=2)

    assert DRIVER.login_attributes(policy) == ()
    assert [sentence.split("told ")[1].split(" by")[0] for sentence in DRIVER.unsupported(policy)] == [
        "a priority",
        "address lists",
        "a filter",
    ]


def test_the_rate_and_class_change_live_and_a_pool_does_not() -> None:
    slow = SessionPolicy(rate=RatePair(BitRate(8_000_000), BitRate(1_000_000)), ipv4_pool="homes", idle_timeout_s=60)
    home = SessionPolicy(rate=RatePair(BitRate(80_000_000), BitRate(8_000_000)), ipv4_pool="homes")
    walled = SessionPolicy(rate=home.rate, ipv4_pool="walled")

    assert DRIVER.change_methods(home, slow) == (Method.COA, Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_methods(home, walled) == (Method.DISCONNECT, Method.CLI)
    # Session-Timeout beside a Class would be thrown away; Idle-Timeout it has none.
    assert DRIVER.change_attributes(slow, class_octets=b"CO1") == (
        Attribute("Filter-Id", ":=", "8000/1000"),
        Attribute("Class", ":=", "0x434f31"),
    )


def test_class_is_left_out_of_changes_where_the_option_says_so() -> None:
    slow = SessionPolicy(rate=RatePair(BitRate(8_000_000), BitRate(1_000_000)))
    driver = Drivers({"accel_ppp": Options(class_by_coa=False)}).of("accel_ppp")

    assert driver.change_attributes(slow, class_octets=b"CO1") == (Attribute("Filter-Id", ":=", "8000/1000"),)


def test_accel_cmd_shows_the_sessions_of_a_name_and_ends_one_by_its_id() -> None:
    cli, anna = AccelCmd(), SessionIdentity("anna@isp", "0011223344556677")

    assert cli.show_session(anna) == (
        "accel-cmd show sessions sid,ifname,username,ip,calling-sid,rate-limit,state,uptime-raw match username ^anna@isp$"
    )
    assert cli.clear_session(anna, None) == (CliStep("accel-cmd terminate sid 0011223344556677"),)
    assert cli.refused("bash: accel-cmd: command not found") == "bash: accel-cmd: command not found"

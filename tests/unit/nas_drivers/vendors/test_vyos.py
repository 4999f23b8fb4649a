"""VyOS, worked out by hand from its documentation and vyos-1x."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from support.vendor_cases import SAMPLE_SETUP

from nas_drivers.cli_dialect import CliStep
from nas_drivers.device_session import DeviceSession
from nas_drivers.driver import Drivers
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.vyos import DRIVER, Options, VyosCli

ANNA = SessionIdentity("anna", "0011223344556677")
HOME = SessionPolicy(rate=RatePair(BitRate(300_000_000), BitRate(30_000_000)), ipv4_pool="homes")
OLD_RELEASE = Drivers({"vyos": Options(named_pools=False)}).of("vyos")


def test_pools_without_names_are_not_sent_and_spoken_of() -> None:
    assert DRIVER.login_attributes(HOME) == (
        Attribute("Filter-Id", ":=", "300000/30000"),
        Attribute("Framed-Pool", ":=", "homes"),
    )
    assert OLD_RELEASE.login_attributes(HOME) == (Attribute("Filter-Id", ":=", "300000/30000"),)
    assert ["an IPv4 pool" in sentence for sentence in OLD_RELEASE.unsupported(HOME)] == [True]
    # What is not sent is no reason to cut anybody.
    assert OLD_RELEASE.change_methods(HOME, replace(HOME, ipv4_pool="other")) == (Method.COA,)


def test_a_session_is_ended_by_the_interface_of_the_list_or_by_its_name() -> None:
    found = DeviceSession("", "anna", local_name="ppp17")

    assert VyosCli().clear_session(ANNA, found) == (CliStep("reset pppoe-server interface ppp17"),)
    assert VyosCli().clear_session(ANNA, None) == (CliStep("reset pppoe-server username anna"),)


@pytest.mark.parametrize(
    "line",
    ["Invalid command: reset [pppoe-serverr]", "Incomplete command: reset pppoe-server", "Service pppoe is not configured",
     '"service pppoe-server" is not configured',
     "pppoe server is not running", "syntax error"],
)  # fmt: skip
def test_a_command_that_was_not_taken_is_told_from_silence(line: str) -> None:
    assert VyosCli().refused(f"\n  {line}\n\n") == line
    assert VyosCli().refused("") is None


def test_a_router_known_by_an_ipv6_address_is_told_that_it_hears_no_changes_there() -> None:
    said = DRIVER.setup_commands(replace(SAMPLE_SETUP, nas_address=IPv6Address("2001:db8::1")))

    assert "dynamic-author" not in said
    assert "# VyOS hears changes on an IPv4 address only, not on 2001:db8::1" in said
    assert "dynamic-author server 192.0.2.9" in DRIVER.setup_commands(
        replace(SAMPLE_SETUP, nas_address=IPv4Address("192.0.2.9"))
    )


def test_who_pastes_is_told_before_the_commit_that_ends_all_sessions() -> None:
    lines = DRIVER.setup_commands(SAMPLE_SETUP).splitlines()
    assert "ALL its sessions end" in lines[lines.index("commit") - 1]

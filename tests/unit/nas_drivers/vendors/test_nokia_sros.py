"""SR OS words, worked out by hand from the RADIUS Attributes Reference Guide 14.0.R4: kbit/s, e is to the subscriber."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Network

import pytest

from nas_drivers.cli_dialect import CliOutputError
from nas_drivers.device_session import DeviceSession
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.nokia_sros import DRIVER, NokiaDriver, Options

HOME = SessionPolicy(rate=RatePair(down=BitRate(300_000_000), up=BitRate(30_000_000)), device_policy="home-300")
ANNA = SessionIdentity(
    "anna",
    "24ADFF0000000950C5F138",
    nas_address=IPv4Address("192.0.2.1"),
    framed_ipv4=IPv4Address("100.64.0.1"),
    nas_port_id="1/1/4:50.100",
)
TREE = """
===============================================================================
Active Subscribers Hierarchy
===============================================================================
-- anna
   (sub-pppoe)
   |
   +-- sap:[1/1/c2/1:201.1] - sla:sla-pppoe
       |
       +-- PPP-session - mac:02:00:05:00:00:0A - sid:1 - svc:51
           |   circuit-id:0.0.0.0/0.0.0.0 eth 201:1
           |
           |-- 100.64.0.1 - IPCP
           |
           +-- 2001:db8:1::/56 - DHCP6-PD
-- bruno
   (sub-pppoe)
   |
   +-- sap:[1/1/c2/1:201.2] - sla:sla-pppoe
       |
       +-- PPP-session - mac:02:00:05:00:00:0b - sid:1 - svc:51
           |
           +-- 2001:db8:2::/64 - SLAAC
-------------------------------------------------------------------------------
Number of active subscribers : 2
"""


def overrides(driver: NokiaDriver, down_bps: int = 300_000_000, up_bps: int = 30_000_000) -> list[str]:
    policy = SessionPolicy(rate=RatePair(down=BitRate(down_bps), up=BitRate(up_bps)))
    return [one.value for one in driver.login_attributes(policy) if one.name == "Alc-Subscriber-QoS-Override"]


def test_the_sla_profile_goes_out_with_an_override_in_kbit_for_each_direction() -> None:
    assert DRIVER.login_attributes(HOME) == (
        Attribute("Alc-SLA-Prof-Str", ":=", "home-300"),
        Attribute("Alc-Subscriber-QoS-Override", "+=", "e:q:1:pir=300000"),
        Attribute("Alc-Subscriber-QoS-Override", "+=", "i:q:1:pir=30000"),
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(), ["e:q:1:pir=300000", "i:q:1:pir=30000"]),
        (Options(up_override="i:p:1"), ["e:q:1:pir=300000", "i:p:1:pir=30000"]),
        (Options(down_override="e:r"), ["e:r:rate=300000", "i:q:1:pir=30000"]),
        (Options(up_override="i:a:root"), ["e:q:1:pir=300000", "i:a:root:rate=30000"]),
        (Options(down_override="e:s:tier-1"), ["e:s:tier-1:rate=300000", "i:q:1:pir=30000"]),
        (Options(cir_too=True), ["e:q:1:pir=300000,cir=300000", "i:q:1:pir=30000,cir=30000"]),
    ],
)
def test_the_object_that_carries_the_rate_is_an_option(options: Options, expected: list[str]) -> None:
    assert overrides(NokiaDriver(options)) == expected


def test_a_broken_kbit_is_rounded_up() -> None:
    assert overrides(NokiaDriver(), 1_001, 1_000) == ["e:q:1:pir=2", "i:q:1:pir=1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"down_override": "i:q:1"},
        {"up_override": "e:r"},
        {"down_override": "e:q:1:pir=1,e"},
        {"up_override": "i:r"},
        {"longest_profile_name": 0},
        {"subscriber_profile": 'home" ;x'},
        {"subscriber_profile": "home\nexit"},
        {"subscriber_profile": "a-name-of-17-chars"},
    ],
)
def test_an_option_that_is_no_object_of_that_direction_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Options(**wrong)  # type: ignore[arg-type]


def test_rates_and_profiles_change_live_and_what_is_taken_away_needs_a_new_login() -> None:
    slow = replace(HOME, rate=RatePair(BitRate(8_000_000), BitRate(1_000_000)), device_policy="slow")

    assert DRIVER.change_methods(HOME, slow) == (Method.COA, Method.DISCONNECT)
    assert DRIVER.change_attributes(slow, class_octets=b"CO1") == DRIVER.login_attributes(slow)
    assert DRIVER.change_methods(HOME, replace(HOME, rate=None)) == (Method.DISCONNECT,)
    assert DRIVER.change_methods(HOME, replace(HOME, ipv4_pool="walled")) == (Method.DISCONNECT,)
    assert DRIVER.change_methods(HOME, None) == (Method.DISCONNECT,)


def names(driver: NokiaDriver, identity: SessionIdentity, detail: int) -> list[str]:
    return [one.name for one in driver.identity_attributes(identity, detail=detail)]


def test_a_session_is_found_by_its_port_with_one_address_then_by_its_id_and_after_a_503_by_its_id_alone() -> None:
    prefix = IPv6Network("2001:db8::/64")

    # Table 86: key 1 is NAS-Port-Id with one address or prefix, key 2 Acct-Session-Id.
    assert names(DRIVER, ANNA, 0) == ["User-Name", "Acct-Session-Id", "Framed-IP-Address", "NAS-Port-Id"]
    assert names(DRIVER, replace(ANNA, framed_ipv4=None, framed_ipv6_prefix=prefix), 0) == [
        "User-Name",
        "Acct-Session-Id",
        "Framed-IPv6-Prefix",
        "NAS-Port-Id",
    ]
    assert names(DRIVER, ANNA, 2) == ["User-Name", "Acct-Session-Id"]


def test_a_port_or_an_address_alone_is_no_key() -> None:
    assert names(DRIVER, replace(ANNA, framed_ipv4=None), 0) == ["User-Name", "Acct-Session-Id"]
    assert names(DRIVER, replace(ANNA, nas_port_id=None), 0) == ["User-Name", "Acct-Session-Id"]


def test_where_the_port_finds_nothing_an_option_leaves_it_out_until_more_is_asked_for() -> None:
    retail = NokiaDriver(Options(port_key=False))

    assert names(retail, ANNA, 0) == ["User-Name", "Acct-Session-Id"]
    assert names(retail, ANNA, 1)[2:4] == ["Framed-IP-Address", "NAS-Port-Id"]


def test_a_name_that_sr_os_would_not_take_is_told() -> None:
    long_name = SessionPolicy(device_policy="a-name-of-17-char")

    assert ["17-char" in sentence for sentence in DRIVER.unsupported(long_name)] == [True]
    assert NokiaDriver(Options(longest_profile_name=32)).unsupported(long_name) == ()


def test_a_filter_is_told_only_where_an_option_says_how() -> None:
    walled = SessionPolicy(filter="Ingr-v4:100")

    assert DRIVER.login_attributes(walled) == ()
    assert len(DRIVER.unsupported(walled)) == 1
    assert NokiaDriver(Options(filter_attribute="Alc-Subscriber-Filter")).login_attributes(walled) == (
        Attribute("Alc-Subscriber-Filter", ":=", "Ingr-v4:100"),
    )


def test_the_tree_of_subscribers_is_read_and_nothing_is_ever_cleared() -> None:
    cli = NokiaDriver(Options(subscriber_id_is_username=True)).cli

    assert cli.show_session(ANNA) == "show service active-subscribers hierarchy subscriber anna"
    assert cli.read_sessions(TREE) == (
        DeviceSession("", "anna", "100.64.0.1", "02000500000a", policies=("sla=sla-pppoe",)),
        DeviceSession("", "bruno", None, "02000500000b", policies=("sla=sla-pppoe",)),
    )
    assert cli.clear_session(ANNA, cli.read_sessions(TREE)[0]) == ()
    # Where the subscriber id is another name, nobody is looked for by it.
    assert (NokiaDriver().cli.show_session(ANNA), NokiaDriver().cli.show_all()) == (None, None)


def test_nobody_is_an_empty_list_and_an_error_is_none() -> None:
    cli = NokiaDriver().cli

    assert cli.read_sessions("MINOR: CLI No Such Subscriber Found\n") == ()
    assert cli.refused("MINOR: CLI No Such Subscriber Found\n") is None
    assert cli.refused("MINOR: MGMT_CORE #2201: Unknown element\n") == "MINOR: MGMT_CORE #2201: Unknown element"
    with pytest.raises(CliOutputError):
        cli.read_sessions("Error: Bad command.\n")

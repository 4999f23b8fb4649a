"""Junos words, from Juniper's table of attributes, and its list of subscribers as an MX prints it."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.vendor_cases import sample_setup

from nas_drivers.cli_dialect import CliOutputError
from nas_drivers.device_session import DeviceSession
from nas_drivers.families.junos_cli import JuniperMxCli
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.transport.packets import check_attributes, write_request
from nas_drivers.vendors.juniper_mx import JuniperMxDriver, Options

DRIVER = JuniperMxDriver()
BY_RATE = replace(DRIVER, options=Options(rate_service="speed"))
CLI = JuniperMxCli()
RATE = RatePair(down=BitRate(300_000_000), up=BitRate(30_000_000))
HOME = SessionPolicy(rate=RATE, device_policy="home-300", ipv4_pool="homes")
WALLED = replace(HOME, device_policy="walled")
ANNA = SessionIdentity("anna", "86794430", nas_address=IPv4Address("192.0.2.1"), framed_ipv4=IPv4Address("100.64.0.9"))
EXTENSIVE = """Type: VLAN
Logical System: default
Routing Instance: default
Interface: ae4.3221225470
Interface type: Dynamic
State: Active
Session ID: 1

Type: PPPoE
User Name: anna
IP Address: 10.10.75.128
IP Netmask: 255.255.255.255
Primary DNS Address: 192.0.2.53
Logical System: default
Routing Instance: default
Interface: pp0.3221225492
Interface type: Dynamic
Underlying Interface: ae4.3221225470
Dynamic Profile Name: corrente
MAC Address: 02:00:00:00:00:ab
State: Active
Radius Accounting ID: 86794430
Session ID: 86794431
Login Time: 2023-04-11 10:00:34 WIB
Service Sessions: 1
IP Address Pool: homes
Accounting interval: 600

   Service Session ID: 86794435
   Service Session Name: home-300
   State: Active
   Family: inet
"""


def test_a_device_policy_is_a_tagged_service() -> None:
    assert DRIVER.login_attributes(HOME) == (
        Attribute("ERX-Service-Activate:1", ":=", "home-300"),
        Attribute("Framed-Pool", ":=", "homes"),
    )


def test_rates_are_arguments_of_a_service_where_there_is_one_up_first_in_bit_s() -> None:
    by_rate = SessionPolicy(rate=RATE)
    turned = replace(DRIVER, options=Options(rate_service="speed", rate_order="down_up"))

    assert DRIVER.login_attributes(by_rate) == ()
    assert any("the rate" in said for said in DRIVER.unsupported(by_rate))
    assert BY_RATE.login_attributes(by_rate) == (
        Attribute("ERX-Service-Activate:1", ":=", "speed(30000000,300000000)"),
    )
    assert BY_RATE.unsupported(by_rate) == ()
    assert turned.login_attributes(by_rate)[0].value == "speed(300000000,30000000)"
    # The name of what stands ready goes before it.
    assert BY_RATE.login_attributes(HOME)[0].value == "home-300"
    with pytest.raises(ValueError, match="two words"):
        Options(rate_service="two words")


def test_a_change_ends_the_old_service_and_begins_the_new_one_in_one_request() -> None:
    assert DRIVER.change_methods(HOME, WALLED) == (Method.COA, Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_attributes(WALLED, old=HOME) == (
        Attribute("ERX-Service-Deactivate", ":=", "home-300"),
        Attribute("ERX-Service-Activate:1", ":=", "walled"),
    )
    # One that runs is neither ended nor begun a second time.
    assert DRIVER.change_attributes(replace(HOME, idle_timeout_s=900), old=HOME) == ()
    # It ends by its name, without the arguments it was begun with.
    faster = SessionPolicy(rate=RatePair(BitRate(600_000_000), BitRate(60_000_000)))
    assert BY_RATE.change_attributes(faster, old=SessionPolicy(rate=RATE)) == (
        Attribute("ERX-Service-Deactivate", ":=", "speed"),
        Attribute("ERX-Service-Activate:1", ":=", "speed(60000000,600000000)"),
    )


def test_on_the_wire_the_activation_has_a_tag_before_its_name_and_the_deactivation_has_none() -> None:
    said = DRIVER.change_attributes(WALLED, old=HOME)

    raw = write_request(43, 1, check_attributes(said), secret=b"secret", timestamp=None, sign=False).raw

    # RFC 2865 section 5.26 by hand: 26, length, vendor 4874, then 66 or 65, its length and value; the tag is one octet.
    assert raw[20:].hex() == (
        "1a10" + "0000130a" + "420a" + b"home-300".hex() + "1a0f" + "0000130a" + "4109" + "01" + b"walled".hex()
    )


def test_a_service_whose_predecessor_is_not_known_takes_a_new_login() -> None:
    # The old one would run on beside it.
    assert DRIVER.change_methods(None, SessionPolicy(device_policy="walled")) == (Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_methods(HOME, replace(HOME, device_policy=None))[0] is Method.COA


def test_a_filter_changes_live_and_its_removal_and_a_pool_take_a_new_login() -> None:
    filtered = replace(HOME, filter="walled")

    assert DRIVER.change_methods(HOME, filtered)[0] is Method.COA
    assert DRIVER.change_attributes(filtered, old=HOME) == (Attribute("ERX-Ingress-Policy-Name", ":=", "walled"),)
    assert DRIVER.change_methods(filtered, HOME) == (Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_methods(HOME, replace(HOME, ipv4_pool="walled")) == (Method.DISCONNECT, Method.CLI)


def test_a_filter_is_sent_for_ipv6_too_where_the_option_says_so() -> None:
    both = replace(DRIVER, options=Options(ipv6_filters=True))

    assert both.login_attributes(SessionPolicy(filter="walled")) == (
        Attribute("ERX-Ingress-Policy-Name", ":=", "walled"),
        Attribute("ERX-IPv6-Ingress-Policy-Name", ":=", "walled"),
    )


def test_a_session_is_never_named_by_its_username_alone_for_that_changes_the_first_session_only() -> None:
    for detail in (0, 1, 2):
        assert Attribute("Acct-Session-Id", ":=", "86794430") in DRIVER.identity_attributes(ANNA, detail=detail)
    assert [one.name for one in DRIVER.identity_attributes(ANNA, detail=0)] == ["User-Name", "Acct-Session-Id"]


def test_its_list_gives_subscribers_with_a_name_and_their_own_fields_not_those_of_their_services() -> None:
    assert CLI.read_sessions(EXTENSIVE) == (
        DeviceSession(
            "86794430", "anna", "10.10.75.128", "0200000000ab", local_name="86794431", policies=("home-300",)
        ),
    )


def test_no_subscriber_is_said_and_never_concluded() -> None:
    assert CLI.read_sessions("Total subscribers: 0, Active Subscribers: 0\n") == ()
    for text in ("", "syntax error, expecting <command>.\n", "error: command is not valid on the mx960\n"):
        with pytest.raises(CliOutputError):
            CLI.read_sessions(text)


def test_a_session_is_ended_by_its_number_or_else_by_name() -> None:
    (found,) = CLI.read_sessions(EXTENSIVE)

    assert [step.command for step in CLI.clear_session(ANNA, found)] == [
        "clear network-access aaa subscriber session-id 86794431"
    ]
    assert [step.command for step in CLI.clear_session(ANNA, None)] == [
        "clear network-access aaa subscriber username anna"
    ]


def test_a_refusal_is_told_in_the_routers_words() -> None:
    assert (
        CLI.refused("                    ^\nsyntax error, expecting <command>.\n")
        == "syntax error, expecting <command>."
    )
    assert CLI.refused("error: permission denied\n") == "error: permission denied"
    assert CLI.refused(EXTENSIVE) is None


def test_an_address_that_only_sends_changes_is_one_of_the_authentication_servers_too() -> None:
    sender = IPv4Address("192.0.2.77")

    said = DRIVER.setup_commands(replace(sample_setup(DRIVER), coa_secret="OTHER", change_addresses=(sender,)))

    assert "set access radius-server 192.0.2.77 secret OTHER\n" in said
    assert "authentication-server [ 192.0.2.10 192.0.2.11 192.0.2.77 ]\n" in said
    assert "accounting-server [ 192.0.2.10 192.0.2.11 ]\n" in said

"""IOS-XR words, from Cisco's BNG guide, and its lists as an IOS-XRv 9000 prints them."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.vendor_cases import sample_setup

from nas_drivers.cli_dialect import CliOutputError
from nas_drivers.device_session import DeviceSession
from nas_drivers.families.iosxr_cli import CiscoIosXrCli
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.cisco_iosxr import CiscoIosXrDriver, Options

DRIVER = CiscoIosXrDriver()
SERVICES = replace(DRIVER, options=Options(device_policy_as="service"))
CLI = CiscoIosXrCli()
HOME = SessionPolicy(
    rate=RatePair(BitRate(300_000_000), BitRate(30_000_000)), device_policy="home-300", ipv4_pool="homes"
)
WALLED = replace(HOME, device_policy="walled")
ANNA = SessionIdentity(
    "anna@isp.example",
    "040000ac",
    nas_address=IPv4Address("192.0.2.1"),
    framed_ipv4=IPv4Address("100.64.0.9"),
    mac="020000000001",
    nas_port_id="1/0/1",
)
DETAIL = """Mon May 23 22:25:37.161 UTC
Interface:                Bundle-Ether1.500.pppoe29
Circuit ID:               Unknown
Remote ID:                Unknown
Type:                     PPPoE:PTA
IPv4 State:               Up, Mon May 23 22:25:08 2022
IPv4 Address:             10.50.0.31, VRF: default
Mac Address:              0200.0000.0001
Account-Session Id:       040000ac
Nas-Port:                 Unknown
User name:                anna@isp.example
Formatted User name:      anna@isp.example
Client User name:         unknown
Subscriber Label:         0x0400002b
State:                    Activated, Mon May 23 22:25:08 2022
Access-interface:         Bundle-Ether1.500
Session Accounting:
  Acct-Session-Id:          040000ff
"""
BEING_SET_UP = """Interface:                Bundle-Ether1.500.pppoe30
Mac Address:              0200.0000.0002
Account-Session Id:       040000ad
User name:                unknown
State:                    Connecting
"""
TABLE = """Type         Interface                State     Subscriber IP Addr / Prefix
--------------------------------------------------------------------------------
PPPoE:PTA    BE1.500.pppoe29          AC        10.50.0.31 (default)
"""


def avpair(text: str) -> Attribute:
    return Attribute("Cisco-AVPair", "+=", text)


def test_a_device_policy_names_a_policy_map_for_each_direction_and_in_is_what_the_subscriber_sends() -> None:
    assert DRIVER.login_attributes(HOME) == (
        avpair("subscriber:sub-qos-policy-in=home-300-in"),
        avpair("subscriber:sub-qos-policy-out=home-300-out"),
        avpair("ip:addr-pool=homes"),
    )


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("subscriber", "subscriber:sub-qos-policy-in=x"),
        ("none", "sub-qos-policy-in=x"),
        ("ip", "ip:sub-qos-policy-in=x"),
    ],
)
def test_the_prefix_is_an_option(prefix: str, expected: str) -> None:
    options = Options(avpair_prefix=prefix, in_suffix="")  # type: ignore[arg-type]  # a word of the list

    said = replace(DRIVER, options=options).login_attributes(SessionPolicy(device_policy="x"))

    assert said[0] == avpair(expected)


def test_policy_maps_replace_each_other_in_an_account_update_unless_a_release_wants_none() -> None:
    named = (avpair("subscriber:sub-qos-policy-in=walled-in"), avpair("subscriber:sub-qos-policy-out=walled-out"))
    bare = replace(DRIVER, options=Options(account_update=False))

    assert DRIVER.change_methods(HOME, WALLED) == (Method.COA, Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_attributes(WALLED, old=HOME) == (avpair("subscriber:command=account-update"), *named)
    assert bare.change_attributes(WALLED, old=HOME) == named
    # Nothing to update, nothing said.
    assert DRIVER.change_attributes(SessionPolicy(), old=SessionPolicy()) == ()


def test_a_filter_limits_ipv4_and_where_it_is_wanted_ipv6_too() -> None:
    both = replace(DRIVER, options=Options(ipv6_filters=True))
    slow = SessionPolicy(filter="slow")

    assert DRIVER.login_attributes(slow) == (avpair("subscriber:inacl=slow"),)
    assert both.login_attributes(slow) == (avpair("subscriber:inacl=slow"), avpair("subscriber:ipv6_inacl=slow"))
    # What can't be on the router is said for neither.
    assert both.login_attributes(SessionPolicy(filter="a b")) == ()


def test_a_service_ends_and_the_next_begins_in_one_request() -> None:
    assert SERVICES.login_attributes(WALLED)[0] == avpair("subscriber:sa=walled")
    assert SERVICES.change_methods(HOME, WALLED) == (Method.COA, Method.DISCONNECT, Method.CLI)
    assert SERVICES.change_attributes(WALLED, old=HOME) == (
        avpair("subscriber:sd=home-300"),
        avpair("subscriber:sa=walled"),
    )
    # One that runs is not begun a second time.
    assert SERVICES.change_attributes(replace(HOME, idle_timeout_s=900), old=HOME) == ()


def test_a_service_can_be_taken_back_and_a_policy_map_can_not() -> None:
    bare = replace(HOME, device_policy=None)

    assert SERVICES.change_methods(HOME, bare)[0] is Method.COA
    assert SERVICES.change_attributes(bare, old=HOME) == (avpair("subscriber:sd=home-300"),)
    assert DRIVER.change_methods(HOME, bare) == (Method.DISCONNECT, Method.CLI)


def test_a_service_whose_predecessor_is_not_known_takes_a_new_login() -> None:
    only_service = SessionPolicy(device_policy="walled")

    assert SERVICES.change_methods(None, only_service) == (Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_methods(None, only_service)[0] is Method.COA


def test_a_session_is_named_by_what_surely_matches_for_all_must_match() -> None:
    usual, fuller, fewest = (DRIVER.identity_attributes(ANNA, detail=detail) for detail in (0, 1, 2))

    assert usual == fewest
    assert [one.name for one in usual] == ["User-Name", "Acct-Session-Id"]
    assert [one.name for one in fuller] == ["User-Name", "Acct-Session-Id", "Framed-IP-Address"]


def test_its_details_give_the_session_its_own_fields_and_leave_out_who_has_not_logged_in() -> None:
    assert CLI.read_sessions(DETAIL + BEING_SET_UP) == (
        DeviceSession(
            "040000ac",
            "anna@isp.example",
            "10.50.0.31",
            "020000000001",
            local_name="Bundle-Ether1.500.pppoe29",
        ),
    )


def test_a_session_without_an_ipv4_address_has_none() -> None:
    for shown in ("Unknown", "2001:db8::1"):
        (found,) = CLI.read_sessions(DETAIL.replace("10.50.0.31", shown))
        assert found.framed_ipv4 is None


CLOCK = "Mon May 23 22:25:37.161 UTC\n"
# As `show subscriber session all` begins on an IOS-XRv 9000.
LEGEND = """Codes: IN - Initialize, CN - Connecting, CD - Connected, AC - Activated,
       ID - Idle, DN - Disconnecting, ED - End

"""
HEADER = """Type         Interface                State     Subscriber IP Addr / Prefix
                                                LNS Address (Vrf)
--------------------------------------------------------------------------------
"""


def test_its_table_has_no_names_and_is_no_answer() -> None:
    for text in (
        TABLE,
        CLOCK + LEGEND + TABLE,
        "Timed out\n" + HEADER,
        "",
        CLOCK,
        "% Invalid input detected at '^' marker.",
    ):
        with pytest.raises(CliOutputError):
            CLI.read_sessions(text)


def test_nobody_online_is_a_table_without_rows_or_said_in_words() -> None:
    for text in (CLOCK + LEGEND + HEADER, HEADER, "% No sessions found\n"):
        assert CLI.read_sessions(text) == ()


def test_silence_is_nobody_online_where_the_option_says_so() -> None:
    silent = replace(DRIVER, options=Options(silence_is_none=True)).cli

    assert silent.read_sessions("") == ()
    assert silent.read_sessions(CLOCK) == ()
    for text in (TABLE, "% Invalid input detected at '^' marker.", CLOCK + "something else\n"):
        with pytest.raises(CliOutputError):
            silent.read_sessions(text)


def test_its_user_may_look_at_sessions_and_clear_them_and_configure_nothing() -> None:
    said = DRIVER.setup_commands(sample_setup(DRIVER))

    assert "netadmin" not in said
    assert " task write" not in said
    assert (
        "taskgroup CORRENTE\n task read network\n task execute network\n!\nusergroup CORRENTE\n taskgroup CORRENTE\n!\n"
        in said
    )


def test_a_session_is_ended_by_its_interface_or_not_at_all() -> None:
    (found,) = CLI.read_sessions(DETAIL)

    assert [step.command for step in CLI.clear_session(ANNA, found)] == [
        "clear subscriber session identifier interface Bundle-Ether1.500.pppoe29"
    ]
    assert CLI.clear_session(ANNA, None) == ()


def test_the_setup_makes_services_of_the_policy_maps_where_they_are_wanted() -> None:
    said = SERVICES.setup_commands(sample_setup(SERVICES))

    assert " type service walled\n  service-policy input walled-in\n  service-policy output walled-out\n" in said
    assert "type service" not in DRIVER.setup_commands(sample_setup(DRIVER))

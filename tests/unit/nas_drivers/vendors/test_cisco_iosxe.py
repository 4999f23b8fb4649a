"""IOS-XE words, from Cisco's guides, and its lists as a CSR1000V prints them."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.vendor_cases import sample_setup

from nas_drivers.cli_dialect import CliOutputError
from nas_drivers.device_session import DeviceSession
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.cisco_iosxe import CiscoIosXeCli, CiscoIosXeDriver, Options, read_up_s

DRIVER = CiscoIosXeDriver()
CLI = CiscoIosXeCli()
HOME = SessionPolicy(
    rate=RatePair(BitRate(300_000_000), BitRate(30_000_000)), device_policy="home-300", ipv4_pool="homes"
)
ANNA = SessionIdentity(
    "anna@isp.example",
    "0000001A",
    nas_address=IPv4Address("192.0.2.1"),
    nas_identifier="bras-1",
    framed_ipv4=IPv4Address("100.64.0.9"),
    mac="0200000000ab",
    nas_port_id="Gi0/0/1.100",
)
TABLE = """Codes: Lterm - Local Term, Fwd - forwarded, unauth - unathenticated, authen -
authenticated, TC Ct. - Number of Traffic Classes on the main session

Current Subscriber Information: Total sessions 3
Uniq ID Interface    State    Service     Up-time  TC Ct. Identifier
9       Vi1.1        authen   Lterm       06:29:28 0      anna@isp.example
5476    Vi2.1        authen   Lterm       1d06h    0      bruno
5477    PPPoE        unauthen Lterm       00:00:01 0
"""
DETAILS = """Type: PPPoE, UID: 10, State: authen, Identity: anna@isp.example
IPv4 Address: 172.20.1.2
Session Up-time: 00:01:11, Last Changed: 00:01:11
Interface: Virtual-Access1.1
Switch-ID: 8216

Policy information:
  Authentication status: authen

QoS Policy Map:
Class-id    Dir   Policy Name Source
1           Out   home-300-out Peruser
"""
# As Cisco's guides have it (ISG Configuration Guide, IOS XE 16.6, ISG Accounting): a session, then a flow of one.
CLASSIC = """Current Subscriber Information: Total sessions 2
--------------------------------------------------
Subscriber session handle: 3800009A, state: connected, service: Local Term
Unique Session ID: 730
Identifier: anna@isp.example
SIP subscriber access type(s): PPPoE/PPP
Root SIP Handle: A600000E, PID: 75
Current SIP options: Req Fwding/Req Fwded
Session Up-time: 3 minutes, 57 seconds, Last Changed: 2 minutes, 59 seconds
AAA unique ID: 81

Subscriber session handle: E5000092, state: connected, service: Ltm Internal
Unique Session ID: 157
Identifier:
SIP subscriber access type(s): Traffic-Class
Session Up-time: 3 minutes, 45 seconds, Last Changed: 3 minutes, 45 seconds
"""


def avpair(text: str) -> Attribute:
    return Attribute("Cisco-AVPair", "+=", text)


def test_a_device_policy_names_a_policy_map_for_each_direction_and_in_is_what_the_subscriber_sends() -> None:
    assert DRIVER.login_attributes(HOME) == (
        avpair("ip:sub-qos-policy-in=home-300-in"),
        avpair("ip:sub-qos-policy-out=home-300-out"),
        avpair("ip:addr-pool=homes"),
    )


def test_what_differs_by_installation_is_an_option() -> None:
    other = replace(
        DRIVER,
        options=Options(avpair_prefix="subscriber", in_suffix="", out_suffix="-down", ipv4_pool_as="framed_pool"),
    )

    assert other.login_attributes(HOME) == (
        avpair("subscriber:sub-qos-policy-in=home-300"),
        avpair("subscriber:sub-qos-policy-out=home-300-down"),
        Attribute("Framed-Pool", ":=", "homes"),
    )
    with pytest.raises(ValueError, match="suffix"):
        Options(in_suffix=" in")
    for same in ("", "-qos"):
        with pytest.raises(ValueError, match="in_suffix: the same as out_suffix"):
            Options(in_suffix=same, out_suffix=same)


def test_a_name_that_can_not_be_on_the_router_is_not_sent_but_spoken_of() -> None:
    strange = SessionPolicy(filter="no mail", ipv4_pool="case=1")

    assert DRIVER.login_attributes(strange) == ()
    assert ["'no mail'" in said or "'case=1'" in said for said in DRIVER.unsupported(strange)] == [True, True]


def test_other_policy_maps_are_a_coa_and_an_access_list_is_a_new_login() -> None:
    slow = replace(HOME, device_policy="walled")
    listed = replace(HOME, device_policy="walled", filter="2666")

    assert DRIVER.change_methods(HOME, slow) == (Method.COA, Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_attributes(slow, old=HOME) == (
        avpair("ip:sub-qos-policy-in=walled-in"),
        avpair("ip:sub-qos-policy-out=walled-out"),
    )
    assert DRIVER.change_methods(HOME, listed) == (Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_methods(HOME, replace(HOME, device_policy=None)) == (Method.DISCONNECT, Method.CLI)
    assert DRIVER.change_methods(HOME, replace(HOME, idle_timeout_s=900)) == (Method.COA,)


def test_class_goes_with_a_coa_only_where_the_option_says_so() -> None:
    proven = replace(DRIVER, options=Options(class_by_coa=True))

    assert "Class" not in [one.name for one in DRIVER.change_attributes(HOME, class_octets=b"CO1")]
    assert proven.change_attributes(HOME, class_octets=b"CO1")[-1] == Attribute("Class", ":=", "0x434f31")


def test_a_session_is_named_by_what_surely_matches_for_all_must_match() -> None:
    usual, fuller, fewest = (DRIVER.identity_attributes(ANNA, detail=detail) for detail in (0, 1, 2))

    assert usual == fewest
    assert [one.name for one in usual] == ["User-Name", "Acct-Session-Id"]
    # Never what it writes in a way of its own: MAC, port, its name.
    assert [one.name for one in fuller] == ["User-Name", "Acct-Session-Id", "Framed-IP-Address"]


def test_its_table_gives_names_and_numbers_of_those_that_have_logged_in() -> None:
    assert CLI.read_sessions(TABLE) == (
        DeviceSession("", "anna@isp.example", up_s=6 * 3600 + 29 * 60 + 28, local_name="9"),
        DeviceSession("", "bruno", up_s=30 * 3600, local_name="5476"),
    )


def test_its_details_give_the_address_too_and_two_sessions_of_a_name_are_two() -> None:
    twice = DETAILS + "\n" + DETAILS.replace("UID: 10", "UID: 11").replace("172.20.1.2", "172.20.1.3")

    assert CLI.read_sessions(twice) == (
        DeviceSession("", "anna@isp.example", "172.20.1.2", up_s=71, local_name="10", policies=("out=home-300-out",)),
        DeviceSession("", "anna@isp.example", "172.20.1.3", up_s=71, local_name="11", policies=("out=home-300-out",)),
    )


def test_the_older_form_gives_names_and_numbers_and_leaves_out_the_flows_of_a_session() -> None:
    assert CLI.read_sessions(CLASSIC) == (DeviceSession("", "anna@isp.example", up_s=237, local_name="730"),)


def test_no_session_is_said_and_never_concluded() -> None:
    assert CLI.read_sessions("%No active Subscriber Sessions\n") == ()
    for text in ("", "% Invalid input detected at '^' marker.", "CSR1#"):
        with pytest.raises(CliOutputError):
            CLI.read_sessions(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:01:11", 71),
        ("1d06h", 108_000),
        ("2w3d", 17 * 86_400),
        ("1y2w", 379 * 86_400),
        ("1 day, 2 hours, 1 minute", 93_660),
        ("never", None),
        ("3 moons", None),
        ("", None),
    ],
)
def test_up_times_have_four_forms(text: str, seconds: int | None) -> None:
    assert read_up_s(text) == seconds


def test_a_session_is_ended_by_its_number_or_else_by_name() -> None:
    (found,) = CLI.read_sessions(DETAILS)

    assert [step.command for step in CLI.clear_session(ANNA, found)] == ["clear subscriber session uid 10"]
    assert [step.command for step in CLI.clear_session(ANNA, None)] == [
        "clear subscriber session username anna@isp.example"
    ]


def test_a_refusal_is_told_in_the_routers_words() -> None:
    assert CLI.refused("show subscriber sesion\n      ^\n% Invalid input detected at '^' marker.\n") == (
        "% Invalid input detected at '^' marker."
    )
    assert CLI.refused("Command authorization failed.\n") == "Command authorization failed."
    assert CLI.refused("%No active Subscriber Sessions") is None
    assert CLI.refused(TABLE) is None


def test_who_pastes_is_told_before_the_line_that_changes_how_everybody_logs_in_and_why_its_user_would_have_no_rights() -> (
    None
):
    lines = DRIVER.setup_commands(sample_setup(DRIVER)).splitlines()
    assert "aaa authentication login default local" in lines[lines.index("aaa new-model") - 1]
    user = next(number for number, line in enumerate(lines) if line.startswith("username "))
    assert "without aaa authorization exec default local" in " ".join(lines[user : user + 5])

"""Huawei words, worked out by hand from the NetEngine 8000's list of RADIUS attributes: bit/s, CIR and PIR, input is upstream."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from nas_drivers.cli_dialect import CliOutputError
from nas_drivers.device_session import DeviceSession
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.vendors.huawei import DRIVER, HuaweiDriver, Options

HOME = SessionPolicy(rate=RatePair(down=BitRate(300_000_000), up=BitRate(30_000_000)))
FAST = SessionPolicy(rate=RatePair(down=BitRate(10_000_000_000), up=BitRate(1_000_000_000)))
ANNA = SessionIdentity("anna@isp", "BRAS0010000000100abc", framed_ipv4=IPv4Address("100.64.0.5"))
FOUR_RATES = (
    Attribute("Huawei-Input-Average-Rate", ":=", "30000000"),
    Attribute("Huawei-Input-Peak-Rate", ":=", "30000000"),
    Attribute("Huawei-Output-Average-Rate", ":=", "300000000"),
    Attribute("Huawei-Output-Peak-Rate", ":=", "300000000"),
)
TABLE = """
  ------------------------------------------------------------------------------
  UserID  Username                Interface      IP address       MAC
          Vlan          IPv6 address             Access type
  ------------------------------------------------------------------------------
  128     anna@isp                GE0/1/2.100    100.64.0.5       0011-2233-4455
          100/200       -                        PPPoE
  129     bruno@isp               GE0/1/2.100    -                0011-2233-4466
          100/201       2001:DB8::1              PPPoE
  ------------------------------------------------------------------------------
  Normal users                       : 2
  Total users                        : 2
"""
PAGE = """
Basic:
  User access index             : 128
  State                         : Used
  User name                     : anna@isp
  User access interface         : GigabitEthernet0/1/2.100
  User MAC                      : 0011-2233-4455
  User IP address               : 100.64.0.5
  User accounting session ID    : BRAS0010000000100abc
"""


def test_cir_and_pir_go_out_in_both_directions_for_login_and_change_alike() -> None:
    slower = SessionPolicy(rate=RatePair(down=BitRate(100_000_000), up=BitRate(30_000_000)))

    assert DRIVER.login_attributes(HOME) == FOUR_RATES
    # Only the download differs: the upload and both peaks are said again.
    assert DRIVER.change_attributes(HOME, old=slower) == FOUR_RATES
    assert DRIVER.change_methods(slower, HOME) == (Method.COA, Method.DISCONNECT, Method.CLI)


def test_a_rate_beyond_32_bits_is_held_to_the_ceiling_and_told() -> None:
    assert [one.value for one in DRIVER.login_attributes(FAST)] == ["1000000000"] * 2 + ["4294967295"] * 2
    assert ["4294967295" in sentence for sentence in DRIVER.unsupported(FAST)] == [True]
    assert DRIVER.unsupported(HOME) == ()


def test_a_rate_beyond_32_bits_goes_by_its_qos_profile_and_others_by_their_rate() -> None:
    assert DRIVER.login_attributes(replace(FAST, device_policy="home-10g")) == (
        Attribute("Huawei-Qos-Profile-Name", ":=", "home-10g"),
    )
    assert DRIVER.unsupported(replace(FAST, device_policy="home-10g")) == ()
    assert DRIVER.login_attributes(replace(HOME, device_policy="home-300")) == FOUR_RATES
    # A CoA takes no rate back: the session must log in anew to go by a QoS profile.
    assert DRIVER.change_methods(HOME, SessionPolicy(device_policy="walled")) == (Method.DISCONNECT, Method.CLI)


def test_a_change_carries_one_user_name_and_it_is_the_sessions_own() -> None:
    for detail in (0, 1, 2):
        names = [one.value for one in DRIVER.identity_attributes(ANNA, detail=detail) if one.name == "User-Name"]
        assert names == ["anna@isp"]
    assert not any("Name" in one.name for one in DRIVER.change_attributes(HOME))


def test_options_choose_the_attributes_of_pools_filters_and_the_second_profile() -> None:
    policy = SessionPolicy(ipv4_pool="homes", filter="walled", device_policy="slow", delegated_ipv6_pool="pd")
    other = HuaweiDriver(
        Options(ipv4_pool_attribute="Huawei-Framed-Pool", filter_attribute="Huawei-Policy-Name", down_qos_profile=True)
    )

    assert [one.name for one in DRIVER.login_attributes(policy)] == [
        "Huawei-Qos-Profile-Name",
        "Filter-Id",
        "Framed-Pool",
        "Huawei-Delegated-IPv6-Prefix-Pool",
    ]
    assert [one.name for one in other.login_attributes(policy)] == [
        "Huawei-Qos-Profile-Name",
        "Huawei-Down-QOS-Profile-Name",
        "Huawei-Policy-Name",
        "Huawei-Framed-Pool",
        "Huawei-Delegated-IPv6-Prefix-Pool",
    ]


def test_class_is_sent_only_where_the_device_is_known_to_take_it() -> None:
    taking = HuaweiDriver(Options(class_by_coa=True))

    assert DRIVER.change_attributes(HOME, class_octets=b"CO1") == FOUR_RATES
    assert taking.change_attributes(HOME, class_octets=b"CO1") == (*FOUR_RATES, Attribute("Class", ":=", "0x434f31"))


def test_the_table_of_users_is_read() -> None:
    assert DRIVER.cli is not None
    assert DRIVER.cli.read_sessions(TABLE) == (
        DeviceSession("", "anna@isp", "100.64.0.5", "001122334455", local_name="128"),
        DeviceSession("", "bruno@isp", None, "001122334466", local_name="129"),
    )


def test_a_row_that_can_not_be_read_is_told_and_not_left_out() -> None:
    assert DRIVER.cli is not None
    with pytest.raises(CliOutputError, match="of the 2 users"):
        DRIVER.cli.read_sessions(TABLE.replace("0011-2233-4466", ""))


def test_the_page_of_a_user_is_read_with_its_session_id() -> None:
    assert DRIVER.cli is not None
    assert DRIVER.cli.read_sessions(PAGE) == (
        DeviceSession("BRAS0010000000100abc", "anna@isp", "100.64.0.5", "001122334455", local_name="128"),
    )


@pytest.mark.parametrize("nobody", ["Info: No online user!\n", "  Normal users : 0\n  Total users    : 0\n"])
def test_nobody_online_is_an_empty_list_and_no_refusal(nobody: str) -> None:
    assert DRIVER.cli is not None
    assert DRIVER.cli.read_sessions(nobody) == ()
    assert DRIVER.cli.refused(nobody) is None


def test_a_refused_command_is_told_in_its_own_words_and_is_no_list() -> None:
    assert DRIVER.cli is not None
    answer = "                 ^\nError: Unrecognized command found at '^' position.\n"

    assert DRIVER.cli.refused(answer) == "Error: Unrecognized command found at '^' position."
    with pytest.raises(CliOutputError):
        DRIVER.cli.read_sessions(answer)


def test_one_session_is_cut_by_its_number_and_without_one_all_of_the_username() -> None:
    assert DRIVER.cli is not None
    found = DeviceSession("", "anna@isp", local_name="128")

    assert [step.command for step in DRIVER.cli.clear_session(ANNA, found)] == [
        "system-view",
        "aaa",
        "cut access-user user-id 128",
        "return",
    ]
    assert DRIVER.cli.clear_session(ANNA, None)[2].command == "cut access-user username anna@isp all"


def test_the_form_of_the_answer_is_an_option() -> None:
    shown = [HuaweiDriver(Options(display_suffix=one)).cli.show_session(ANNA) for one in ("none", "verbose")]

    assert shown == ["display access-user username anna@isp", "display access-user username anna@isp verbose"]


# NetEngine 8000 product documentation, examples of `display access-user domain`.
LEASED_LINE = """
  ------------------------------------------------------------------------------
  UserID  Username                Interface      IP address       MAC
          Vlan          IPv6 address             Access type
  ------------------------------------------------------------------------------
  1280    layer3@l3               GE0/1/2.1      -           -
          -/-           -                        Layer3_lease_line
  ------------------------------------------------------------------------------
  Normal users                       : 1
  RUI Local users                    : 0
  RUI Remote users                   : 0
  Total users                        : 1
"""
LONG_NAME = """
  352     BRAS-01008000100000...  GE0/1/1.1      172.16.1.2       00e0-fc12-3456
          1/-           -                        IPOE
  Total users                        : 1
"""


def test_a_user_without_a_mac_is_read_too() -> None:
    assert DRIVER.cli is not None
    assert DRIVER.cli.read_sessions(LEASED_LINE) == (DeviceSession("", "layer3@l3", None, "", local_name="1280"),)


def test_a_table_that_cuts_names_is_told_with_what_to_do_and_never_taken_for_somebody_else() -> None:
    assert DRIVER.cli is not None
    with pytest.raises(CliOutputError, match="display_suffix"):
        DRIVER.cli.read_sessions(LONG_NAME)


def test_who_dials_no_domain_is_looked_for_in_the_one_that_the_router_gives_and_found_under_the_own_name() -> None:
    cli = HuaweiDriver(Options(domain="isp")).cli
    anna = replace(ANNA, username="anna")

    assert cli.show_session(anna) == "display access-user username anna@isp"
    assert cli.clear_session(anna, None)[2].command == "cut access-user username anna@isp all"
    assert [one.username for one in cli.read_sessions(TABLE)] == ["anna", "bruno"]
    # Who dials one is asked for under it.
    assert cli.show_session(replace(ANNA, username="anna@other")) == "display access-user username anna@other"


@pytest.mark.parametrize("domain", ["a b", "isp; quit", "x" * 65])
def test_a_domain_that_no_command_line_takes_is_refused_as_an_option(domain: str) -> None:
    with pytest.raises(ValueError, match="domain"):
        Options(domain=domain)


def test_the_prompts_of_each_step_are_those_of_an_operators_transcript() -> None:
    assert DRIVER.cli is not None
    prompts = [step.prompt for step in DRIVER.cli.clear_session(ANNA, None)]

    for prompt, shown in zip(
        prompts, ["[~c2-huawei]", "[~c2-huawei-aaa]", "[~c2-huawei-aaa]", "<c2-huawei>"], strict=True
    ):
        assert prompt is not None
        assert re.search(prompt, shown)
    # The view before is no sign that a step is done.
    assert not re.search(prompts[1] or "", "[~c2-huawei]")
    assert DRIVER.cli.refused("Info:Totally,1 user has been cut off.\n") is None

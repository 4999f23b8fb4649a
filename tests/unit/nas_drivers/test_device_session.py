"""What devices show a session to run under, as their makers' documents and public captures print it; names, addresses and MACs are ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from nas_drivers.cli_dialect import CliDetail, CliOutputError
from nas_drivers.device_session import DeviceSession, holds_names, holds_service, is_same_rate, mac_of, up_of
from nas_drivers.driver import JudgesSessions, NasDriver, driver_for
from nas_drivers.families.accel_ppp import read_sessions
from nas_drivers.families.routeros_output import read_limit, read_uptime_s
from nas_drivers.policy import BitRate, RatePair, SessionPolicy
from nas_drivers.vendors import cisco_iosxr, juniper_mx, nokia_sros
from nas_drivers.vendors.cisco_iosxe import read_up_s

FAST: Final = SessionPolicy(rate=RatePair(BitRate(100_000_000), BitRate(20_000_000)), device_policy="fast")
SLOW: Final = SessionPolicy(rate=RatePair(BitRate(15_728_640), BitRate(15_728_640)), device_policy="slow")
# A CSR1000V, `show subscriber session username`; with a row for each direction as in genieparser's recorded output.
CSR: Final = """Type: PPPoE, UID: 10, State: authen, Identity: anna
IPv4 Address: 172.20.1.2 
Session Up-time: 00:01:11, Last Changed: 00:01:11
Interface: Virtual-Access1.1
Switch-ID: 8216

Policy information:
  Authentication status: authen

Classifiers:
Class-id    Dir   Packets    Bytes                  Pri.  Definition
0           In    15         204                    0    Match Any
1           Out   6          84                     0    Match Any

Features:

QoS Policy Map:
Class-id    Dir   Policy Name Source
0           In    slow-in     Peruser
1           Out   slow-out    Peruser

Configuration Sources:
Type  Active Time  AAA Service ID  Name
USR   00:01:11     -               Peruser
INT   00:01:11     -               Virtual-Template1

"""  # noqa: W291 - as it prints it
# ASR 9000, IOS XR 24.4.1, `show subscriber running-config interface name`: policy maps of the user, and 7.4.2: of a service.
ASR9K: Final = """Fri Dec  6 09:32:27.710 UTC
Building configuration...
!! IOS XR Configuration 24.4.1.07I
dynamic-template
 type user-profile U00003e90
  ipv4 access-group myACL ingress
  ipv4 mtu 1500
  ipv4 unnumbered Loopback1
  service-policy input slow-in
  service-policy output slow-out
  ipv6 enable
 !
!
end

* Suffix indicates the configuration item can be added by aaa server only
"""
ASR9K_SERVICE: Final = """Tue Jun 28 15:35:18.238 IST
Building configuration...
!! IOS XR Configuration 7.4.2
subscriber-label 0x800aaaf0
dynamic-template
 type user-profile U000aaaf0
  ipv4 mtu 1500
 !
 type service-profile slow
  service-policy input PM_Plan_100mbps_input
  service-policy output PM_Plan_100mbps_output
 !
!
end
"""
# MX960, Junos 22.4, `show subscribers … extensive`, shortened.
MX960: Final = """Type: PPPoE
User Name: anna
IP Address: 172.20.0.0
Interface: pp0.3221225492
Interface type: Dynamic
Dynamic Profile Name: GIGE_DS_PROFILE
MAC Address: 02:00:00:00:00:00 
State: Active
Radius Accounting ID: 1619305
Session ID: 1619305
Login Time: 2023-08-28 17:20:32 CST
Service Sessions: 1
Dynamic configuration: 
      junos-cos-scheduler: DOWNSTREAM_VoIP
          junos-cos-scheduler-tx: 15000000
  junos-cos-shaping-rate: 100000000

   Service Session ID: 1619635
   Service Session Name: slow
   Service Session Version: 1
   State: Active
   Family: inet, inet6
   IPv4 Input Filter Name: UPSTREAM_IN_UID1008-pp0.3221225492-in
   Service Activation time: 2023-08-28 17:20:33 CST
   Dynamic configuration: 
     UPSTREAM_IN: UPSTREAM_IN_UID1008
     inBW: 100000000

"""  # noqa: W291 - as it prints it
# SR OS, `show service active-subscribers hierarchy subscriber`.
SROS: Final = """
===============================================================================
Active Subscribers Hierarchy
===============================================================================
-- anna
   (sub-pppoe)
   |
   +-- sap:[1/1/c2/1:201.100] - sla:slow
       |
       +-- PPP-session - mac:02:00:01:00:00:01 - sid:1 - svc:51
           |
           |-- 180.0.0.2 - IPCP
===============================================================================
"""
# NE40E-M2, configuration guide, "display access-user user-id … verbose": rates by RADIUS, the family's above them.
NE40E: Final = """
    ACL&QoS:
      Inbound Family-profile-name   : p1(Radius)
      Outbound Family-profile-name  : p1(Radius)
      Inbound family qos configuration     : User-CAR
      Inbound cir                   : 1024(kbps)
      Inbound pir                   : 0(kbps)
      Inbound cbs                   : 1024000(bytes)
      Inbound pbs                   : 0(bytes)
      Outbound family qos configuration    : User-CAR
      Outbound cir                  : 1024(kbps)
      Outbound pir                  : 0(kbps)
      Outbound cbs                  : 1024000(bytes)
      Outbound pbs                  : 0(bytes)
      Inbound qos configuration     : User-CAR
      Inbound cir                   : 15729(kbps)(Radius)
      Inbound pir                   : 0(kbps)
      Inbound cbs                   : 2941323(bytes)
      Inbound pbs                   : 0(bytes)
      Outbound qos configuration    : User-CAR
      Outbound cir                  : 15729(kbps)(Radius)
      Outbound pir                  : 0(kbps)
      Outbound cbs                  : 2941323(bytes)
"""
FOUND: Final = DeviceSession("s1", "anna", local_name="7")


def shown(driver: NasDriver, output: str, detail: str = "") -> DeviceSession:
    """The session as its dialect reads it, with one more look where there is one."""
    assert driver.cli is not None
    if detail:
        assert isinstance(driver.cli, CliDetail)
        return driver.cli.read_detail(detail, FOUND)
    (found,) = driver.cli.read_sessions(output)
    return found


def holds(driver: NasDriver, found: DeviceSession, new: SessionPolicy, old: SessionPolicy | None = FAST) -> bool | None:
    assert isinstance(driver, JudgesSessions)
    return driver.runs_under(found, new, old=old)


XE = driver_for("cisco_iosxe")
XR = driver_for("cisco_iosxr")
XR_SERVICE = cisco_iosxr.CiscoIosXrDriver(cisco_iosxr.Options(device_policy_as="service"))
MX = driver_for("juniper_mx")
NOKIA = nokia_sros.NokiaDriver(nokia_sros.Options(subscriber_id_is_username=True))
HUAWEI = driver_for("huawei")
NAMED: Final = {
    "cisco_iosxe": (XE, shown(XE, CSR)),
    "cisco_iosxr": (XR, shown(XR, "", ASR9K)),
    "cisco_iosxr by service": (XR_SERVICE, shown(XR_SERVICE, "", ASR9K_SERVICE)),
    "juniper_mx": (MX, shown(MX, MX960)),
    "nokia_sros": (NOKIA, shown(NOKIA, SROS)),
}
every_named = pytest.mark.parametrize(("driver", "found"), NAMED.values(), ids=NAMED)


@every_named
def test_the_name_that_was_wanted_holds_and_the_old_one_is_drift(driver: NasDriver, found: DeviceSession) -> None:
    fast, slow = replace(FAST, rate=None), replace(SLOW, rate=None)

    assert holds(driver, found, slow, fast) is True
    assert holds(driver, found, fast, slow) is False


@every_named
def test_what_shows_no_policy_at_all_proves_nothing(driver: NasDriver, found: DeviceSession) -> None:
    assert holds(driver, replace(found, policies=None), SLOW) is None
    assert holds(driver, replace(found, policies=()), SLOW) is None
    assert holds(driver, found, SessionPolicy(), SessionPolicy()) is None


def test_of_two_directions_one_alone_proves_nothing_and_another_name_is_drift() -> None:
    only_out = shown(XE, CSR.replace("0           In    slow-in     Peruser\n", ""))
    half = shown(XE, CSR.replace("slow-in ", "fast-in "))

    assert only_out.policies == ("out=slow-out",)
    assert holds(XE, only_out, SLOW) is None
    assert holds(XE, half, SLOW) is False


def test_two_sessions_of_one_username_have_each_its_own_policy_maps() -> None:
    assert XE.cli is not None
    both = XE.cli.read_sessions(CSR + CSR.replace("UID: 10", "UID: 11").replace("slow", "fast"))

    assert [one.policies for one in both] == [("in=slow-in", "out=slow-out"), ("in=fast-in", "out=fast-out")]


def test_junos_with_the_old_service_beside_the_new_one_is_drift_and_somebody_elses_is_none() -> None:
    beside = shown(MX, MX960 + "   Service Session Name: fast\n")
    other = shown(MX, MX960 + "   Service Session Name: iptv\n")

    assert beside.policies == ("slow", "fast")
    assert holds(MX, beside, SLOW) is False
    assert holds(MX, other, SLOW) is True


def test_junos_says_nothing_of_a_services_arguments_or_of_another_filter() -> None:
    by_rate = juniper_mx.JuniperMxDriver(juniper_mx.Options(rate_service="slow"))

    assert (
        holds(by_rate, shown(MX, MX960), replace(SLOW, device_policy=None), replace(FAST, device_policy=None)) is None
    )
    assert holds(MX, shown(MX, MX960), replace(SLOW, filter="walled")) is None
    assert holds(MX, shown(MX, MX960), SLOW, None) is None


def test_nokias_tree_has_no_overrides_so_the_right_profile_with_a_rate_on_top_is_not_proven() -> None:
    assert holds(NOKIA, shown(NOKIA, SROS), SLOW) is None
    assert holds(NOKIA, shown(NOKIA, SROS), FAST) is False


def test_huawei_shows_rates_in_kbit_and_the_familys_are_not_the_users() -> None:
    found = shown(HUAWEI, "", NE40E)

    assert (found.rate_down_bps, found.rate_up_bps) == (15_729_000, 15_729_000)
    assert holds(HUAWEI, found, SLOW) is True
    assert holds(HUAWEI, found, FAST) is False


def test_a_pir_that_huawei_left_where_it_was_is_drift_though_the_cir_is_right() -> None:
    # ETC0001084741: lowering a rate changed CIR and left PIR.
    left = NE40E.replace(
        "Outbound pir                  : 0(kbps)\n      Outbound cbs                  : 2941323",
        "Outbound pir                  : 100000(kbps)(Radius)\n      Outbound cbs                  : 2941323",
    )

    assert shown(HUAWEI, "", left).rate_down_bps == 100_000_000
    assert holds(HUAWEI, shown(HUAWEI, "", left), SLOW) is False


def test_a_huawei_qos_profile_stands_there_in_other_words_and_proves_nothing() -> None:
    found = shown(HUAWEI, "", NE40E)

    assert holds(HUAWEI, found, replace(SLOW, rate=None)) is None
    assert holds(HUAWEI, replace(found, rate_up_bps=None), SLOW) is None


def test_one_more_look_names_the_session_and_refuses_what_is_no_answer() -> None:
    assert isinstance(XR.cli, CliDetail)
    assert isinstance(HUAWEI.cli, CliDetail)
    on_line = replace(FOUND, local_name="GigabitEthernet0/0/0/0.500.pppoe10")
    assert XR.cli.show_detail(on_line) == (
        "show subscriber running-config interface name GigabitEthernet0/0/0/0.500.pppoe10"
    )
    assert HUAWEI.cli.show_detail(FOUND) == "display access-user user-id 7 verbose"
    for cli in (XR.cli, HUAWEI.cli):
        with pytest.raises(CliOutputError):
            cli.read_detail("something went wrong", FOUND)


@pytest.mark.parametrize(
    ("shown_names", "wanted", "expected"),
    [(("in=a",), {"in=a"}, True), (("in=b",), {"in=a"}, False), ((), {"in=a"}, None), (None, {"in=a"}, None), (("x=y",), {"in=a"}, None),
     (("in=a",), set(), None)],
)  # fmt: skip
def test_names_are_compared_with_those_of_their_kind(
    shown_names: tuple[str, ...] | None, wanted: set[str], expected: bool | None
) -> None:
    assert holds_names(replace(FOUND, policies=shown_names), frozenset(wanted)) is expected


def test_a_service_that_was_to_end_and_has_is_proven_without_a_new_one() -> None:
    assert holds_service(replace(FOUND, policies=("iptv",)), None, ended="fast") is True
    assert holds_service(replace(FOUND, policies=("fast",)), None, ended="fast") is False
    assert holds_service(replace(FOUND, policies=("fast",)), None, ended=None) is None


@pytest.mark.parametrize("shown", ["00:53:00:BA:DB:15", "00-53-00-ba-db-15", "0053.00ba.db15", "0053-00ba-db15"])
def test_a_mac_is_read_in_each_makers_form(shown: str) -> None:
    assert mac_of(shown) == "005300badb15"


@pytest.mark.parametrize("shown", ["", "-", "ether1", "00:53:00:ba:db", "::::::::::::::::0", "00:53:00:ba:db:15:16"])
def test_what_is_no_mac_is_none(shown: str) -> None:
    assert mac_of(shown) == ""


@pytest.mark.parametrize(
    ("shown", "given", "same"),
    [(2_048_000, 2_047_500, True), (2_048_000, 2_047_000, False), (0, 0, True), (0, 1_000, False), (500, 0, False)],
)
def test_rates_are_the_same_to_the_kilobit_and_no_limit_is_none(shown: int, given: int, same: bool) -> None:
    assert is_same_rate(shown, given) is same


def test_no_device_is_up_for_longer_than_fifty_years() -> None:
    assert up_of(18_300 * 86_400) == 1_581_120_000
    assert up_of(18_300 * 86_400 + 1) is None


@pytest.mark.parametrize("digits", ["9" * 12, "9" * 5_000], ids=["twelve digits", "five thousand"])
def test_a_number_of_any_length_is_a_time_that_is_not_known_and_no_fault_of_ours(digits: str) -> None:
    table = "username | uptime | rate-limit\n---------+--------+-----------\nanna | {0}.00:00:01 | {0}/{0}x\n"

    assert read_sessions(table.format(digits))[0].up_s is None
    assert read_uptime_s(f"{digits}s") is None
    assert read_uptime_s(f"{digits}d00:00:01") is None
    assert read_up_s(f"{digits}:00:01") is None
    assert read_up_s(f"{digits} years, 3 weeks") is None
    assert read_up_s(f"{digits}y2w") is None
    assert read_limit(f"{'9' * 5_000}/1") is None

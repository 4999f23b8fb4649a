"""What one accounting record says, and what is not believed of it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.accounting_world import NOON, detail

from control_plane.accounting.record import (
    AccountingRecord,
    NatBlock,
    RecordKind,
    Unusable,
    read_accounting_record,
    read_date,
)
from control_plane.accounting.spool import read_detail
from radius_hooks.packet import read_request


def read(*arguments, **attributes):
    (record,) = read_detail(detail(*arguments, **attributes).encode(), start=0).records
    return read_accounting_record(record)


def test_a_record_of_a_session_is_read_whole():
    record = read(
        "Interim-Update",
        session="81%00",
        key=bytes(range(16)),
        time=600,
        octets=(2**32 + 5, 7),
        Framed_IP_Address="10.0.0.1",
        Framed_IPv6_Prefix="2001:db8:0:1::/64",
        Delegated_IPv6_Prefix="2001:db8:0:100::/56",
        Framed_IPv6_Address="2001:db8::1",
        Calling_Station_Id='"AA-BB-CC-00-11-22"',
        NAS_Port_Id='"ether1"',
    )

    assert record.kind is RecordKind.INTERIM
    assert (record.acct_session_id, record.username, record.source) == ("81%00", "anna", "127.0.0.1")
    assert (record.class_key, record.policy_version) == (bytes(range(16)), b"profacct")
    assert (record.session_time_s, record.counter_in, record.counter_out, record.wide) == (600, 2**32 + 5, 7, True)
    assert (record.framed_ipv4, record.framed_ipv6_address) == ("10.0.0.1", "2001:db8::1")
    assert (record.framed_ipv6_prefix, record.delegated_ipv6_prefix) == ("2001:db8:0:1::/64", "2001:db8:0:100::/56")
    assert (record.mac, record.line) == ("aabbcc001122", "ether1")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"NAS_Port": "7", "NAS_Port_Id": '"ether1"', "ADSL_Agent_Circuit_Id": "0x6f6c74"}, "olt"),
        ({"NAS_Port": "7", "NAS_Port_Id": '"ether1"', "ADSL_Agent_Circuit_Id": "0x"}, "ether1"),
        ({"NAS_Port": "7", "NAS_Port_Id": '""'}, "7"),
        ({"NAS_Port": "7"}, "7"),
        ({}, ""),
    ],
)
def test_the_line_is_named_as_at_the_login(said, line):
    assert read("Start", **said).line == line
    pairs = [(name.replace("_", "-"), printed.strip('"')) for name, printed in said.items()]
    assert read_request((("Corrente-Source", "127.0.0.1 7"), *pairs)).line == line


@pytest.mark.parametrize(
    ("attributes", "age_s"),
    [
        ({"Acct_Delay_Time": "30"}, 30),
        ({"Acct_Delay_Time": "30", "Event_Timestamp": '"Jan  1 1970 00:00:09 UTC"'}, 30),
        # 2^32 - 1 seconds is no delay; then the device's clock, and then ours.
        ({"Acct_Delay_Time": "4294967295"}, 0),
        ({"Acct_Delay_Time": "4294967295", "Event_Timestamp": '"Nov 21 2026 11:59:00 UTC"'}, 60),
        ({"Acct_Delay_Time": None, "Event_Timestamp": '"Nov 21 2026 11:59:00 UTC"'}, 60),
        ({"Acct_Delay_Time": None, "Event_Timestamp": '"Nov 21 2026 12:04:00 UTC"'}, 0),
        ({"Acct_Delay_Time": None, "Event_Timestamp": '"Nov 14 2026 12:00:00 UTC"'}, 7 * 86400),
        ({"Acct_Delay_Time": None, "Event_Timestamp": '"Nov 14 2026 11:59:59 UTC"'}, 0),
        ({"Acct_Delay_Time": None, "Event_Timestamp": '"Jan  1 1970 00:00:09 UTC"'}, 0),
        ({"Acct_Delay_Time": None, "Event_Timestamp": '"Nov 21 2027 12:00:00 UTC"'}, 0),
        ({"Acct_Delay_Time": None, "Event_Timestamp": '"nonsense"'}, 0),
        ({"Acct_Delay_Time": None}, 0),
    ],
)
def test_the_time_of_an_event_needs_no_clock_in_the_device(attributes, age_s):
    assert NOON - read("Interim-Update", **attributes).event_at == age_s


@pytest.mark.parametrize(
    ("attributes", "ahead_s"),
    [
        ({"Event_Timestamp": '"Nov 21 2026 11:56:48 UTC"'}, -192),
        ({"Event_Timestamp": '"Nov 21 2026 12:05:01 UTC"'}, 301),
        # It was sent again, and says for how long it waited: its clock is right.
        ({"Event_Timestamp": '"Nov 21 2026 11:59:00 UTC"', "Acct_Delay_Time": "60"}, 0),
        ({"Event_Timestamp": '"Nov 21 2026 11:59:00 UTC"', "Acct_Delay_Time": None}, -60),
        ({"Event_Timestamp": '"Jan  1 1970 00:00:09 UTC"'}, 9 - NOON),
        ({"Event_Timestamp": '"nonsense"'}, None),
        ({"Event_Timestamp": '"Nov 31 2026 11:59:00 UTC"'}, None),
        ({"Event_Timestamp": "99999999999999999999"}, None),
        ({}, None),
    ],
)
def test_how_far_a_devices_clock_is_off_is_what_it_says_less_what_it_admits_to(attributes, ahead_s):
    assert read("Interim-Update", **attributes).clock_ahead_s == ahead_s


def test_the_dates_of_one_hour_are_told_apart():
    dates = {at: read_date(f'"Nov 21 2026 {at} UTC"') for at in ("12:00:00", "12:00:01", "12:59:59", "13:00:00")}
    assert [at - NOON for at in dates.values()] == [0, 1, 3599, 3600]


def test_a_date_in_freeradius_own_zone_is_read(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Rome")
    time.tzset()
    try:
        assert read_date('"Nov 21 2026 13:00:00 CET"') == NOON
        assert read_date(str(NOON)) == NOON
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"Acct_Session_Id": None}, "names no session"),
        ({"Acct_Status_Type": None}, "missing"),
        ({"Acct_Status_Type": "Tunnel-Start"}, "Tunnel-Start"),
    ],
)
def test_a_record_that_names_nothing_is_refused_with_the_reason(attributes, problem):
    (record,) = read_detail(detail("Stop", **attributes).encode(), start=0).records
    refused = read_accounting_record(record)
    assert isinstance(refused, Unusable)
    assert problem in refused.problem


def test_our_class_alone_names_a_session():
    record = read("Stop", key=b"k" * 16, Acct_Session_Id=None)

    assert (record.acct_session_id, record.class_key) == ("", b"k" * 16)


def test_the_class_of_someone_else_is_not_ours():
    assert read("Stop", Class="0x434f31aa").class_key is None
    assert read("Stop", Class="0x" + "00" * 27).class_key is None
    assert read("Stop", Class="0x434f31" + "zz" * 24).class_key is None


def test_values_out_of_range_count_as_not_sent():
    record = read(
        "Interim-Update",
        Acct_Session_Time="4294967295",
        Acct_Input_Octets="99999999999",
        Acct_Output_Octets="-1",
        Framed_IP_Address="255.255.255.254",
        Framed_IPv6_Prefix="::/0",
        Delegated_IPv6_Prefix="nonsense",
        Framed_IPv6_Address="::",
        Calling_Station_Id='"none"',
    )

    assert (record.session_time_s, record.counter_in, record.counter_out, record.wide) == (None, None, None, False)
    assert (record.framed_ipv4, record.framed_ipv6_prefix) == (None, None)
    assert (record.delegated_ipv6_prefix, record.framed_ipv6_address, record.mac) == (None, None, "")


def test_a_username_with_a_nul_is_kept_escaped_and_matches_nobody():
    record = read("Start", User_Name=r'"anna\000x"')

    assert (record.username, record.username_plain) == (r"anna\000x", False)


@pytest.mark.parametrize(
    ("printed", "read_as"),
    [
        ('"lag-1:10.300"', "lag-1:10.300"),
        (r'"slot=0;port=1 \"a\""', 'slot=0;port=1 "a"'),
        (r'"port\000x"', ""),
        (r'"port\377"', ""),
    ],
)
def test_the_port_is_kept_as_the_device_names_it_beside_the_line_and_not_where_it_is_no_plain_text(printed, read_as):
    record = read("Start", NAS_Port_Id=printed, ADSL_Agent_Circuit_Id="0x6f6c74")

    assert (record.nas_port_id, record.line) == (read_as, "olt")


@pytest.mark.parametrize(
    "attributes",
    [
        {"Alc_Nat_Port_Range": '"203.0.113.5 1024-2047 router base"'},
        {
            "IP_Port_Range_Ext_IPv4_Addr": "203.0.113.5",
            "IP_Port_Range_Range_Start": "1024",
            "IP_Port_Range_Range_End": "2047",
        },
    ],
)
def test_a_block_of_ports_is_read_in_both_spellings(attributes):
    assert read("Start", **attributes).nat == NatBlock("203.0.113.5", 1024, 2047)


@pytest.mark.parametrize("value", ['"203.0.113.5 2047-1024 x"', '"203.0.113.5 1-70000 x"', '"x"', '"999.0.0.1 1-2"'])
def test_a_block_of_ports_that_can_not_be_is_none(value):
    assert read("Start", Alc_Nat_Port_Range=value).nat is None


NAMES = ["Acct-Session-Id", "User-Name", "Acct-Session-Time", "Acct-Input-Octets", "Acct-Input-Gigawords", "Class"]
NAMES += ["Framed-IP-Address", "Framed-IPv6-Prefix", "Event-Timestamp", "Acct-Delay-Time", "ADSL-Agent-Circuit-Id"]
NAMES += ["NAS-Port-Id", "Calling-Station-Id", "Alc-Nat-Port-Range", "Acct-Status-Type"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n\t"), max_size=30)


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS), st.sampled_from(["Start", "Stop", "Interim-Update"]))
def test_no_value_whatever_stops_the_reading(attributes, kind):
    named = {name.replace("-", "_"): value for name, value in attributes.items()}
    for record in read_detail(detail(kind, **named).encode(), start=0).records:
        try:
            found = read_accounting_record(record)
        except ValueError:
            # A hexadecimal value that is none: the spool puts such a record aside.
            assert "0x" in "".join(attributes.values())
            continue
        assert isinstance(found, AccountingRecord | Unusable)

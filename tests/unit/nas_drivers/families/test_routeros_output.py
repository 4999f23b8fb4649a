"""Rows as the manual prints them, to sessions."""

import pytest

from nas_drivers.device_session import DeviceSession
from nas_drivers.families.routeros_output import read_limit, read_session_id, read_sessions, read_uptime_s

ANNA = {
    ".id": "*80000001",
    "name": "anna",
    "service": "pppoe",
    "caller-id": "02:00:5E:00:53:01",
    "address": "100.64.0.7",
    "uptime": "1d2h3m4s",
    "session-id": "0x81A00001",
}


def test_a_session_has_its_rates_in_the_subscriber_s_words_and_the_lists_of_its_address():
    queues = [{"name": "<pppoe-anna>", "max-limit": "30000000/300000000"}, {"name": "uplink", "max-limit": "1/1"}]
    lists = [
        {"list": "walled", "address": "100.64.0.7"},
        {"list": "no-mail", "address": "100.64.0.7", "disabled": "false"},
        {"list": "off", "address": "100.64.0.7", "disabled": "true"},
        {"list": "walled", "address": "100.64.0.8"},
    ]

    assert read_sessions([ANNA], queues, lists) == (
        DeviceSession(
            acct_session_id="81a00001",
            username="anna",
            framed_ipv4="100.64.0.7",
            mac="02005e005301",
            up_s=93_784,
            rate_down_bps=300_000_000,
            rate_up_bps=30_000_000,
            address_lists=("no-mail", "walled"),
        ),
    )


def test_of_two_sessions_of_one_user_the_rates_are_not_known():
    second = {**ANNA, "session-id": "0x81a00002", "address": "100.64.0.8"}
    found = read_sessions([ANNA, second], [{"name": "<pppoe-anna>", "max-limit": "1M/8M"}])

    assert [(one.acct_session_id, one.rate_down_bps) for one in found] == [("81a00001", None), ("81a00002", None)]


def test_what_a_router_does_not_say_is_not_known():
    bare = {"name": "anna", "session-id": "0x1", "caller-id": "ether1", "address": "", "uptime": ""}

    assert read_sessions([bare, {"name": "being set up"}]) == (DeviceSession("1", "anna"),)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("1w", 604_800),
        ("2w3d", 1_468_800),
        ("10m2s500ms", 602),
        ("2d03:04:05", 183_845),
        ("00:00:09", 9),
        ("", None),
        ("soon", None),
    ],
)
def test_an_uptime_is_read_in_both_of_its_forms(text, seconds):
    assert read_uptime_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "down_up"), [("30M/300M", (300_000_000, 30_000_000)), ("64k/0", (0, 64_000)), ("x", None), ("5", None)]
)
def test_a_limit_is_upload_before_download(text, down_up):
    assert read_limit(text) == down_up


def test_a_session_id_is_compared_as_radius_writes_it():
    assert read_session_id("0x81B0000C") == read_session_id("81b0000c") == "81b0000c"

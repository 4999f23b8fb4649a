import pytest
from support.vendor_cases import drivers_as_set

from nas_drivers.policy import SessionPolicy
from radius_hooks.own_attributes import evaluate
from radius_hooks.packet import (
    check_items,
    class_value,
    instead_of_pools,
    merge_own,
    normal_circuit_id,
    normal_mac,
    read_request,
    timeouts,
    within_expiry,
    without_idle_pools,
)
from radius_hooks.policy_records import Level, OwnBlock, ProfileRecord, ReplyItem

SOURCE = ("Corrente-Source", "192.0.2.1 17")


def read(*pairs):
    return read_request((*pairs, SOURCE))


@pytest.mark.parametrize(
    "text",
    [
        "aa:bb:cc:00:11:22", "AA-BB-CC-00-11-22", "aabb.cc00.1122", "AABBCC001122", "aabb-cc00-1122", " AA:BB:CC:00:11:22",
        "AA-BB-CC-00-11-22:ssid", "aa:bb:cc:00:11:22 eth0",
    ],
)  # fmt: skip
def test_a_mac_address_is_known_in_every_usual_spelling(text):
    assert normal_mac(text) == "aabbcc001122"


@pytest.mark.parametrize(
    "text", ["", "aa:bb:cc:00:11", "aa:bb:cc:00:11:2g", "aabbcc0011223", "+39 06 1234", "gg:bb:cc:00:11:22"]
)
def test_what_is_no_mac_address_is_none(text):
    assert normal_mac(text) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0x6f6c742d31", "olt-1"), ("0x00ff", "00ff"), ("0xc3a8", "è"), ("0x610a", "610a"), ("", ""), ("0x", "")],
)
def test_a_circuit_id_is_its_text_when_it_is_one(value, expected):
    assert normal_circuit_id(value) == expected


def test_the_line_is_the_circuit_then_the_port_name_then_the_port():
    port, name, circuit = ("NAS-Port", "7"), ("NAS-Port-Id", "ether1"), ("ADSL-Agent-Circuit-Id", "0x6f6c74")
    assert read(port, name, circuit).line == "olt"
    assert read(port, name).line == "ether1"
    assert read(port).line == "7"
    assert read().line == ""


def test_of_a_repeated_attribute_the_first_counts():
    assert read(("User-Name", "one"), ("User-Name", "two")).username == "one"


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "\x7f", "a\x85", ""])
def test_a_name_with_control_characters_belongs_to_nobody(name):
    request = read(("User-Name", name))
    assert request.username is None
    assert request.username_octets == name.encode()


def test_a_request_as_octets_is_read_back():
    request = read(
        ("Corrente-Raw-User-Name", "0x" + "josé".encode().hex()),
        ("Corrente-Raw-NAS-Port-Id", "0x" + b"port\xff".hex()),
        ("Corrente-Raw-Calling-Station-Id", "0x"),
    )
    assert (request.username, request.line, request.mac) == ("josé", "port\\xff", "")
    assert read(("Corrente-Raw-User-Name", "0xff")).username is None
    assert (request.source, request.packet_id) == ("192.0.2.1", 17)


def test_class_carries_prefix_key_and_version():
    assert class_value(b"\x01" * 16, b"profacct") == "0x" + b"CO1".hex() + "01" * 16 + b"profacct".hex()


def profile(**seconds):
    wanted = {"session_timeout_s": 0, "idle_timeout_s": 0, "interim_interval_s": 0} | seconds
    return ProfileRecord(profile_id=1, name="p", revision=b"1234", reply=(), **wanted)


def times(record, tail, jitter_percent=10):
    return {name: int(value) for name, _, value in timeouts(record, bytes(12) + tail, jitter_percent=jitter_percent)}


def test_jitter_shortens_a_session_and_moves_an_interval_both_ways():
    record = profile(session_timeout_s=1000, idle_timeout_s=300, interim_interval_s=600)
    # The last four octets of the key: two numbers from 0 to 65535.
    assert times(record, b"\x00\x00\x00\x00") == {
        "Session-Timeout": 1000,
        "Idle-Timeout": 300,
        "Acct-Interim-Interval": 540,
    }
    assert times(record, b"\xff\xff\xff\xff") == {
        "Session-Timeout": 900,
        "Idle-Timeout": 300,
        "Acct-Interim-Interval": 660,
    }
    assert times(record, b"\xff\xff\xff\xff", jitter_percent=0)["Session-Timeout"] == 1000


def test_an_interval_is_never_under_a_minute_and_nothing_is_sent_that_is_not_set():
    assert times(profile(interim_interval_s=60), bytes(4)) == {"Acct-Interim-Interval": 60}
    assert times(profile(), bytes(4)) == {}


@pytest.mark.parametrize(
    ("pairs", "time_left_s", "expected"),
    [
        ([("Session-Timeout", ":=", "900")], 600, "600"),
        ([("Session-Timeout", ":=", "900")], 1200, "900"),
        ([("Session-Timeout", "+=", "0")], 600, "600"),
        ([], 600, "600"),
    ],
)
def test_no_session_outlives_its_account(pairs, time_left_s, expected):
    assert within_expiry(pairs, time_left_s) == [("Session-Timeout", ":=", expected)]


def test_a_broken_limit_is_named_and_another_broken_value_only_listed():
    rate, message = ReplyItem("Mikrotik-Rate-Limit", ":=", "", "string"), ReplyItem("Reply-Message", ":=", "", "string")
    odd = ReplyItem("Odd-Name", ":=", "x", "integer")
    assert check_items((rate, message)).broken_limit == "Mikrotik-Rate-Limit"
    assert check_items((message, odd)).broken_limit == ""
    assert check_items((message, odd)).refused == (message, odd)
    assert check_items((odd,), limiting={"Odd-Name"}).broken_limit == "Odd-Name"


def own(*reply):
    return evaluate((OwnBlock((), (), tuple(ReplyItem(*item) for item in reply), False),), ())


def test_an_own_attribute_wins_in_full_service_and_never_over_a_restriction():
    base = (ReplyItem("Mikrotik-Rate-Limit", ":=", "1M/1M", "string"),)
    mine = own(("Mikrotik-Rate-Limit", ":=", "9M/9M", "string"), ("Reply-Message", "=", "hi", "string"))

    def values(level):
        merged = merge_own(base, mine, level=level, protected=frozenset({"Mikrotik-Rate-Limit"}))
        return [(item.name, item.value) for item in merged]

    assert values(Level.FULL) == [("Mikrotik-Rate-Limit", "9M/9M"), ("Reply-Message", "hi")]
    for level in (Level.THROTTLE, Level.WALLED):
        assert values(level) == [("Mikrotik-Rate-Limit", "1M/1M"), ("Reply-Message", "hi")]


@pytest.mark.parametrize("op", ["+=", "-=", "!*", "=="])
def test_no_operator_of_an_own_attribute_undoes_a_restriction(op):
    base = (ReplyItem("Mikrotik-Address-List", ":=", "walled", "string"),)
    mine = own(("Mikrotik-Address-List", op, "walled", "string"))
    assert merge_own(base, mine, level=Level.WALLED, protected=frozenset({"Mikrotik-Address-List"})) == base


POOLS = (
    ("Framed-Pool", "Framed-IP-Address"),
    ("Huawei-Framed-Pool", "Framed-IP-Address"),
    ("Ip-Address-Pool-Name", "Framed-IP-Address"),
    ("Alc-SLAAC-IPv6-Pool", "Framed-IPv6-Prefix"),
    ("ERX-IPv6-NdRa-Pool-Name", "Framed-IPv6-Prefix"),
    ("Alc-Delegated-IPv6-Pool", "Delegated-IPv6-Prefix"),
    ("Huawei-Delegated-IPv6-Prefix-Pool", "Delegated-IPv6-Prefix"),
    ("ERX-IPv6-Delegated-Pool-Name", "Delegated-IPv6-Prefix"),
)


@pytest.mark.parametrize(("pool", "address"), POOLS)
def test_an_own_address_leads_around_a_pool_by_any_vendors_name_and_stands_for_it(pool, address):
    assert address in instead_of_pools([ReplyItem(pool, ":=", "garden", "string")])
    # Nokia ends a login that is told both: RADIUS Attributes Reference Guide 14.0.R4, table 2, Framed-Pool.
    pairs = (("Filter-Id", ":=", "slow"), (pool, ":=", "homes"))
    assert without_idle_pools(pairs, {address}) == pairs[:1]
    assert without_idle_pools(pairs, {"Framed-Route"}) == pairs


def test_ciscos_pool_is_known_by_its_value_and_its_other_pairs_are_left_alone():
    pool = ReplyItem("Cisco-AVPair", "+=", "ip:addr-pool=garden", "string")
    policy = ReplyItem("Cisco-AVPair", "+=", "ip:sub-qos-policy-in=walled-in", "string")

    assert instead_of_pools([policy]) == frozenset()
    assert "Framed-IP-Address" in instead_of_pools([policy, pool])
    pairs = check_items([policy, pool]).pairs
    assert without_idle_pools(pairs, {"Framed-IP-Address"}) == pairs[:1]


def test_every_pool_that_a_vendor_file_sends_is_known_as_one():
    policy = SessionPolicy(ipv4_pool="a", ipv6_pool="b", delegated_ipv6_pool="c")

    for name, driver in drivers_as_set():
        for one in driver.login_attributes(policy):
            if one.value.rpartition("=")[2] in ("a", "b", "c"):
                assert instead_of_pools([ReplyItem(one.name, one.op, one.value, "string")]), (name, one.name)

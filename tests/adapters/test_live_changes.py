"""One checklist for every vendor that can be simulated: what its ladder promises is what a device of that vendor does with the request."""

from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.dictionaries.canonical import canonical_value
from nas_drivers.dictionaries.reader import load_dictionary
from nas_drivers.driver import driver_for
from nas_drivers.policy import Attribute, BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.simulated import codec
from nas_drivers.simulated.behaviour import Change, DeviceBehaviour, End, behaviour_for, behaviour_names
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.wire import Code
from nas_drivers.transport.packets import check_attributes, write_request

DICTIONARY = load_dictionary("/usr/share/freeradius/dictionary")
NAME = st.text("abcdefgh-.0123", min_size=1, max_size=12)
RATE = st.integers(1, 400_000).map(lambda megabits: BitRate(megabits * 1_000_000))
PAIR = st.builds(RatePair, down=RATE, up=RATE)
# Few values each, so that two policies are often alike in most of what they say.
POLICY = st.builds(
    SessionPolicy,
    rate=st.none() | PAIR,
    burst=st.none() | PAIR,
    priority=st.none() | st.integers(1, 8),
    address_lists=st.sampled_from([(), ("walled",), ("walled", "no-mail")]),
    ipv4_pool=st.sampled_from([None, "homes"]),
    delegated_ipv6_pool=st.sampled_from([None, "pd"]),
    filter=st.sampled_from([None, "slow", "fast"]),
    session_timeout_s=st.sampled_from([None, 3600, 7200]),
    idle_timeout_s=st.sampled_from([None, 300]),
    interim_interval_s=st.sampled_from([None, 600, 900]),
)
# Two that differ in what can mostly be changed live.
ALIKE = st.builds(
    lambda old, rate, filter_name: (old, replace(old, rate=rate or old.rate, filter=filter_name or old.filter)),
    POLICY,
    st.none() | PAIR,
    st.sampled_from([None, "slow", "fast"]),
)
TWO = ALIKE | st.tuples(POLICY, POLICY)
# A device that compares Framed-IPv6-Prefix is found by it only when there is no IPv4 address.
IDENTITIES = st.builds(
    SessionIdentity,
    username=st.just("anna"),
    acct_session_id=st.just("81000001"),
    nas_address=st.none() | st.just(IDENTITY.nas_ip_address),
    nas_identifier=st.none() | st.just(IDENTITY.nas_identifier),
    framed_ipv4=st.none() | st.just(IPv4Address("100.64.0.1")),
    mac=st.none() | st.just("0200000000ab"),
    line=st.none() | st.just("eth 1/1:7"),
    class_octets=st.none() | st.just(b"CO1" + bytes(24)),
)
NEW_CLASS: Final = b"CO1" + bytes(16) + b"profile1"
every_vendor = pytest.mark.parametrize("vendor", behaviour_names())
every_detail = pytest.mark.parametrize("detail", [0, 1, 2])


def on_wire(attributes: tuple[Attribute, ...]) -> bytes:
    """The attributes as octets, by FreeRADIUS's dictionary: nothing of our encoder is used."""
    return b"".join(_encoded(attribute) for attribute in attributes)


def _encoded(attribute: Attribute) -> bytes:
    found = DICTIONARY.attribute(attribute.name)
    assert found is not None, attribute
    text = canonical_value(found, attribute.value)
    number = found.number | (found.vendor.number << 8 if found.vendor else 0)
    match found.kind:
        case "string":
            return codec.octets(number, text.replace("\\\\", "\\").encode())
        case "integer":
            return codec.octets(number, struct.pack("!I", int(text)))
        case "octets":
            return codec.octets(number, bytes.fromhex(text[2:]))
        case "ipaddr":
            return codec.octets(number, IPv4Address(text).packed)
        case "ipv6addr":
            return codec.octets(number, IPv6Address(text).packed)
        case "ipv6prefix":
            prefix = IPv6Network(text)
            return codec.octets(number, bytes((0, prefix.prefixlen)) + prefix.network_address.packed)
    raise AssertionError(f"{attribute.name} is {found.kind}")


def behaviour(vendor: str) -> DeviceBehaviour:
    return behaviour_for(vendor)


def asked(vendor: str, code: Code, attributes: tuple[Attribute, ...]) -> object:
    """What a device of that vendor decides that has Anna's session and another one."""
    session = live_session("81000001", "anna", port=0xAB)
    if not behaviour(vendor).habits.upper_case_mac:
        session.calling_station_id = session.calling_station_id.lower()
    other = live_session("81000002", "bruno", address="100.64.0.2", port=8)
    request: Packet = change_request(code, on_wire(attributes))
    return behaviour(vendor).decide(request, table_of(session, other), IDENTITY)


def login(vendor: str, policy: SessionPolicy) -> Terms:
    return behaviour(vendor).login_terms(accept(on_wire(driver_for(vendor).login_attributes(policy))))


@every_vendor
@given(old=st.none() | POLICY, new=st.none() | POLICY)
def test_a_ladder_has_a_first_step_and_no_step_twice(
    vendor: str, old: SessionPolicy | None, new: SessionPolicy | None
) -> None:
    ladder = driver_for(vendor).change_methods(old, new)

    assert ladder
    assert len(set(ladder)) == len(ladder)


@every_vendor
@given(old=st.none() | POLICY)
def test_a_session_that_must_end_is_never_only_changed(vendor: str, old: SessionPolicy | None) -> None:
    ladder = driver_for(vendor).change_methods(old, None)

    assert ladder[0] is Method.DISCONNECT
    assert Method.COA not in ladder


@every_vendor
@given(policy=POLICY, session_timeout_s=st.integers(60, 9999), interim_interval_s=st.integers(60, 9999))
def test_nobody_is_cut_for_what_the_next_login_may_carry(
    vendor: str, policy: SessionPolicy, session_timeout_s: int, interim_interval_s: int
) -> None:
    new = SessionPolicy(
        rate=policy.rate,
        filter=policy.filter,
        ipv4_pool=policy.ipv4_pool,
        session_timeout_s=session_timeout_s,
        interim_interval_s=interim_interval_s,
    )
    old = SessionPolicy(rate=policy.rate, filter=policy.filter, ipv4_pool=policy.ipv4_pool, idle_timeout_s=900)

    assert driver_for(vendor).change_methods(old, new) == (Method.COA,)


@every_vendor
@given(old=st.none() | POLICY, new=POLICY)
def test_a_coa_says_what_the_login_would_say_in_the_same_words(
    vendor: str, old: SessionPolicy | None, new: SessionPolicy
) -> None:
    driver = driver_for(vendor)

    said = driver.change_attributes(new, class_octets=NEW_CLASS)

    allowed = {*driver.login_attributes(new)}
    for attribute in said:
        if attribute.name == "Idle-Timeout":
            assert attribute.value == str(new.idle_timeout_s)
        elif attribute.name == "Class":
            assert attribute.value == "0x" + NEW_CLASS.hex()
        else:
            assert attribute in allowed
    assert on_wire(said) is not None
    assert "Class" not in {attribute.name for attribute in driver.change_attributes(new)}


@every_vendor
@given(two=TWO)
def test_where_coa_comes_first_the_device_then_runs_as_after_a_new_login(
    vendor: str, two: tuple[SessionPolicy, SessionPolicy]
) -> None:
    old, new = two
    driver = driver_for(vendor)
    if driver.change_methods(old, new)[0] is not Method.COA:
        return
    identity = driver.identity_attributes(SessionIdentity("anna", "81000001"), detail=0)

    decided = asked(vendor, Code.COA_REQUEST, identity + driver.change_attributes(new, old=old, class_octets=NEW_CLASS))

    assert isinstance(decided, Change), decided
    assert [session.username for session in decided.sessions] == ["anna"]
    before, after, told = login(vendor, old), login(vendor, new), decided.terms
    assert (told.rates or before.rates) == after.rates
    assert (told.filter or before.filter) == after.filter
    # What a CoA leaves alone must have been right before.
    assert (before.pool, before.delegated_pool, before.address_lists) == (
        after.pool,
        after.delegated_pool,
        after.address_lists,
    )
    if "Class" in {attribute.name for attribute in driver.change_attributes(new, class_octets=NEW_CLASS)}:
        assert told.classes == (NEW_CLASS,)


@every_vendor
@given(two=TWO)
def test_a_session_is_not_cut_where_a_coa_would_do(vendor: str, two: tuple[SessionPolicy, SessionPolicy]) -> None:
    old, new = two
    before, after = login(vendor, old), login(vendor, new)
    same_terms = (before.pool, before.delegated_pool, before.address_lists) == (
        after.pool,
        after.delegated_pool,
        after.address_lists,
    )
    nothing_taken_back = (before.rates is None or after.rates is not None) and (
        before.filter is None or after.filter is not None
    )

    if same_terms and nothing_taken_back:
        assert driver_for(vendor).change_methods(old, new)[0] is Method.COA


@every_vendor
@every_detail
@given(identity=IDENTITIES)
def test_a_device_finds_the_one_session_that_is_meant(vendor: str, detail: int, identity: SessionIdentity) -> None:
    named = driver_for(vendor).identity_attributes(identity, detail=detail)
    # The simulated device writes its MAC addresses in the way of its vendor.
    habit = behaviour(vendor).habits.upper_case_mac
    macs = [one.value for one in named if one.name == "Calling-Station-Id"]

    assert macs in ([], ["02:00:00:00:00:AB" if habit else "02:00:00:00:00:ab"])
    decided = asked(vendor, Code.DISCONNECT_REQUEST, named)
    assert isinstance(decided, End), decided
    assert [session.username for session in decided.sessions] == ["anna"]


@every_vendor
@given(identity=IDENTITIES)
def test_name_and_session_id_are_always_there_and_more_detail_is_more(vendor: str, identity: SessionIdentity) -> None:
    driver = driver_for(vendor)
    usual, fuller, fewest = (driver.identity_attributes(identity, detail=detail) for detail in (0, 1, 2))

    assert {*fewest} <= {*usual} <= {*fuller}
    assert {("User-Name", "anna"), ("Acct-Session-Id", "81000001")} <= {(one.name, one.value) for one in fewest}


@every_vendor
@every_detail
def test_an_ipv6_only_nas_and_session_are_named_by_ipv6(vendor: str, detail: int) -> None:
    identity = SessionIdentity(
        "anna",
        "81000001",
        nas_address=IPv6Address("2001:db8::1"),
        framed_ipv6_prefix=IPv6Network("2001:db8:1::/64"),
    )

    named = driver_for(vendor).identity_attributes(identity, detail=detail)

    assert on_wire(named)
    assert not {"NAS-IP-Address", "Framed-IP-Address"} & {one.name for one in named}


@every_vendor
@every_detail
@given(identity=IDENTITIES, policy=POLICY)
def test_the_sender_can_write_all_that_a_vendor_says(
    vendor: str, detail: int, identity: SessionIdentity, policy: SessionPolicy
) -> None:
    driver = driver_for(vendor)
    said = driver.identity_attributes(identity, detail=detail) + driver.change_attributes(
        policy, class_octets=NEW_CLASS
    )

    written = write_request(43, 1, check_attributes(said), secret=b"secret", timestamp=None, sign=False)

    # pyrad's octets are those of FreeRADIUS's dictionary.
    assert sorted(codec.decode(written.raw).attributes) == sorted(change_request(43, on_wire(said)).attributes)

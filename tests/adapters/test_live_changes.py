"""One checklist for every vendor that can be simulated: what its ladder promises is what a device of that vendor does with the request."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.every import for_every
from support.simulated_device import OneSession, on_wire
from support.simulated_sessions import IDENTITY, change_request

from nas_drivers.driver import driver_for
from nas_drivers.policy import BitRate, Method, RatePair, SessionIdentity, SessionPolicy
from nas_drivers.simulated import codec
from nas_drivers.simulated.behaviour import Change, End, behaviour_for, behaviour_names
from nas_drivers.simulated.requests import station_id
from nas_drivers.simulated.wire import Code
from nas_drivers.transport.packets import check_attributes, write_request

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
    device_policy=st.sampled_from([None, "home-300", "home-100", "walled"]),
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
    nas_port_id=st.none() | st.just("port171"),
    class_octets=st.none() | st.just(b"CO1" + bytes(24)),
)
NEW_CLASS: Final = b"CO1" + bytes(16) + b"profile1"
VENDORS: Final = {vendor: vendor for vendor in behaviour_names()}
every_vendor = pytest.mark.parametrize("vendor", behaviour_names())
every_detail = pytest.mark.parametrize("detail", [0, 1, 2])


@given(old=st.none() | POLICY, new=st.none() | POLICY)
@for_every(VENDORS)
def test_a_ladder_has_a_first_step_and_no_step_twice(
    vendor: str, old: SessionPolicy | None, new: SessionPolicy | None
) -> None:
    ladder = driver_for(vendor).change_methods(old, new)

    assert ladder
    assert len(set(ladder)) == len(ladder)


@given(old=st.none() | POLICY)
@for_every(VENDORS)
def test_a_session_that_must_end_is_never_only_changed(vendor: str, old: SessionPolicy | None) -> None:
    ladder = driver_for(vendor).change_methods(old, None)

    assert ladder[0] is Method.DISCONNECT
    assert Method.COA not in ladder


@given(policy=POLICY, session_timeout_s=st.integers(60, 9999), interim_interval_s=st.integers(60, 9999))
@for_every(VENDORS)
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


@given(old=st.none() | POLICY, new=POLICY)
@for_every(VENDORS)
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
        elif attribute.value.startswith("subscriber:command="):
            # What kind of change it is; no word of a login.
            assert attribute.name == "Cisco-AVPair"
        else:
            assert attribute in allowed
    assert on_wire(said) is not None
    assert "Class" not in {attribute.name for attribute in driver.change_attributes(new)}


@given(two=TWO)
@for_every(VENDORS)
def test_where_coa_comes_first_the_device_then_runs_as_after_a_new_login(
    vendor: str, two: tuple[SessionPolicy, SessionPolicy]
) -> None:
    old, new = two
    driver = driver_for(vendor)
    said = driver.change_attributes(new, old=old, class_octets=NEW_CLASS)
    if driver.change_methods(old, new)[0] is not Method.COA or not said:
        return
    device = OneSession(vendor, old)

    decided = device.asked(Code.COA_REQUEST, device.identified() + said)

    assert isinstance(decided, Change), decided
    assert [session.username for session in decided.sessions] == ["anna"]
    device.carry_out(decided)
    assert device.state() == OneSession(vendor, new).state()
    if "Class" in {attribute.name for attribute in said}:
        assert device.session.classes == (NEW_CLASS,)


@given(two=TWO)
@for_every(VENDORS)
def test_where_a_disconnect_comes_first_a_coa_would_not_do(
    vendor: str, two: tuple[SessionPolicy, SessionPolicy]
) -> None:
    old, new = two
    driver = driver_for(vendor)
    device, wanted = OneSession(vendor, old), OneSession(vendor, new).state()
    if driver.change_methods(old, new)[0] is Method.COA:
        return

    decided = device.asked(Code.COA_REQUEST, device.identified() + driver.change_attributes(new, old=old))

    if isinstance(decided, Change):
        device.carry_out(decided)
    assert device.state() != wanted


@every_detail
@given(identity=IDENTITIES)
@for_every(VENDORS)
def test_a_device_finds_the_one_session_that_is_meant(vendor: str, detail: int, identity: SessionIdentity) -> None:
    named = driver_for(vendor).identity_attributes(identity, detail=detail)
    device = OneSession(vendor, SessionPolicy())
    macs = [one.value for one in named if one.name == "Calling-Station-Id"]

    # As the vendor writes it.
    assert macs in ([], [station_id("0200000000ab", behaviour_for(vendor).habits)])
    decided = device.asked(Code.DISCONNECT_REQUEST, named)
    assert isinstance(decided, End), decided
    assert [session.username for session in decided.sessions] == ["anna"]


@given(identity=IDENTITIES)
@for_every(VENDORS)
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


@every_detail
@given(identity=IDENTITIES, policy=POLICY)
@for_every(VENDORS)
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

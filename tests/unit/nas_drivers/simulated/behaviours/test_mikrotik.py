"""RouterOS: its manual's rate examples, its CoA list, and the awkward answers where the manual is silent."""

from ipaddress import IPv4Address

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, End, Nak
from nas_drivers.simulated.behaviours.mikrotik import BEHAVIOUR, read_rate_limit
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

ANNA = live_session("81000001", "anna")
SESSIONS = table_of(ANNA)
NAME = codec.text(wire.USER_NAME, "anna")


@pytest.mark.parametrize(
    ("limit", "down_bps", "up_bps"),
    [
        # The four examples of the manual; rx is the subscriber's upload.
        ("128k", 128_000, 128_000),
        ("64k/128M", 128_000_000, 64_000),
        ("64k 256k", 64_000, 64_000),
        ("64k/64k 256k/256k 128k/128k 10/10", 64_000, 64_000),
        ("2M/10M 4M/20M 1500k/7500k 16/16 5 512k/1M", 10_000_000, 2_000_000),
        ("1024000/1500500", 1_500_500, 1_024_000),
    ],
)
def test_the_rate_limit_grammar_of_the_manual_is_read(limit: str, down_bps: int, up_bps: int) -> None:
    assert read_rate_limit(limit) == Rates(down_bps, up_bps)


@pytest.mark.parametrize(
    "limit", ["", "fast", "1G/1G", "5M/", "/5M", "5M 5M 5M 1 9", "5M 5M 5M 1 0", "1 1 1 1 1 1 1", "-5M"]
)
def test_what_is_no_rate_limit_is_not_read(limit: str) -> None:
    assert read_rate_limit(limit) is None


def test_a_rate_of_zero_is_no_limit() -> None:
    assert read_rate_limit("0/5M") == Rates(5_000_000, None)


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([NAME, codec.octets(wire.NAS_IP_ADDRESS, bytes([10, 0, 0, 1]))], 403),
        ([codec.text(wire.MIKROTIK_RATE_LIMIT, "5M/5M")], 402),
        ([codec.text(wire.USER_NAME, "nobody")], 503),
        ([NAME, codec.text(wire.ACCT_SESSION_ID, "0x81000001")], 503),
        ([NAME, codec.text(wire.FRAMED_POOL, "walled")], 401),
        ([NAME, codec.text(wire.FRAMED_ROUTE, "192.0.2.0/24 0.0.0.0")], 401),
        ([NAME, codec.text(wire.MIKROTIK_RATE_LIMIT, "1G/1G")], 407),
    ],
)
def test_a_coa_is_refused(attributes: list[bytes], cause: int) -> None:
    assert BEHAVIOUR.decide(change_request(Code.COA_REQUEST, *attributes), SESSIONS, IDENTITY) == Nak(cause)


def test_rate_filter_and_timeouts_are_changed() -> None:
    request = change_request(
        Code.COA_REQUEST,
        NAME,
        codec.octets(wire.FRAMED_IP_ADDRESS, ANNA.address.packed),
        codec.text(wire.MIKROTIK_RATE_LIMIT, "1M/2M"),
        codec.text(wire.FILTER_ID, "slow"),
        codec.whole(wire.SESSION_TIMEOUT, 600),
    )

    decision = BEHAVIOUR.decide(request, SESSIONS, IDENTITY)

    assert isinstance(decision, Change)
    assert decision.changes[0][1].rates == Rates(2_000_000, 1_000_000)
    assert (decision.changes[0][1].filter, decision.changes[0][1].session_timeout_s) == ("slow", 600)


def test_an_address_list_in_a_coa_is_acknowledged_and_does_nothing() -> None:
    request = change_request(
        Code.COA_REQUEST,
        NAME,
        codec.text(wire.MIKROTIK_ADDRESS_LIST, "walled"),
        codec.octets(wire.CLASS, b"new"),
        codec.whole(wire.ACCT_INTERIM_INTERVAL, 60),
    )

    assert BEHAVIOUR.decide(request, SESSIONS, IDENTITY) == Change(((ANNA, Terms()),))


def test_a_disconnect_ends_the_session() -> None:
    assert BEHAVIOUR.decide(change_request(Code.DISCONNECT_REQUEST, NAME), SESSIONS, IDENTITY) == End((ANNA,))


@pytest.mark.parametrize("address", ["127.0.0.1", "224.0.0.1", "255.255.255.254"])
def test_an_address_that_is_none_means_the_routers_own_pool(address: str) -> None:
    packet = accept(codec.octets(wire.FRAMED_IP_ADDRESS, IPv4Address(address).packed))

    assert BEHAVIOUR.login_terms(packet).address is None


def test_a_login_takes_lists_pools_and_address() -> None:
    packet = accept(
        codec.octets(wire.FRAMED_IP_ADDRESS, bytes([192, 0, 2, 1])),
        codec.text(wire.MIKROTIK_RATE_LIMIT, "10M/100M"),
        codec.text(wire.MIKROTIK_ADDRESS_LIST, "walled"),
        codec.text(wire.MIKROTIK_ADDRESS_LIST, "no-mail"),
        codec.text(wire.MIKROTIK_DELEGATED_IPV6_POOL, "pd"),
    )

    terms = BEHAVIOUR.login_terms(packet)

    assert terms.rates == Rates(100_000_000, 10_000_000)
    assert terms.address == IPv4Address("192.0.2.1")
    assert (terms.address_lists, terms.delegated_pool) == (("walled", "no-mail"), "pd")


def test_session_ids_are_eight_hex_digits_with_the_boot_in_the_third() -> None:
    assert BEHAVIOUR.session_id(0, 1) == "81000001"
    assert BEHAVIOUR.session_id(3, 0xABCDE) == "813abcde"
    assert BEHAVIOUR.session_id(16, 1) == BEHAVIOUR.session_id(0, 1)

"""accel-ppp: what its source does with a rate, a CoA and a disconnect."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.accel_ppp import read_shaping
from nas_drivers.simulated.behaviour import Change, Decision, End, Nak
from nas_drivers.simulated.behaviours.accel_ppp import BEHAVIOUR
from nas_drivers.simulated.session import Terms
from nas_drivers.simulated.traffic import Rates
from nas_drivers.simulated.wire import Code

ANNA = live_session("0000000000000001", "anna", "100.64.0.1", 1)
ANNA_TOO = live_session("0000000000000002", "anna", "100.64.0.2", 2)
SESSIONS = table_of(ANNA, ANNA_TOO)
NAME = codec.text(wire.USER_NAME, "anna")
RATE = codec.text(wire.FILTER_ID, "2000/1000")


def _coa(*attributes: bytes) -> Decision:
    return BEHAVIOUR.decide(change_request(Code.COA_REQUEST, *attributes), SESSIONS, IDENTITY)


@pytest.mark.parametrize(
    ("value", "down_bps", "up_bps"),
    [
        ("300000/30000", 300_000_000, 30_000_000),
        ("2000", 2_000_000, 2_000_000),
        ("2000\\1000", 2_000_000, 1_000_000),
        ("2000:1000", 2_000_000, 1_000_000),
        ("3,2000/1000", 2_000_000, 1_000_000),
        ("2M/512K", 2_000_000, 512_000),
        # Ten times too much, as its source has it.
        ("1G/1G", 10_000_000_000, 10_000_000_000),
    ],
)
def test_the_shaper_reads_download_first_in_kbit(value: str, down_bps: int, up_bps: int) -> None:
    assert read_shaping(value) == Rates(down_bps, up_bps)


@pytest.mark.parametrize("value", ["", "walled", "2000/", "2000/1000/500", "-1/1"])
def test_what_the_shaper_cannot_read_leaves_the_rate_alone(value: str) -> None:
    assert read_shaping(value) is None


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([RATE], 503),
        ([codec.text(wire.USER_NAME, "nobody"), RATE], 503),
        ([codec.octets(wire.FRAMED_IP_ADDRESS, bytes([255, 255, 255, 254])), RATE], 503),
        ([NAME, codec.text(wire.NAS_IDENTIFIER, "another"), RATE], 403),
        ([NAME, codec.octets(wire.NAS_IP_ADDRESS, bytes([10, 0, 0, 1])), RATE], 403),
    ],
)
def test_a_coa_is_refused(attributes: list[bytes], cause: int) -> None:
    assert _coa(*attributes) == Nak(cause)


def test_only_the_first_session_of_a_name_is_changed() -> None:
    assert _coa(NAME, RATE) == Change(((ANNA, Terms(rates=Rates(2_000_000, 1_000_000))),))


def test_unknown_attributes_and_unreadable_rates_are_acknowledged_and_change_nothing() -> None:
    assert _coa(NAME, codec.text(wire.MIKROTIK_RATE_LIMIT, "1M/1M"), codec.text(wire.FILTER_ID, "walled")) == Change(
        ((ANNA, Terms()),)
    )


def test_a_class_in_the_request_keeps_the_session_timeout_from_being_read() -> None:
    timeout = codec.whole(wire.SESSION_TIMEOUT, 600)

    assert _coa(NAME, timeout) == Change(((ANNA, Terms(session_timeout_s=600)),))
    assert _coa(NAME, timeout, codec.octets(wire.CLASS, b"new")) == Change(((ANNA, Terms(classes=(b"new",))),))


def test_a_disconnect_ends_the_one_session_that_fits() -> None:
    request = change_request(Code.DISCONNECT_REQUEST, NAME, codec.text(wire.ACCT_SESSION_ID, "0000000000000002"))

    assert BEHAVIOUR.decide(request, SESSIONS, IDENTITY) == End((ANNA_TOO,))


def test_a_filter_is_a_rate_here() -> None:
    terms = BEHAVIOUR.login_terms(accept(RATE))

    assert (terms.rates, terms.filter) == (Rates(2_000_000, 1_000_000), None)


def test_session_ids_are_sixteen_hex_digits() -> None:
    assert BEHAVIOUR.session_id(1, 0x1F) == "000000010000001f"

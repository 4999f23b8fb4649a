"""A device that follows RFC 5176 to the letter: each refusal with its Error-Cause, and what is done otherwise."""

import pytest
from support.simulated_sessions import IDENTITY, accept, change_request, live_session, table_of

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Change, End, Nak
from nas_drivers.simulated.behaviours.generic import BEHAVIOUR
from nas_drivers.simulated.wire import Code

ANNA = live_session("A1", "anna", "100.64.0.1", 1)
ANNA_TOO = live_session("A2", "anna", "100.64.0.2", 2)
BRUNO = live_session("B1", "bruno", "100.64.0.3", 3)
SESSIONS = table_of(ANNA, ANNA_TOO, BRUNO)
NAME = codec.text(wire.USER_NAME, "anna")
BY_ID = codec.text(wire.ACCT_SESSION_ID, "A1")
FILTER = codec.text(wire.FILTER_ID, "walled")
NAS = codec.octets(wire.NAS_IP_ADDRESS, bytes([127, 66, 0, 1]))


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ([NAME, codec.octets(wire.NAS_IP_ADDRESS, bytes([10, 0, 0, 1])), FILTER], 403),
        ([NAME, codec.text(wire.NAS_IDENTIFIER, "another"), FILTER], 403),
        ([NAS, FILTER], 402),
        ([NAME, codec.whole(wire.SERVICE_TYPE, wire.AUTHORIZE_ONLY)], 402),
        ([NAME, codec.whole(wire.SERVICE_TYPE, wire.AUTHORIZE_ONLY), codec.octets(wire.STATE, b"s")], 405),
        ([NAME, codec.text(wire.MIKROTIK_RATE_LIMIT, "5M/5M")], 401),
        ([NAME, FILTER, codec.text(wire.FRAMED_POOL, "walled")], 401),
        ([NAME, codec.octets(wire.SESSION_TIMEOUT, b"\0\1")], 407),
        ([codec.text(wire.USER_NAME, "nobody"), FILTER], 503),
        ([BY_ID, codec.text(wire.USER_NAME, "bruno"), FILTER], 503),
    ],
)
def test_a_coa_is_refused_with_the_cause_of_the_rfc(attributes: list[bytes], cause: int) -> None:
    assert BEHAVIOUR.decide(change_request(Code.COA_REQUEST, *attributes), SESSIONS, IDENTITY) == Nak(cause)


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [([BY_ID, FILTER], 401), ([BY_ID, codec.whole(wire.SESSION_TIMEOUT, 60)], 401), ([NAS], 402)],
)
def test_a_disconnect_may_carry_identification_only(attributes: list[bytes], cause: int) -> None:
    assert BEHAVIOUR.decide(change_request(Code.DISCONNECT_REQUEST, *attributes), SESSIONS, IDENTITY) == Nak(cause)


@pytest.mark.parametrize(
    ("identification", "sessions"),
    [
        ([BY_ID], (ANNA,)),
        ([NAME], (ANNA, ANNA_TOO)),
        ([NAME, codec.octets(wire.FRAMED_IP_ADDRESS, bytes([100, 64, 0, 2]))], (ANNA_TOO,)),
        ([codec.whole(wire.NAS_PORT, 3)], (BRUNO,)),
        ([codec.text(wire.NAS_PORT_ID, "port3")], (BRUNO,)),
        ([codec.text(wire.CALLING_STATION_ID, "02:00:00:00:00:01")], (ANNA,)),
        ([NAS, NAME, BY_ID, codec.whole(wire.EVENT_TIMESTAMP, 1)], (ANNA,)),
    ],
)
def test_every_session_that_fits_all_identification_is_meant(identification: list[bytes], sessions: object) -> None:
    decision = BEHAVIOUR.decide(change_request(Code.DISCONNECT_REQUEST, *identification), SESSIONS, IDENTITY)

    assert decision == End(sessions)  # type: ignore[arg-type]  # a tuple of sessions


def test_what_it_supports_is_changed() -> None:
    request = change_request(
        Code.COA_REQUEST,
        BY_ID,
        FILTER,
        codec.whole(wire.SESSION_TIMEOUT, 600),
        codec.whole(wire.ACCT_INTERIM_INTERVAL, 300),
        codec.octets(wire.CLASS, b"new"),
    )

    decision = BEHAVIOUR.decide(request, SESSIONS, IDENTITY)

    assert isinstance(decision, Change)
    assert decision.sessions == (ANNA,)
    assert decision.changes[0][1].filter == "walled"
    assert (decision.changes[0][1].session_timeout_s, decision.changes[0][1].interim_interval_s) == (600, 300)
    assert decision.changes[0][1].classes == (b"new",)
    assert decision.changes[0][1].rates is None


def test_a_login_takes_rfc_attributes_and_chooses_itself_where_it_is_told_to() -> None:
    packet = accept(
        codec.octets(wire.FRAMED_IP_ADDRESS, bytes([255, 255, 255, 254])),
        codec.text(wire.FRAMED_POOL, "v4"),
        codec.text(wire.MIKROTIK_RATE_LIMIT, "5M/5M"),
        codec.octets(wire.CLASS, b"one"),
        codec.octets(wire.CLASS, b"two"),
    )

    terms = BEHAVIOUR.login_terms(packet)

    assert (terms.address, terms.pool, terms.rates, terms.classes) == (None, "v4", None, (b"one", b"two"))


def test_session_ids_differ_by_boot_and_number() -> None:
    assert BEHAVIOUR.session_id(1, 2) == "0000000100000002"
    assert BEHAVIOUR.session_id(1, 2) != BEHAVIOUR.session_id(2, 2)

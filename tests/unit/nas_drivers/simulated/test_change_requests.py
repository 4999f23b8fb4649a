"""Which change requests are acted on at all, and the form of the answers."""

import pytest
from support.simulated_sessions import SECRET, change_request

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Drop
from nas_drivers.simulated.change_requests import (
    Listener,
    build_answer,
    forge_authenticator,
    forge_code,
    read_change_request,
)
from nas_drivers.simulated.codec import Packet, Signature
from nas_drivers.simulated.wire import Code

NOW = 1_700_000_000.0
NAME = codec.text(wire.USER_NAME, "anna")


def _raw(*attributes: bytes, code: int = Code.COA_REQUEST, secret: bytes = SECRET, signed: bool = False) -> bytes:
    return codec.signed_request(code, 1, NAME + b"".join(attributes), secret, sign=signed)


def _read(raw: bytes, listener: Listener) -> Packet | Drop:
    return read_change_request(raw, "127.0.0.9", listener=listener, epoch_s=NOW)


def _stamp(seconds: int) -> bytes:
    return codec.whole(wire.EVENT_TIMESTAMP, int(NOW) + seconds)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("code", [Code.COA_REQUEST, Code.DISCONNECT_REQUEST])
def test_a_genuine_request_is_read(code: int, signed: bool) -> None:
    read = _read(_raw(code=code, signed=signed), Listener(SECRET))

    assert isinstance(read, Packet)
    assert read.first(wire.USER_NAME) == b"anna"


@pytest.mark.parametrize(
    ("raw", "listener", "reason"),
    [
        (_raw(secret=b"another"), Listener(SECRET), "wrong authenticator"),
        (_raw()[:19], Listener(SECRET), "malformed"),
        (_raw(code=Code.ACCOUNTING_REQUEST), Listener(SECRET), "unexpected code"),
        (_raw(), Listener(SECRET, require_signature=True), "no message authenticator"),
        (
            _raw(codec.octets(wire.MESSAGE_AUTHENTICATOR, bytes(16))),
            Listener(SECRET),
            "wrong message authenticator",
        ),
        (_raw(), Listener(SECRET, allowed_sources=frozenset({"127.0.0.1"})), "source not allowed"),
        (_raw(), Listener(SECRET, event_timestamp_window_s=300), "no event timestamp"),
        (_raw(_stamp(-301)), Listener(SECRET, event_timestamp_window_s=300), "event timestamp outside the window"),
        (_raw(_stamp(301)), Listener(SECRET, event_timestamp_window_s=300), "event timestamp outside the window"),
    ],
)
def test_everything_else_is_dropped_in_silence(raw: bytes, listener: Listener, reason: str) -> None:
    assert _read(raw, listener) == Drop(reason)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_request_inside_the_window_is_read(seconds: int) -> None:
    assert isinstance(_read(_raw(_stamp(seconds)), Listener(SECRET, event_timestamp_window_s=300)), Packet)


@pytest.mark.parametrize(
    ("code", "acknowledged", "answer_code"),
    [
        (Code.COA_REQUEST, True, 44),
        (Code.COA_REQUEST, False, 45),
        (Code.DISCONNECT_REQUEST, True, 41),
        (Code.DISCONNECT_REQUEST, False, 42),
    ],
)
def test_an_answer_has_the_code_of_its_exchange(code: int, acknowledged: bool, answer_code: int) -> None:
    request = change_request(code, NAME)

    raw = build_answer(request, acknowledged=acknowledged, error_cause=None, secret=SECRET, signs=True)

    assert codec.decode(raw).code == answer_code
    assert codec.response_is_genuine(raw, request.authenticator, SECRET)


def test_an_answer_carries_cause_and_proxy_state_and_is_signed_when_the_request_was() -> None:
    states = [codec.octets(wire.PROXY_STATE, b"one"), codec.octets(wire.PROXY_STATE, b"two")]
    request = change_request(Code.COA_REQUEST, NAME, *states, signed=True)

    signed = codec.decode(build_answer(request, acknowledged=False, error_cause=503, secret=SECRET, signs=True))
    never = codec.decode(build_answer(request, acknowledged=False, error_cause=503, secret=SECRET, signs=False))

    assert signed.first(wire.ERROR_CAUSE) == b"\0\0\1\xf7"
    assert signed.all(wire.PROXY_STATE) == (b"one", b"two")
    assert codec.signature_of(signed, request.authenticator, SECRET) is Signature.VALID
    assert codec.signature_of(never, request.authenticator, SECRET) is Signature.ABSENT


def test_a_forged_answer_looks_right_and_is_not_genuine() -> None:
    request = change_request(Code.COA_REQUEST, NAME)
    answer = build_answer(request, acknowledged=True, error_cause=None, secret=SECRET, signs=True)

    forged = forge_authenticator(answer, request, signs=True)

    assert (forged[0], forged[1]) == (44, request.identifier)
    assert not codec.response_is_genuine(forged, request.authenticator, SECRET)


def test_an_answer_with_the_code_of_another_exchange_is_well_signed() -> None:
    request = change_request(Code.COA_REQUEST, NAME)

    forged = forge_code(request, SECRET)

    assert forged[0] == Code.ACCESS_ACCEPT
    assert codec.response_is_genuine(forged, request.authenticator, SECRET)

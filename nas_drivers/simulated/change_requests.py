"""CoA- and Disconnect-Requests from the wire to a genuine request, and decisions back to the wire. Pure.

Source: RFC 5176 sections 2.3, 3.3, 3.4, 3.5 and 6.3.
Next: behaviours/generic.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import Drop
from nas_drivers.simulated.codec import MalformedPacketError, Packet, Signature
from nas_drivers.simulated.reading import number_in
from nas_drivers.simulated.wire import Code

_ANSWERS: Final = {
    Code.COA_REQUEST: (Code.COA_ACK, Code.COA_NAK),
    Code.DISCONNECT_REQUEST: (Code.DISCONNECT_ACK, Code.DISCONNECT_NAK),
}


@dataclass(frozen=True, slots=True)
class Listener:
    """What a device asks of a change request. Units: window seconds; None takes any time, or none at all."""

    secret: bytes
    event_timestamp_window_s: int | None = None
    allowed_sources: frozenset[str] | None = None
    require_signature: bool = False
    require_event_timestamp: bool = True


def read_change_request(raw: bytes, source: str, *, listener: Listener, epoch_s: float) -> Packet | Drop:
    """The request if it may be acted on; `epoch_s` is the device's own clock.

    Everything that fails is discarded in silence, as RFC 5176 wants it: the sender sees a timeout.
    """
    if listener.allowed_sources is not None and source not in listener.allowed_sources:
        return Drop("source not allowed")
    try:
        request = codec.decode(raw)
    except MalformedPacketError:
        return Drop("malformed")
    if request.code not in _ANSWERS:
        return Drop("unexpected code")
    if not codec.request_is_genuine(request, listener.secret):
        return Drop("wrong authenticator")
    signature = codec.signature_of(request, codec.ZERO_AUTHENTICATOR, listener.secret)
    if signature is Signature.INVALID:
        return Drop("wrong message authenticator")
    if signature is Signature.ABSENT and listener.require_signature:
        return Drop("no message authenticator")
    if listener.event_timestamp_window_s is not None:
        stamp = number_in(request, wire.EVENT_TIMESTAMP)
        if stamp is None and listener.require_event_timestamp:
            return Drop("no event timestamp")
        if stamp is not None and abs(stamp - epoch_s) > listener.event_timestamp_window_s:
            return Drop("event timestamp outside the window")
    return request


def build_answer(request: Packet, *, acknowledged: bool, error_cause: int | None, secret: bytes, signs: bool) -> bytes:
    """The ACK or NAK; Proxy-State goes back as it came, a signature only when the request had one."""
    ack, nak = _ANSWERS[Code(request.code)]
    attributes = b"".join(codec.octets(wire.PROXY_STATE, value) for value in request.all(wire.PROXY_STATE))
    if error_cause is not None:
        attributes = codec.whole(wire.ERROR_CAUSE, error_cause) + attributes
    sign = signs and request.first(wire.MESSAGE_AUTHENTICATOR) is not None
    return codec.response(ack if acknowledged else nak, request, attributes, secret, sign=sign)


def forge_authenticator(answer: bytes, request: Packet, *, signs: bool) -> bytes:
    """The same answer as someone would make it who does not know the secret."""
    body = codec.decode(answer)
    attributes = b"".join(
        codec.octets(number, value) for number, value in body.attributes if number != wire.MESSAGE_AUTHENTICATOR
    )
    return codec.response(body.code, request, attributes, b"not the secret", sign=signs)


def forge_code(request: Packet, secret: bytes) -> bytes:
    """A well-signed answer of another exchange: Access-Accept."""
    return codec.response(Code.ACCESS_ACCEPT, request, b"", secret, sign=False)

"""The requests a device makes: what it says of itself, of the line and of the session. Pure; what can be is built once.

Source: RFC 2865, RFC 2866, RFC 2869 sections 5.1 to 5.3.
Next: radius_client.py
"""

from __future__ import annotations

from nas_drivers.simulated import codec, wire
from nas_drivers.simulated.behaviour import DeviceIdentity, Habits
from nas_drivers.simulated.credentials import Method, chap_attributes, mschapv2_attributes, pap_attribute
from nas_drivers.simulated.session import Session, Subscriber
from nas_drivers.simulated.traffic import Counters
from nas_drivers.simulated.wire import Cause, Status

_GIGAWORD_BITS = 32
_LOW = 0xFFFFFFFF


def station_id(mac: str, habits: Habits) -> str:
    """A MAC address as the vendor writes it."""
    digits = "".join(letter for letter in mac if letter.isalnum())
    groups = (digits[at : at + habits.mac_group] for at in range(0, 12, habits.mac_group))
    written = habits.mac_separator.join(groups)
    return written.upper() if habits.upper_case_mac else written.lower()


def line_attributes(subscriber: Subscriber, *, port: int, port_id: str, station: str, habits: Habits) -> bytes:
    """Who dials and over which line: the beginning of every request about a session."""
    parts = [
        codec.text(wire.USER_NAME, subscriber.username),
        codec.whole(wire.SERVICE_TYPE, wire.FRAMED_USER),
        codec.whole(wire.FRAMED_PROTOCOL, wire.PPP),
        codec.whole(wire.NAS_PORT, port),
        codec.whole(wire.NAS_PORT_TYPE, habits.nas_port_type),
        codec.text(wire.NAS_PORT_ID, port_id),
        codec.text(wire.CALLING_STATION_ID, station),
        codec.text(wire.CALLED_STATION_ID, "internet"),
    ]
    if subscriber.circuit_id:
        parts.append(codec.octets(wire.ADSL_AGENT_CIRCUIT_ID, subscriber.circuit_id))
    return b"".join(parts)


def device_attributes(identity: DeviceIdentity) -> bytes:
    """What the device calls itself."""
    return codec.text(wire.NAS_IDENTIFIER, identity.nas_identifier) + codec.octets(
        wire.NAS_IP_ADDRESS, identity.nas_ip_address.packed
    )


def credential_attributes(subscriber: Subscriber, authenticator: bytes, peer_challenge: bytes, secret: bytes) -> bytes:
    """The proof of the password. For CHAP and MS-CHAPv2 the request's authenticator serves as challenge too."""
    password = subscriber.password.encode()
    match subscriber.method:
        case Method.PAP:
            return pap_attribute(password, authenticator, secret)
        case Method.CHAP:
            return chap_attributes(password, authenticator)
        case Method.MSCHAPV2:
            return mschapv2_attributes(subscriber.username.encode(), subscriber.password, authenticator, peer_challenge)


def session_attributes(session: Session, *, class_echoed: bool) -> bytes:
    """What was given to a session, as accounting repeats it."""
    parts = [session.identity, codec.whole(wire.ACCT_AUTHENTIC, wire.AUTHENTIC_RADIUS)]
    parts.append(codec.octets(wire.FRAMED_IP_ADDRESS, session.address.packed))
    if session.framed_ipv6_prefix is not None:
        parts.append(codec.octets(wire.FRAMED_IPV6_PREFIX, session.framed_ipv6_prefix))
    if session.delegated_prefix is not None:
        parts.append(codec.octets(wire.DELEGATED_IPV6_PREFIX, session.delegated_prefix))
    if class_echoed:
        parts += [codec.octets(wire.CLASS, value) for value in session.classes]
    return b"".join(parts)


def counter_attributes(counters: Counters, *, swapped: bool, gigawords: bool) -> bytes:
    """The counters. Input is what came from the subscriber (RFC 2866 section 5.3), the other way round when `swapped`."""
    into, out = counters.octets_up, counters.octets_down
    into_packets, out_packets = counters.packets_up, counters.packets_down
    if swapped:
        into, out, into_packets, out_packets = out, into, out_packets, into_packets
    parts = [
        codec.whole(wire.ACCT_INPUT_OCTETS, into & _LOW),
        codec.whole(wire.ACCT_OUTPUT_OCTETS, out & _LOW),
        codec.whole(wire.ACCT_INPUT_PACKETS, into_packets & _LOW),
        codec.whole(wire.ACCT_OUTPUT_PACKETS, out_packets & _LOW),
    ]
    if gigawords:
        parts.append(codec.whole(wire.ACCT_INPUT_GIGAWORDS, into >> _GIGAWORD_BITS))
        parts.append(codec.whole(wire.ACCT_OUTPUT_GIGAWORDS, out >> _GIGAWORD_BITS))
    return b"".join(parts)


def record_attributes(status: Status, *, session_time_s: int | None, cause: Cause | None, stamp: int | None) -> bytes:
    """What kind of record it is. Units: `stamp` epoch seconds of the device's clock."""
    parts = [codec.whole(wire.ACCT_STATUS_TYPE, status)]
    if session_time_s is not None:
        parts.append(codec.whole(wire.ACCT_SESSION_TIME, session_time_s))
    if cause is not None:
        parts.append(codec.whole(wire.ACCT_TERMINATE_CAUSE, cause))
    if stamp is not None:
        parts.append(codec.whole(wire.EVENT_TIMESTAMP, max(0, stamp) & _LOW))
    return b"".join(parts)

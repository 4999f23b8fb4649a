"""One login: the line it comes over, the request with its proof of password, and the session an accept makes of it. Pure
but for the random numbers of its challenges.

Next: device.py
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Address

from nas_drivers.simulated import codec, requests, wire
from nas_drivers.simulated.behaviour import DeviceBehaviour
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.credentials import Method, mschapv2_success
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.session import Session, Subscriber, Terms
from nas_drivers.simulated.traffic import Meter, Rates
from nas_drivers.simulated.wire import Code


@dataclass(frozen=True, slots=True)
class Line:
    """Where a subscriber dials in. `identity` begins every accounting record, `in_request` the Access-Request."""

    session_id: str
    nas_port: int
    nas_port_id: str
    calling_station_id: str
    identity: bytes
    in_request: bytes


def line_for(subscriber: Subscriber, *, number: int, boot: int, behaviour: DeviceBehaviour, own: bytes) -> Line:
    """The line of the device's `number`-th dial since that boot; `own` is what the device says of itself."""
    habits = behaviour.habits
    session_id = behaviour.session_id(boot, number)
    port, port_id = habits.first_nas_port + number, behaviour.nas_port_id(number)
    station = requests.station_id(subscriber.mac, habits)
    line = own + requests.line_attributes(subscriber, port=port, port_id=port_id, station=station, habits=habits)
    identity = line + codec.text(wire.ACCT_SESSION_ID, session_id)
    return Line(
        session_id=session_id,
        nas_port=port,
        nas_port_id=port_id,
        calling_station_id=station,
        identity=identity,
        in_request=identity if habits.session_id_in_access_request else line,
    )


class Login:
    """An Access-Request that can be made anew for another server, and what its answer is worth."""

    __slots__ = ("_authenticator", "_in_request", "_peer_challenge", "_secret", "_subscriber")

    def __init__(self, subscriber: Subscriber, line: Line, secret: bytes) -> None:
        self._subscriber = subscriber
        self._in_request = line.in_request
        self._secret = secret
        self._authenticator = b""
        self._peer_challenge = os.urandom(16) if subscriber.method is Method.MSCHAPV2 else b""

    def build(self, identifier: int, _: float) -> bytes:
        """The datagram, with a fresh authenticator."""
        self._authenticator = os.urandom(16)
        proof = requests.credential_attributes(
            self._subscriber, self._authenticator, self._peer_challenge, self._secret
        )
        return codec.access_request(identifier, self._authenticator, self._in_request + proof, self._secret)

    def is_accepted_by(self, reply: Packet) -> bool:
        """Whether the reply lets the subscriber in; under MS-CHAPv2 the server must know the password too.

        Source: RFC 2759 section 8.8.
        """
        if reply.code != Code.ACCESS_ACCEPT:
            return False
        if self._subscriber.method is not Method.MSCHAPV2:
            return True
        success = reply.first(wire.MS_CHAP2_SUCCESS)
        username = self._subscriber.username.encode()
        expected = mschapv2_success(self._authenticator, self._peer_challenge, username, self._subscriber.password)
        return success is not None and success[1:].startswith(expected)


def session_of(
    subscriber: Subscriber,
    line: Line,
    terms: Terms,
    *,
    address: IPv4Address,
    pool: str,
    delegated_prefix: bytes | None,
    options: DeviceOptions,
    now: float,
    epoch_s: float,
) -> Session:
    """The session that an accept with these terms begins at `now` (loop's clock), `epoch_s` by the device's own."""
    return Session(
        session_id=line.session_id,
        subscriber=subscriber,
        nas_port=line.nas_port,
        nas_port_id=line.nas_port_id,
        calling_station_id=line.calling_station_id,
        address=address,
        pool=pool,
        meter=Meter(
            terms.rates or Rates(),
            line_bps=options.line_bps,
            load_down=subscriber.load_down,
            load_up=subscriber.load_up,
            now=now,
        ),
        identity=line.identity,
        classes=terms.classes,
        started=now,
        started_at=epoch_s,
        address_lists=terms.address_lists,
        filter=terms.filter,
        policy_up=terms.policy_up,
        policy_down=terms.policy_down,
        services=terms.services or (),
        framed_ipv6_prefix=terms.framed_ipv6_prefix,
        delegated_prefix=delegated_prefix,
        interim_interval_s=terms.interim_interval_s or options.interim_interval_s,
        idle_timeout_s=terms.idle_timeout_s,
    )

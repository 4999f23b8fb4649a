"""Subscribers and their sessions on a simulated device.

Next: behaviour.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from nas_drivers.simulated.credentials import Method
from nas_drivers.simulated.traffic import Counters, Meter, Rates


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Someone who dials. `mac` is twelve hex digits in any form; the loads are shares of the rate it is given."""

    username: str
    password: str = field(repr=False)
    mac: str = "020000000001"
    circuit_id: bytes = b""
    method: Method = Method.PAP
    load_down: float = 0.3
    load_up: float = 0.1


@dataclass(frozen=True, slots=True)
class Terms:
    """What an Access-Accept or a CoA-Request means to this device. None and () mean that it said nothing of it.

    `policy_up` and `policy_down` are the names of what stands ready on the device for each direction, `services` those that
    run then, `rates` what comes of it all. `fails` says why the login comes to nothing: a device may need what it has not got.
    """

    rates: Rates | None = None
    policy_up: str | None = None
    policy_down: str | None = None
    services: tuple[str, ...] | None = None
    fails: str | None = None
    address_lists: tuple[str, ...] = ()
    filter: str | None = None
    pool: str | None = None
    address: IPv4Address | None = None
    framed_ipv6_prefix: bytes | None = None
    ipv6_pool: str | None = None
    delegated_prefix: bytes | None = None
    delegated_pool: str | None = None
    session_timeout_s: int | None = None
    idle_timeout_s: int | None = None
    interim_interval_s: int | None = None
    classes: tuple[bytes, ...] = ()


@dataclass(slots=True, eq=False)
class Session:
    """One session, live until it has ended. `identity` are the attributes that every packet about it begins with.

    Units: times of the event loop's clock; `started_at` epoch seconds of the device's own clock.
    """

    session_id: str
    subscriber: Subscriber
    nas_port: int
    nas_port_id: str
    calling_station_id: str
    address: IPv4Address
    pool: str
    meter: Meter
    identity: bytes
    classes: tuple[bytes, ...]
    started: float
    started_at: float
    address_lists: tuple[str, ...] = ()
    filter: str | None = None
    policy_up: str | None = None
    policy_down: str | None = None
    services: tuple[str, ...] = ()
    framed_ipv6_prefix: bytes | None = None
    delegated_prefix: bytes | None = None
    interim_interval_s: int | None = None
    idle_timeout_s: int | None = None
    expires: float | None = None
    idle_check: float | None = None
    changes: int = 0
    change_pending: bool = False
    ended: bool = False
    ended_with: Counters | None = None

    @property
    def username(self) -> str:
        """The User-Name it logged in with."""
        return self.subscriber.username

    @property
    def rates(self) -> Rates:
        """What it runs at right now."""
        return self.meter.rates

    def take_on(self, terms: Terms, now: float) -> None:
        """Go on under other terms from `now` on; what they leave out stays as it was. Timers are the device's."""
        if terms.rates is not None:
            self.meter.change(terms.rates, now)
        self.filter = self.filter if terms.filter is None else terms.filter
        self.policy_up = self.policy_up if terms.policy_up is None else terms.policy_up
        self.policy_down = self.policy_down if terms.policy_down is None else terms.policy_down
        self.services = self.services if terms.services is None else terms.services
        self.classes = terms.classes or self.classes
        self.idle_timeout_s = terms.idle_timeout_s or self.idle_timeout_s
        self.interim_interval_s = terms.interim_interval_s or self.interim_interval_s

    def idle_at(self, now: float) -> float | None:
        """When nothing will have flowed for its Idle-Timeout, if nothing flows from `now` on; None without a timeout.

        Source: RFC 2865 section 5.28.
        """
        if self.idle_timeout_s is None:
            return None
        quiet_since = self.meter.quiet_since
        return (now if quiet_since is None else quiet_since) + self.idle_timeout_s


class SessionTable:
    """The live sessions of one device, found by what a change request may name."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}
        self._by_name: dict[str, list[Session]] = {}

    def __len__(self) -> int:
        """How many are live."""
        return len(self._by_id)

    def all(self) -> tuple[Session, ...]:
        """Every live session, oldest first."""
        return tuple(self._by_id.values())

    def of(self, username: str) -> tuple[Session, ...]:
        """The live sessions of one user."""
        return tuple(self._by_name.get(username, ()))

    def get(self, session_id: str) -> Session | None:
        """The live session with that id."""
        return self._by_id.get(session_id)

    def add(self, session: Session) -> None:
        """Take a session in; an id is never live twice."""
        assert session.session_id not in self._by_id, session.session_id
        self._by_id[session.session_id] = session
        self._by_name.setdefault(session.username, []).append(session)

    def remove(self, session: Session) -> None:
        """Let go of a session that ended."""
        del self._by_id[session.session_id]
        named = self._by_name[session.username]
        named.remove(session)
        if not named:
            del self._by_name[session.username]

    def candidates(self, session_id: str | None, username: str | None) -> tuple[Session, ...]:
        """The few sessions that can match when one of the two is known, else all."""
        if session_id is not None:
            session = self._by_id.get(session_id)
            return () if session is None else (session,)
        return self.of(username) if username is not None else self.all()

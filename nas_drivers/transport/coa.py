"""Sends CoA- and Disconnect-Requests to many NASes at once from one event loop, and says what became of each.

    sender = ChangeSender()
    outcome = await sender.send(target, ChangeRequest(ChangeCode.COA, attributes), on_packet=traces.append)
    await sender.close()

Every NAS has a queue of its own, with a window and a rate, so that one that is dead or slow holds up nobody else. A request
that is sent again is the same octets from the same port; an answer counts only from the address and port it was asked of,
made with the secret, with a code that fits. An acknowledgement is what the device said, not a proof.

Source: RFC 5176 sections 2.3, 3, 6.3; RFC 5080 section 2.2.1.
Next: udp_ports.py
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Literal

from nas_drivers.errors import NasError
from nas_drivers.policy import Attribute
from nas_drivers.transport.pacing import IdentifierPool, Pace
from nas_drivers.transport.packets import Answer, Written, check_attributes, read_answer, write_request
from nas_drivers.transport.patience import Patience
from nas_drivers.transport.udp_ports import Peer, SourcePort, family_of

# What may wait for one NAS; a whole BRAS is changed in less.
MAX_WAITING: Final = 100_000
# When no source port can be opened, by when to look again.
_NO_PORT_WAIT_S: Final = 1.0
_SHORTEST_WAIT_S: Final = 0.001
# An ICMP error gives back at least the first octets of what it is about: code, identifier, length.
_FEWEST_OCTETS: Final = 4


class ChangeCode(IntEnum):
    """The two requests of RFC 5176."""

    DISCONNECT = 40
    COA = 43


class TooManyWaitingError(NasError):
    """More changes wait for one NAS than MAX_WAITING."""

    retryable = True


@dataclass(frozen=True, slots=True)
class ChangeTarget:
    """One device and how it wants to be spoken to. Units: `rate_per_s` new requests a second.

    `address` and `source_address` are of the same family; without the latter the routing table picks it.
    """

    nas_id: int
    address: str
    port: int
    secret: bytes = field(repr=False)
    source_address: str | None = None
    message_authenticator: bool = True
    event_timestamp: bool = True
    window: int = 16
    rate_per_s: int = 100


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What is asked: the identity of a session and, for a CoA, what it shall have."""

    code: int
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class PacketTrace:
    """One packet on the wire. `attributes` is one `Name = value` a line, what must stay secret as ***."""

    at: datetime
    direction: Literal["sent", "received"]
    code: int
    identifier: int
    peer: str
    attributes: str
    error_cause: int | None = None


@dataclass(frozen=True, slots=True)
class Acked:
    """The device says it is done; 201 as `error_cause` means that a rest of the session had to be removed too."""

    error_cause: int | None = None
    sends: int = 1


@dataclass(frozen=True, slots=True)
class Nacked:
    """The device refused. `sends` over 1 means that an earlier answer may have been lost."""

    error_cause: int | None
    message: str = ""
    sends: int = 1


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No genuine answer. `sends` 0 means that nothing left: what is asked has certainly not happened.

    `refused` means that the machine is there and nothing listens on that port; `withheld` that it was not to leave any
    more.
    """

    sends: int
    refused: bool = False
    withheld: bool = False
    problem: str = ""


Outcome = Acked | Nacked | Unanswered
OnPacket = Callable[[PacketTrace], None]


@dataclass(slots=True, eq=False)
class _Exchange:
    """One request from the queue to its outcome."""

    target: ChangeTarget
    code: int
    checked: tuple[tuple[str, int | str], ...]
    on_packet: OnPacket
    outcome: asyncio.Future[Outcome]
    waits: Iterator[float]
    may_leave: Callable[[], bool]
    pair: tuple[int, int] = (0, 0)
    port: SourcePort | None = None
    written: Written | None = None
    first_sent: float = 0.0
    sends: int = 0
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class _Device:
    """One NAS as seen from one of our addresses: what waits, what is on its way, how fast it may go."""

    peer: Peer
    family: socket.AddressFamily
    source: str | None
    pace: Pace
    identifiers: IdentifierPool = field(default_factory=IdentifierPool)
    first: deque[_Exchange] = field(default_factory=deque)
    waiting: deque[_Exchange] = field(default_factory=deque)
    on_way: dict[tuple[int, int], _Exchange] = field(default_factory=dict)
    heard_at: float = 0.0
    wake: asyncio.TimerHandle | None = None

    @property
    def queue(self) -> deque[_Exchange]:
        """Whose turn it is: what goes first, then what only waits."""
        return self.first or self.waiting


class ChangeSender:
    """One event loop's sender. `discarded` counts datagrams that were no answer, by reason."""

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        chance: Callable[[], float] = random.random,
        epoch_s: Callable[[], float] = time.time,
    ) -> None:
        self.discarded: Counter[str] = Counter()
        self._patience = patience or Patience()
        self._chance = chance
        self._epoch_s = epoch_s
        self._devices: dict[tuple[str | None, Peer], _Device] = {}
        # By family and source address; the first number of an identifier pair counts along such a list.
        self._ports: dict[tuple[int, str | None], list[SourcePort]] = {}

    async def send(
        self,
        target: ChangeTarget,
        request: ChangeRequest,
        *,
        on_packet: OnPacket,
        may_leave: Callable[[], bool] = lambda: True,
        first: bool = False,
    ) -> Outcome:
        """Ask, again and again within RFC 5080's limits, and return what became of it. `first`: before all that waits for this NAS without it.

        `on_packet` is called in the loop's thread, right after each send and before the outcome of an accepted answer;
        `may_leave` right before each send: when it says no, nothing leaves any more and the request is given up.
        Cancelling gives the request up; what has left may still take effect. Where a NAS has answered nobody since a
        request left that is given up, what still waits for it comes back as Unanswered with 0 sends.

        Raises: UnsendableError for what can't be written, TooManyWaitingError.
        """
        device = self._device(target)
        if len(device.waiting) + len(device.first) >= MAX_WAITING:
            raise TooManyWaitingError(f"NAS {target.nas_id}: {MAX_WAITING} changes wait already")
        exchange = _Exchange(
            target=target,
            code=int(request.code),
            checked=check_attributes(request.attributes),
            on_packet=on_packet,
            outcome=asyncio.get_running_loop().create_future(),
            waits=self._patience.waits(self._chance),
            may_leave=may_leave,
        )
        (device.first if first else device.waiting).append(exchange)
        self._pump(device)
        try:
            return await exchange.outcome
        finally:
            self._let_go(device, exchange)

    async def close(self) -> None:
        """Give up all that waits or is on its way, and close the ports."""
        for device in self._devices.values():
            if device.wake is not None:
                device.wake.cancel()
            for exchange in (*device.first, *device.waiting, *device.on_way.values()):
                _settle(exchange, Unanswered(exchange.sends, problem="the sender was closed"))
        for ports in self._ports.values():
            for port in ports:
                port.close()
        self._ports.clear()
        self._devices.clear()

    def _device(self, target: ChangeTarget) -> _Device:
        peer = (_canonical(target.address), target.port)
        device = self._devices.get((target.source_address, peer))
        if device is None:
            device = _Device(peer, family_of(peer[0]), target.source_address, Pace(target.rate_per_s))
            self._devices[(target.source_address, peer)] = device
        device.pace.per_s = target.rate_per_s
        return device

    def _pump(self, device: _Device) -> None:
        """Begin what may begin now, and see to it that the next is looked at in time."""
        if device.wake is not None:
            device.wake.cancel()
            device.wake = None
        now = asyncio.get_running_loop().time()
        while queue := device.queue:
            exchange = queue[0]
            if exchange.outcome.done():
                queue.popleft()
                continue
            if len(device.on_way) >= exchange.target.window:
                return
            wait = device.pace.wait_s(now) or self._begin(device, exchange, now)
            if wait:
                self._wake(device, wait)
                return

    def _begin(self, device: _Device, exchange: _Exchange, now: float) -> float:
        """Take the first one that waits on its way; else how long to wait for an identifier or a port."""
        ports = self._ports.setdefault((device.family, device.source), [])
        pair = device.identifiers.take(now, len(ports))
        if isinstance(pair, float):
            return min(max(pair - now, _SHORTEST_WAIT_S), _NO_PORT_WAIT_S)
        if pair[0] == len(ports):
            try:
                ports.append(self._opened_port(device, pair[0]))
            except OSError as error:
                device.identifiers.give_back(pair, -math.inf)
                if ports:
                    return _NO_PORT_WAIT_S
                where = device.source or "any address"
                _settle(exchange, Unanswered(0, problem=f"no port of {where} can be opened: {error.strerror}"))
                return 0.0
        device.queue.popleft()
        device.pace.take(now)
        device.on_way[pair] = exchange
        exchange.pair, exchange.port, exchange.first_sent = pair, ports[pair[0]], now
        try:
            exchange.written = self._written(exchange)
        except NasError as error:
            exchange.outcome.set_exception(error)
            return 0.0
        self._transmit(device, exchange)
        return 0.0

    def _written(self, exchange: _Exchange) -> Written:
        target = exchange.target
        return write_request(
            exchange.code,
            exchange.pair[1],
            exchange.checked,
            secret=target.secret,
            # The time of the first send, and of no other: a retransmission is the same octets.
            timestamp=int(self._epoch_s()) if target.event_timestamp else None,
            sign=target.message_authenticator,
        )

    def _opened_port(self, device: _Device, number: int) -> SourcePort:
        source = device.source
        return SourcePort(
            device.family,
            source,
            heard=lambda raw, peer: self._hear(raw, peer, source, number),
            refused=lambda raw, peer: self._refuse(raw, peer, source, number),
        )

    def _transmit(self, device: _Device, exchange: _Exchange) -> None:
        if exchange.outcome.done():
            return
        if not exchange.may_leave():
            _settle(exchange, Unanswered(exchange.sends, withheld=True, problem="it is not to leave any more"))
            return
        wait = next(exchange.waits, None)
        if wait is None:
            self._give_up(device, exchange)
            return
        assert exchange.written is not None
        assert exchange.port is not None
        error = exchange.port.send(exchange.written.raw, device.peer)
        if error is not None:
            _settle(exchange, Unanswered(exchange.sends, problem=f"can't be sent: {error.strerror}"))
            return
        exchange.sends += 1
        exchange.timer = asyncio.get_running_loop().call_later(wait, self._transmit, device, exchange)
        self._trace(device, exchange, None)

    def _give_up(self, device: _Device, exchange: _Exchange) -> None:
        _settle(exchange, Unanswered(exchange.sends))
        if device.heard_at < exchange.first_sent:
            # It answers nobody: what waits would only wait in vain, sixteen at a time.
            for waiting in (*device.first, *device.waiting):
                _settle(waiting, Unanswered(0, problem="the NAS answers no request"))

    def _hear(self, raw: bytes, peer: Peer, source: str | None, number: int) -> None:
        device = self._devices.get((source, peer))
        if device is None:
            self.discarded["strange address"] += 1
            return
        exchange = device.on_way.get((number, raw[1])) if len(raw) > 1 else None
        if exchange is None or exchange.outcome.done() or exchange.written is None:
            self.discarded["late, repeated or unknown identifier"] += 1
            return
        answer = read_answer(raw, exchange.written)
        if not isinstance(answer, Answer):
            self.discarded[answer.partition(":")[0]] += 1
            return
        device.heard_at = asyncio.get_running_loop().time()
        self._trace(device, exchange, answer)
        if answer.acknowledged:
            _settle(exchange, Acked(answer.error_cause, exchange.sends))
        else:
            _settle(exchange, Nacked(answer.error_cause, answer.message, exchange.sends))

    def _refuse(self, raw: bytes, peer: Peer, source: str | None, number: int) -> None:
        """Nothing listens there: the network gave our own datagram back, or its first octets."""
        device = self._devices.get((source, peer))
        exchange = device.on_way.get((number, raw[1])) if device is not None and len(raw) >= _FEWEST_OCTETS else None
        if exchange is not None and exchange.written is not None and exchange.written.raw.startswith(raw):
            problem = f"nothing listens on {peer[0]} port {peer[1]}"
            _settle(exchange, Unanswered(exchange.sends, refused=True, problem=problem))

    def _let_go(self, device: _Device, exchange: _Exchange) -> None:
        """The exchange is over, however it ended: its place and, after a while, its identifier are free."""
        if exchange.timer is not None:
            exchange.timer.cancel()
        if device.on_way.get(exchange.pair) is exchange:
            del device.on_way[exchange.pair]
            device.identifiers.give_back(exchange.pair, asyncio.get_running_loop().time())
        self._pump(device)

    def _wake(self, device: _Device, wait_s: float) -> None:
        device.wake = asyncio.get_running_loop().call_later(wait_s, self._pump, device)

    def _trace(self, device: _Device, exchange: _Exchange, answer: Answer | None) -> None:
        """Show the packet that was just sent, or the answer that was just accepted."""
        assert exchange.written is not None
        shown = exchange.written if answer is None else answer
        exchange.on_packet(
            PacketTrace(
                at=datetime.now(UTC),
                direction="sent" if answer is None else "received",
                code=exchange.code if answer is None else answer.code,
                identifier=exchange.pair[1],
                peer=_peer_text(device.peer),
                attributes=shown.attributes,
                error_cause=None if answer is None else answer.error_cause,
            )
        )


@lru_cache(maxsize=65_536)
def _canonical(address: str) -> str:
    """An address in the words in which the system names it."""
    return str(ip_address(address))


def _peer_text(peer: Peer) -> str:
    return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"


def _settle(exchange: _Exchange, outcome: Outcome) -> None:
    if not exchange.outcome.done():
        exchange.outcome.set_result(outcome)

"""Sends requests to RADIUS servers and hears their answers: identifiers, resending, the second server. The edge.

One non-blocking UDP socket holds 256 exchanges; more are opened as they are needed. Of each kind no more than a window is on
its way at once, as on a real device: a burst would only overflow the server's socket. Nothing here is a task: a timer an
exchange and a reader a socket, so that thousands at once cost little and a stop leaves nothing behind.

Source: RFC 2865 section 2.5, RFC 2866 section 5.2, RFC 5080 sections 2.1.1 and 2.2.
Next: device.py
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from nas_drivers.simulated import codec
from nas_drivers.simulated.codec import MalformedPacketError, Packet, Signature
from nas_drivers.simulated.faults import Fault, FaultKind, FaultScript, Traffic
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.statistics import Statistics
from nas_drivers.simulated.wire import MAX_PACKET_OCTETS, Code

IDENTIFIERS: Final = 256
# 64 sockets hold 16,384 exchanges; what comes on top waits in line.
MAX_CHANNELS: Final = 64
# So that a flood of answers does not keep timers from running.
MAX_READS_AT_ONCE: Final = 256
# A server that did not answer is left alone for so long (accel-ppp's fail-time, FreeRADIUS's revive_interval are alike).
DEAD_TIME_S: Final = 60.0
_RECEIVE_BUFFER_OCTETS: Final = 4 << 20
_EXPECTED: Final = {
    Traffic.ACCESS: frozenset({Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE}),
    Traffic.ACCOUNTING: frozenset({Code.ACCOUNTING_RESPONSE}),
}


@dataclass(frozen=True, slots=True)
class RadiusServer:
    """One RADIUS server."""

    host: str
    authentication_port: int = 1812
    accounting_port: int = 1813


@dataclass(slots=True, eq=False)
class Exchange:
    """One request on its way. `build` makes the datagram for an identifier and the seconds since the first send.

    `rebuilt` says that a resend is a new packet (Acct-Delay-Time grew, so the identifier must change) instead of the same
    bytes. `done` gets the genuine answer, or None when the device gave up.
    """

    traffic: Traffic
    build: Callable[[int, float], bytes]
    done: Callable[[Packet | None], None]
    plan: RetryPlan
    rebuilt: bool
    started: float = 0.0
    server: int = 0
    sent: int = 0
    servers_tried: int = 0
    datagram: bytes = b""
    channel: _Channel | None = None
    identifier: int = 0
    deaf: bool = False
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class _Channel:
    """One socket to one server and the exchanges on it."""

    socket: socket.socket
    free: deque[int] = field(default_factory=lambda: deque(range(IDENTIFIERS)))
    pending: dict[int, Exchange] = field(default_factory=dict)


class RadiusClient:
    """All requests of one device."""

    def __init__(
        self,
        *,
        address: str,
        secret: bytes,
        servers: Sequence[RadiusServer],
        require_signature: bool,
        window: int,
        statistics: Statistics,
        faults: FaultScript,
        chance: random.Random,
    ) -> None:
        if not servers:
            raise ValueError("a device without a RADIUS server can't dial")
        self._address = address
        self._secret = secret
        self._servers = tuple(servers)
        self._require_signature = require_signature
        self._window = window
        self._statistics = statistics
        self._faults = faults
        self._chance = chance
        self._channels: dict[tuple[Traffic, int], list[_Channel]] = {}
        self._lines: dict[Traffic, deque[Exchange]] = {traffic: deque() for traffic in _EXPECTED}
        self._held: dict[Traffic, tuple[_Channel, bytes, asyncio.TimerHandle]] = {}
        self._late: set[asyncio.TimerHandle] = set()
        self._dead_until: dict[tuple[Traffic, int], float] = {}
        self._in_flight = dict.fromkeys(_EXPECTED, 0)

    @property
    def waiting(self) -> int:
        """Exchanges that have no answer yet."""
        return sum(self._in_flight.values()) + sum(len(line) for line in self._lines.values())

    def request(
        self,
        traffic: Traffic,
        build: Callable[[int, float], bytes],
        done: Callable[[Packet | None], None],
        *,
        plan: RetryPlan,
        rebuilt: bool,
    ) -> None:
        """Begin an exchange; returns at once."""
        exchange = Exchange(traffic, build, done, plan, rebuilt, started=asyncio.get_running_loop().time())
        exchange.server = self._first_alive(traffic, exchange.started)
        self._place(exchange)

    def close(self) -> None:
        """Drop every exchange without a word and close every socket; a later request opens new ones."""
        loop = asyncio.get_running_loop()
        for channels in self._channels.values():
            for channel in channels:
                for exchange in channel.pending.values():
                    if exchange.timer is not None:
                        exchange.timer.cancel()
                loop.remove_reader(channel.socket)
                channel.socket.close()
        for _, _, handle in self._held.values():
            handle.cancel()
        for handle in self._late:
            handle.cancel()
        self._channels.clear()
        self._held.clear()
        self._late.clear()
        for traffic, line in self._lines.items():
            line.clear()
            self._in_flight[traffic] = 0

    def _first_alive(self, traffic: Traffic, now: float) -> int:
        for index in range(len(self._servers)):
            if self._dead_until.get((traffic, index), 0.0) <= now:
                return index
        return 0

    def _place(self, exchange: Exchange) -> None:
        """Give the exchange an identifier on a socket to its server and send it, or let it wait for one."""
        has_room = self._in_flight[exchange.traffic] < self._window
        channel = self._channel_for(exchange.traffic, exchange.server) if has_room else None
        if channel is None:
            self._lines[exchange.traffic].append(exchange)
            return
        exchange.channel, exchange.identifier = channel, channel.free.popleft()
        channel.pending[exchange.identifier] = exchange
        self._in_flight[exchange.traffic] += 1
        delay_s = asyncio.get_running_loop().time() - exchange.started
        exchange.datagram = exchange.build(exchange.identifier, delay_s)
        self._send(exchange)

    def _channel_for(self, traffic: Traffic, server: int) -> _Channel | None:
        channels = self._channels.setdefault((traffic, server), [])
        for channel in channels:
            if channel.free:
                return channel
        if len(channels) >= MAX_CHANNELS:
            return None
        channel = self._open_channel(traffic, self._servers[server])
        channels.append(channel)
        return channel

    def _open_channel(self, traffic: Traffic, server: RadiusServer) -> _Channel:
        port = server.authentication_port if traffic is Traffic.ACCESS else server.accounting_port
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)
            opened.bind((self._address, 0))
            # Connected, so that the kernel throws away what comes from any other address.
            opened.connect((server.host, port))
        except OSError:
            opened.close()
            raise
        channel = _Channel(opened)
        asyncio.get_running_loop().add_reader(opened, self._read, channel, traffic)
        return channel

    def _send(self, exchange: Exchange) -> None:
        exchange.sent += 1
        exchange.deaf = False
        if exchange.sent > 1:
            self._statistics.resends += 1
        assert exchange.channel is not None
        fault = self._faults.take(exchange.traffic)
        if fault is None:
            self._put_on_wire(exchange.channel, exchange.datagram)
        else:
            self._send_badly(exchange, exchange.channel, fault)
        held = self._held.get(exchange.traffic)
        if held is not None and held[1] is not exchange.datagram:
            self._let_go(exchange.traffic)
        wait_s = exchange.plan.wait_s(exchange.sent, self._chance)
        exchange.timer = asyncio.get_running_loop().call_later(wait_s, self._unanswered, exchange)

    def _send_badly(self, exchange: Exchange, channel: _Channel, fault: Fault) -> None:
        loop = asyncio.get_running_loop()
        match fault.kind:
            case FaultKind.DUPLICATE:
                self._put_on_wire(channel, exchange.datagram)
                self._put_on_wire(channel, exchange.datagram)
            case FaultKind.REPLY_LOST:
                exchange.deaf = True
                self._put_on_wire(channel, exchange.datagram)
            case FaultKind.LATE:
                handle = loop.call_later(fault.delay_s, self._put_on_wire, channel, exchange.datagram)
                self._late.add(handle)
                loop.call_later(fault.delay_s, self._late.discard, handle)
            case FaultKind.REORDER:
                self._let_go(exchange.traffic)
                timer = loop.call_later(fault.delay_s, self._let_go, exchange.traffic)
                self._held[exchange.traffic] = (channel, exchange.datagram, timer)
            case _:
                # Silence: it left the device and was lost on its way.
                return

    def _let_go(self, traffic: Traffic) -> None:
        held = self._held.pop(traffic, None)
        if held is not None:
            channel, datagram, timer = held
            timer.cancel()
            self._put_on_wire(channel, datagram)

    def _put_on_wire(self, channel: _Channel, datagram: bytes) -> None:
        try:
            channel.socket.send(datagram)
        except (ConnectionRefusedError, BlockingIOError):
            # Nobody listens there, or the buffer is full: as good as lost, and sent again in time.
            self._statistics.refused_by_peer += 1

    def _unanswered(self, exchange: Exchange) -> None:
        """The time of one send is over: again, then the next server, then give up."""
        exchange.timer = None
        if exchange.sent < exchange.plan.tries:
            if exchange.rebuilt:
                self._leave(exchange)
                self._place(exchange)
            else:
                self._send(exchange)
            return
        now = asyncio.get_running_loop().time()
        self._dead_until[exchange.traffic, exchange.server] = now + DEAD_TIME_S
        exchange.servers_tried += 1
        self._leave(exchange)
        plan = exchange.plan
        if plan.rounds and exchange.servers_tried >= plan.rounds * len(self._servers):
            exchange.done(None)
            self._serve_line(exchange.traffic)
            return
        if len(self._servers) > 1:
            self._statistics.failovers += 1
        exchange.server = (exchange.server + 1) % len(self._servers)
        exchange.sent = 0
        self._place(exchange)

    def _leave(self, exchange: Exchange) -> None:
        """Give the identifier back."""
        assert exchange.channel is not None
        del exchange.channel.pending[exchange.identifier]
        exchange.channel.free.append(exchange.identifier)
        self._in_flight[exchange.traffic] -= 1

    def _serve_line(self, traffic: Traffic) -> None:
        """Send what waited for a place, the first come first."""
        line = self._lines[traffic]
        while line and self._in_flight[traffic] < self._window:
            exchange = line.popleft()
            self._place(exchange)
            if line and line[-1] is exchange:
                # No identifier is free at its server.
                return

    def _read(self, channel: _Channel, traffic: Traffic) -> None:
        for _ in range(MAX_READS_AT_ONCE):
            if channel.socket.fileno() == -1:
                # What an answer led to closed everything.
                return
            try:
                raw = channel.socket.recv(MAX_PACKET_OCTETS + 1)
            except BlockingIOError:
                return
            except OSError:
                self._statistics.refused_by_peer += 1
                continue
            self._answered(channel, traffic, raw)

    def _answered(self, channel: _Channel, traffic: Traffic, raw: bytes) -> None:
        exchange = channel.pending.get(raw[1]) if len(raw) > 1 else None
        if exchange is None:
            self._statistics.bad_replies["unexpected identifier"] += 1
            return
        if exchange.deaf:
            return
        reply = self._genuine(raw, exchange.datagram[4:20], traffic)
        if isinstance(reply, str):
            self._statistics.bad_replies[reply] += 1
            return
        if exchange.timer is not None:
            exchange.timer.cancel()
        self._dead_until.pop((traffic, exchange.server), None)
        self._leave(exchange)
        taken_s = asyncio.get_running_loop().time() - exchange.started
        latencies = self._statistics.login_latency if traffic is Traffic.ACCESS else self._statistics.accounting_latency
        latencies.add(taken_s)
        exchange.done(reply)
        self._serve_line(traffic)

    def _genuine(self, raw: bytes, authenticator: bytes, traffic: Traffic) -> Packet | str:
        """The reply, or why it is thrown away."""
        try:
            reply = codec.decode(raw)
        except MalformedPacketError:
            return "malformed"
        if reply.code not in _EXPECTED[traffic]:
            return "unexpected code"
        if not codec.response_is_genuine(reply.raw, authenticator, self._secret):
            return "wrong response authenticator"
        signature = codec.signature_of(reply, authenticator, self._secret)
        if signature is Signature.INVALID:
            return "wrong message authenticator"
        if signature is Signature.ABSENT and traffic is Traffic.ACCESS and self._require_signature:
            return "no message authenticator"
        return reply

"""A packet generator that can saturate FreeRADIUS from one process: pre-built packets, batches, windows.

Each lane has one source port, as a NAS has them: at most 256 requests are out at once because the identifier has one
octet. A request that is not answered is sent again, unchanged, and is lost when that did not help either. Replies are
matched by lane and identifier; a sample of them is checked with the shared secret after the clock has stopped.

The generator rests a little between rounds so that it works in batches and leaves the cores to the server: at 40,000
answers a second a rest of 0.5 ms is 20 packets, out of several hundred that are under way. Latencies are therefore
up to one rest too long, for every server alike.

Units: *_s seconds, latencies in microseconds.
Next: rivals.py
"""

from __future__ import annotations

import contextlib
import socket
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from benchmarks.datagrams import Inbox, Outbox
from benchmarks.packets import is_genuine

IDENTIFIERS: Final = 256
_NEVER: Final = 0
# How often unanswered requests are looked for.
_RESEND_CHECK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How to load a server. `timeout_s` and `tries` are what a NAS would have configured."""

    target: tuple[str, int]
    secret: bytes
    window: int = 128
    duration_s: float = 5.0
    timeout_s: float = 1.1
    tries: int = 5
    rest_s: float = 0.0005
    repeat: bool = True
    sample_every: int = 97


@dataclass(slots=True)
class LoadResult:
    """What came of it. `answered` counts by reply code, within the clock; `lost` were never answered."""

    elapsed_s: float = 0.0
    sent: int = 0
    resent: int = 0
    lost: int = 0
    strays: int = 0
    forged: int = 0
    checked: int = 0
    cpu_s: float = 0.0
    answered: dict[int, int] = field(default_factory=dict)
    latencies_us: array[int] = field(default_factory=lambda: array("I"))

    @property
    def answers(self) -> int:
        return sum(self.answered.values())

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.elapsed_s if self.elapsed_s else 0.0

    def percentile_ms(self, share: float) -> float:
        """The latency that `share` of the answers stayed within, first transmission to answer. Units: milliseconds."""
        if not self.latencies_us:
            return 0.0
        ordered = sorted(self.latencies_us)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000


class Port:
    """One source port with its requests under way; `first_sent` and `last_sent` hold a clock by identifier."""

    def __init__(self, plan: LoadPlan, *, source: str) -> None:
        self.plan = plan
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((source, 0))
        self.socket.connect(plan.target)
        self.first_sent = [_NEVER] * IDENTIFIERS
        self.last_sent = [_NEVER] * IDENTIFIERS
        self.sends = [0] * IDENTIFIERS
        self.under_way = 0
        # Identifiers that were sent more than once: their next answer may belong to the packet before.
        self.doubtful: set[int] = set()

    def left(self, identifier: int, now: int) -> None:
        """A new request was sent."""
        self.first_sent[identifier] = self.last_sent[identifier] = now
        self.sends[identifier] = 1
        self.under_way += 1

    def give_up(self, identifier: int) -> None:
        """No answer is expected any more."""
        self.first_sent[identifier] = _NEVER
        self.under_way -= 1


class Lane(Protocol):
    """What is sent from one port: which requests, in which order."""

    port: Port
    # Whether answers may bring it more to send while the last ones are waited for.
    grows: bool

    def request(self, identifier: int) -> bytes:
        """The request that is under way with that identifier."""

    def send_more(self, now: int) -> int:
        """Fill the window; returns how many requests left."""

    def freed(self, identifier: int) -> None:
        """The identifier may be used again: its request was answered or given up."""

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to be sent."""


class BuiltLane:
    """A lane whose packets are all made beforehand; they are sent in order, again and again when the plan says so."""

    grows = False

    def __init__(self, plan: LoadPlan, packets: Sequence[bytes], *, source: str = "127.0.0.1") -> None:
        self.port = Port(plan, source=source)
        self._packets = packets
        self._outbox = Outbox(packets)
        self._identifiers = bytes(packet[1] for packet in packets)
        self._next = 0
        self._index_of = [0] * IDENTIFIERS

    def request(self, identifier: int) -> bytes:
        return self._packets[self._index_of[identifier]]

    def send_more(self, now: int) -> int:
        port = self.port
        if self._next == len(self._packets):
            if not port.plan.repeat:
                return 0
            self._next = 0
        first, busy = self._next, port.first_sent
        last = min(first + port.plan.window - port.under_way, len(self._packets))
        end = first
        while end < last and not busy[self._identifiers[end]]:
            end += 1
        if end == first:
            return 0
        taken = self._outbox.send(port.socket, first, end - first)
        for index in range(first, first + taken):
            identifier = self._identifiers[index]
            port.left(identifier, now)
            self._index_of[identifier] = index
        self._next += taken
        return taken

    def freed(self, identifier: int) -> None:
        """Its packets carry their identifiers; `send_more` looks which are free."""

    @property
    def exhausted(self) -> bool:
        return not self.port.plan.repeat and self._next == len(self._packets)


class QueueLane:
    """A lane whose packets are made while the clock runs, from what an earlier answer said.

    `make(item, identifier)` gives the packet once an identifier is free.
    """

    grows = True

    def __init__(self, plan: LoadPlan, make: Callable[[object, int], bytes], *, source: str = "127.0.0.1") -> None:
        self.port = Port(plan, source=source)
        self.queue: deque[object] = deque()
        self._make = make
        self._free = deque(range(IDENTIFIERS))
        self._requests = [b""] * IDENTIFIERS
        self.closed = False

    def request(self, identifier: int) -> bytes:
        return self._requests[identifier]

    def send_more(self, now: int) -> int:
        port, sent = self.port, 0
        while self.queue and self._free and port.under_way < port.plan.window:
            identifier = self._free.popleft()
            packet = self._make(self.queue.popleft(), identifier)
            self._requests[identifier] = packet
            port.socket.send(packet)
            port.left(identifier, now)
            sent += 1
        return sent

    def freed(self, identifier: int) -> None:
        self._free.append(identifier)

    @property
    def exhausted(self) -> bool:
        return self.closed and not self.queue


OnReply = Callable[[bytes, bytes], None]


class Generator:
    """Runs the lanes against one server. `on_reply(request, reply)` sees each answer when it is given."""

    def __init__(self, plan: LoadPlan, lanes: Sequence[Lane], *, on_reply: OnReply | None = None) -> None:
        self._plan = plan
        self._lanes = lanes
        self._on_reply = on_reply
        self._inbox = Inbox()
        self._samples: list[tuple[bytes, bytes]] = []
        self._seen = 0
        self.result = LoadResult()

    def run(self) -> LoadResult:
        """Load the server until the time is up or nothing is left, then wait for what is still under way."""
        clock, plan, result = time.monotonic_ns, self._plan, self.result
        started, cpu = clock(), time.process_time()
        ends = started + int(plan.duration_s * 1e9)
        next_check = started
        while (now := clock()) < ends:
            moved = sum(self._round(lane, sending=True) for lane in self._lanes)
            if now >= next_check:
                next_check = now + int(_RESEND_CHECK_S * 1e9)
                self._resend(now)
                if not moved and all(lane.exhausted and not lane.port.under_way for lane in self._lanes):
                    break
            time.sleep(plan.rest_s)
        result.cpu_s = time.process_time() - cpu
        result.elapsed_s = (clock() - started) / 1e9
        counted = dict(result.answered)
        self._drain()
        if all(lane.exhausted for lane in self._lanes):
            # Everything was sent: the answers count, however late, and so does the time they took.
            result.elapsed_s = (clock() - started) / 1e9
        else:
            result.answered = counted
        self._check_samples()
        return result

    def step(self, *, sending: bool = True) -> int:
        """One round over all lanes without the clock of `run`; returns how many packets moved."""
        return sum(self._round(lane, sending=sending) for lane in self._lanes)

    def _drain(self) -> None:
        patience_s = max(lane.port.plan.timeout_s * lane.port.plan.tries for lane in self._lanes)
        deadline = time.monotonic_ns() + int(patience_s * 1e9) + 10**8
        while any(lane.port.under_way for lane in self._lanes) and time.monotonic_ns() < deadline:
            for lane in self._lanes:
                self._round(lane, sending=lane.grows)
            self._resend(time.monotonic_ns())
            time.sleep(self._plan.rest_s)
        self.result.lost += sum(lane.port.under_way for lane in self._lanes)

    def _round(self, lane: Lane, *, sending: bool) -> int:
        port = lane.port
        got = self._receive(lane) if port.under_way else 0
        if sending and port.under_way < port.plan.window:
            sent = lane.send_more(time.monotonic_ns())
            self.result.sent += sent
            return got + sent
        return got

    def _receive(self, lane: Lane) -> int:
        inbox, result, port = self._inbox, self.result, lane.port
        got = inbox.receive(port.socket)
        if not got:
            return 0
        now = time.monotonic_ns()
        codes, identifiers = inbox.octets_at(0, got), inbox.octets_at(1, got)
        first_sent, latencies, answered = port.first_sent, result.latencies_us, result.answered
        for index in range(got):
            identifier, code = identifiers[index], codes[index]
            sent_at = first_sent[identifier]
            if not sent_at or (identifier in port.doubtful and not self._belongs(lane, identifier, index)):
                result.strays += 1
                continue
            first_sent[identifier] = _NEVER
            port.under_way -= 1
            latencies.append((now - sent_at) // 1000)
            answered[code] = answered.get(code, 0) + 1
            self._seen += 1
            if self._seen % self._plan.sample_every == 0:
                self._samples.append((lane.request(identifier), inbox.datagram(index)))
            if self._on_reply is not None:
                self._on_reply(lane.request(identifier), inbox.datagram(index))
            lane.freed(identifier)
        return got

    def _belongs(self, lane: Lane, identifier: int, index: int) -> bool:
        return is_genuine(self._inbox.datagram(index), lane.request(identifier), self._plan.secret)

    def _resend(self, now: int) -> None:
        for lane in self._lanes:
            port = lane.port
            if not port.under_way:
                continue
            overdue = now - int(port.plan.timeout_s * 1e9)
            for identifier in range(IDENTIFIERS):
                if not port.first_sent[identifier] or port.last_sent[identifier] > overdue:
                    continue
                port.doubtful.add(identifier)
                if port.sends[identifier] >= port.plan.tries:
                    port.give_up(identifier)
                    lane.freed(identifier)
                    self.result.lost += 1
                    continue
                # Nobody may be listening at this moment: that is what the next try is for.
                with contextlib.suppress(ConnectionRefusedError):
                    port.socket.send(lane.request(identifier))
                port.last_sent[identifier] = now
                port.sends[identifier] += 1
                self.result.resent += 1

    def _check_samples(self) -> None:
        self.result.checked = len(self._samples)
        self.result.forged = sum(not is_genuine(reply, request, self._plan.secret) for request, reply in self._samples)

    def close(self) -> None:
        """Close the sockets."""
        for lane in self._lanes:
            lane.port.socket.close()


def run_load(plan: LoadPlan, packets_by_lane: Sequence[Sequence[bytes]]) -> LoadResult:
    """Send pre-built packets by one lane each and count what comes back."""
    generator = Generator(plan, [BuiltLane(plan, packets) for packets in packets_by_lane])
    try:
        return generator.run()
    finally:
        generator.close()

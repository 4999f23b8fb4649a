"""The socket on which a device hears CoA- and Disconnect-Requests, with the faults of its script. The edge.

Next: device.py
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Final

from nas_drivers.simulated.behaviour import Change, Decision, DeviceBehaviour, DeviceIdentity, Drop, End, Nak
from nas_drivers.simulated.change_requests import (
    Listener,
    build_answer,
    forge_authenticator,
    forge_code,
    read_change_request,
)
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.faults import Fault, FaultKind, FaultScript, Traffic
from nas_drivers.simulated.options import OnDatagram, Source
from nas_drivers.simulated.session import Session, SessionTable
from nas_drivers.simulated.statistics import Statistics
from nas_drivers.simulated.wire import MAX_PACKET_OCTETS, Code, ErrorCause

MAX_READS_AT_ONCE: Final = 256
# Answers kept for repeated requests; RFC 5080 section 2.2.2 wants seconds, this is minutes of a busy worker.
MAX_KEPT_ANSWERS: Final = 4096
_RECEIVE_BUFFER_OCTETS: Final = 4 << 20

_Key = tuple[Source, int, bytes]


class ChangeListener:
    """Hears, decides by the vendor's behaviour, lets the device apply, and answers."""

    def __init__(
        self,
        *,
        address: str,
        port: int,
        listener: Listener,
        behaviour: DeviceBehaviour,
        identity: DeviceIdentity,
        sessions: SessionTable,
        faults: FaultScript,
        statistics: Statistics,
        epoch_s: Callable[[], float],
        apply: Callable[[Change | End], None],
        delay_s: float,
        on_datagram: OnDatagram | None = None,
    ) -> None:
        self.listener = listener
        self.port = port
        self._address = address
        self._behaviour = behaviour
        self._identity = identity
        self._sessions = sessions
        self._faults = faults
        self._statistics = statistics
        self._epoch_s = epoch_s
        self._apply = apply
        self._delay_s = delay_s
        self._on_datagram = on_datagram
        self._socket: socket.socket | None = None
        self._strange_socket: socket.socket | None = None
        self._answered: OrderedDict[_Key, bytes | None] = OrderedDict()
        self._held: tuple[bytes, Source, asyncio.TimerHandle] | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def open(self) -> None:
        """Listen. A port of 0 is replaced by the one the system chose."""
        opened = _bound(self._address, self.port)
        self.port = opened.getsockname()[1]
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened, self._read, opened)

    def close(self) -> None:
        """Go deaf: what was being worked on is dropped."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._held is not None:
            self._held[2].cancel()
            self._held = None
        self._answered.clear()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._strange_socket is not None:
            self._strange_socket.close()
            self._strange_socket = None

    def _read(self, opened: socket.socket) -> None:
        for _ in range(MAX_READS_AT_ONCE):
            try:
                raw, source = opened.recvfrom(MAX_PACKET_OCTETS + 1)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                # The sender of an earlier request has gone away.
                continue
            self._received(raw, (source[0], source[1]))
            if self._socket is not opened:
                return

    def _received(self, raw: bytes, source: Source) -> None:
        if self._on_datagram is not None:
            self._on_datagram(True, raw, source)
        request = read_change_request(raw, source[0], listener=self.listener, epoch_s=self._epoch_s())
        if isinstance(request, Drop):
            self._drop(request.reason)
            return
        key = (source, request.identifier, request.authenticator)
        if self._behaviour.habits.repeats_answers and key in self._answered:
            self._repeat(key, source)
            return
        traffic = Traffic.DISCONNECT if request.code == Code.DISCONNECT_REQUEST else Traffic.COA
        fault = self._faults.take(traffic)
        if fault is not None and fault.kind is FaultKind.SILENCE:
            self._drop("fault: silence")
            return
        decision = self._decide(request, fault)
        if isinstance(decision, Drop):
            self._drop(decision.reason)
            return
        self._keep(key, None)
        if self._delay_s <= 0:
            self._carry_out(request, source, decision, fault)
            return
        for session in _sessions_of(decision):
            session.change_pending = True
        self._later(self._delay_s, lambda: self._carry_out(request, source, decision, fault))

    def _decide(self, request: Packet, fault: Fault | None) -> Decision:
        decision = self._behaviour.decide(request, self._sessions, self._identity)
        pending = any(session.change_pending for session in _sessions_of(decision))
        if pending and self._behaviour.habits.drops_while_pending:
            return Drop("another change is being worked on")
        if fault is not None and fault.kind is FaultKind.NAK:
            return Nak(fault.error_cause)
        return decision

    def _carry_out(self, request: Packet, source: Source, decision: Decision, fault: Fault | None) -> None:
        """Do what was decided and answer, in the vendor's order."""
        for session in _sessions_of(decision):
            session.change_pending = False
        decision = _without_ended(decision)
        answer = build_answer(
            request,
            acknowledged=not isinstance(decision, Nak),
            error_cause=decision.error_cause if isinstance(decision, Nak) else None,
            secret=self.listener.secret,
            signs=self._behaviour.habits.signs_answers,
        )
        self._keep((source, request.identifier, request.authenticator), answer)
        kind = "disconnect" if request.code == Code.DISCONNECT_REQUEST else "coa"
        verdict = f"nak {decision.error_cause or ''}".strip() if isinstance(decision, Nak) else "ack"
        self._statistics.changes_answered[f"{kind} {verdict}"] += 1
        early = isinstance(decision, End) and self._behaviour.habits.acks_before_end
        if early:
            self._answer(request, answer, source, fault)
        effective = fault is None or fault.kind is not FaultKind.ACK_ONLY
        if effective and isinstance(decision, Change | End):
            self._apply(decision)
        if not early:
            self._answer(request, answer, source, fault)

    def _answer(self, request: Packet, answer: bytes, source: Source, fault: Fault | None) -> None:
        kind = None if fault is None else fault.kind
        delay_s = 0.0 if fault is None else fault.delay_s
        match kind:
            case FaultKind.REPLY_LOST:
                pass
            case FaultKind.LATE:
                self._later(delay_s, lambda: self._put_on_wire(answer, source))
            case FaultKind.DUPLICATE:
                self._put_on_wire(answer, source)
                self._put_on_wire(answer, source)
            case FaultKind.REORDER:
                self._let_go()
                timer = asyncio.get_running_loop().call_later(delay_s, self._let_go)
                self._held = (answer, source, timer)
                return
            case FaultKind.WRONG_AUTHENTICATOR | FaultKind.WRONG_SOURCE | FaultKind.WRONG_CODE:
                assert fault is not None
                self._forge(request, answer, source, fault)
            case _:
                self._put_on_wire(answer, source)
        self._let_go()

    def _forge(self, request: Packet, answer: bytes, source: Source, fault: Fault) -> None:
        signs = self._behaviour.habits.signs_answers
        if fault.kind is FaultKind.WRONG_AUTHENTICATOR:
            self._put_on_wire(forge_authenticator(answer, request, signs=signs), source)
        elif fault.kind is FaultKind.WRONG_CODE:
            self._put_on_wire(forge_code(request, self.listener.secret), source)
        else:
            if self._strange_socket is None:
                self._strange_socket = _bound(str(IPv4Address(int(IPv4Address(self._address)) ^ 1)), 0)
            self._strange_socket.sendto(answer, source)
        if fault.then_genuine:
            self._put_on_wire(answer, source)

    def _repeat(self, key: _Key, source: Source) -> None:
        """The same request once more. Source: RFC 5080 section 2.2.2."""
        kept = self._answered[key]
        if kept is None:
            self._drop("repeated while being worked on")
        else:
            self._put_on_wire(kept, source)

    def _keep(self, key: _Key, answer: bytes | None) -> None:
        if self._behaviour.habits.repeats_answers:
            self._answered[key] = answer
            while len(self._answered) > MAX_KEPT_ANSWERS:
                self._answered.popitem(last=False)

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        def act() -> None:
            self._timers.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(delay_s, act)
        self._timers.add(handle)

    def _let_go(self) -> None:
        if self._held is not None:
            answer, source, timer = self._held
            self._held = None
            timer.cancel()
            self._put_on_wire(answer, source)

    def _put_on_wire(self, answer: bytes, source: Source) -> None:
        if self._socket is None:
            return
        if self._on_datagram is not None:
            self._on_datagram(False, answer, source)
        try:
            self._socket.sendto(answer, source)
        except (BlockingIOError, ConnectionRefusedError):
            self._statistics.refused_by_peer += 1

    def _drop(self, reason: str) -> None:
        self._statistics.changes_dropped[reason] += 1


def _bound(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)
        opened.bind((address, port))
    except OSError:
        opened.close()
        raise
    return opened


def _sessions_of(decision: Decision) -> tuple[Session, ...]:
    return decision.sessions if isinstance(decision, Change | End) else ()


def _without_ended(decision: Decision) -> Decision:
    """The decision for the sessions still live: they may have ended while it was being worked on."""
    if not isinstance(decision, Change | End):
        return decision
    if decision.sessions and all(session.ended for session in decision.sessions):
        return Nak(ErrorCause.SESSION_NOT_FOUND)
    if isinstance(decision, Change):
        return Change(tuple((session, terms) for session, terms in decision.changes if not session.ended))
    return End(tuple(session for session in decision.sessions if not session.ended))

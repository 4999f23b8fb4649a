"""A simulated access device (BRAS): the whole of it, for demo, tests and benchmarks.

    nas = SimulatedNas(
        "127.66.0.1", b"its secret", vendor="mikrotik",
        servers=[RadiusServer("127.0.0.1", 1812, 1813)],
        subscribers=[Subscriber("anna", "her password", mac="02:00:5e:00:53:01")],
        options=DeviceOptions(name="tower-north", coa_port=3799),
    )
    await nas.start()                      # opens its sockets, announces its boot
    result = await nas.dial(rate_per_s=50) # everyone, or: nas.dial([anna]); DialResult(accepted, rejected, unanswered)
    nas.faults.add(Fault(FaultKind.NAK, on={Traffic.COA}, error_cause=503, times=1))
    nas.sessions.of("anna")[0].rates       # what she runs at right now
    nas.snapshot()                         # counters and latencies
    await nas.reboot(down_s=1, reuse_ids=True)
    await nas.drain(timeout_s=5)           # until every request is answered
    await nas.stop()                       # nothing is left open

Many devices live in one event loop, each with its own loopback address: everything it sends comes from there. Sessions
send Start, Interim-Update at the interval they were given, and Stop (after their Session- or Idle-Timeout by themselves), with
counters that follow their rate. CoA- and
Disconnect-Requests are obeyed as the vendor's device would (behaviours/), and break as its script says (faults.py).

Units: seconds, bit/s, octets.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from nas_drivers.simulated import requests
from nas_drivers.simulated.accountant import Accountant, counters_of
from nas_drivers.simulated.addresses import OWN_POOL, PoolEmptyError, Pools
from nas_drivers.simulated.behaviour import Change, DeviceIdentity, End, behaviour_for
from nas_drivers.simulated.change_listener import ChangeListener
from nas_drivers.simulated.change_requests import Listener
from nas_drivers.simulated.codec import Packet
from nas_drivers.simulated.faults import FaultScript, Traffic
from nas_drivers.simulated.logins import Line, Login, line_for, session_of
from nas_drivers.simulated.options import DeviceOptions
from nas_drivers.simulated.radius_client import RadiusClient, RadiusServer
from nas_drivers.simulated.session import Session, SessionTable, Subscriber, Terms
from nas_drivers.simulated.statistics import Snapshot, Statistics, take_snapshot
from nas_drivers.simulated.traffic import Counters
from nas_drivers.simulated.wire import Cause, Status

_DRAIN_POLL_S: Final = 0.01
_PACING_S: Final = 0.01


@dataclass(slots=True)
class DialResult:
    """What became of a number of logins."""

    accepted: int = 0
    rejected: int = 0
    unanswered: int = 0

    @property
    def total(self) -> int:
        """How many are settled."""
        return self.accepted + self.rejected + self.unanswered


class SimulatedNas:
    """One device. Everything public may be read at any time; see the module for a walk through it."""

    def __init__(
        self,
        address: str,
        secret: bytes,
        *,
        vendor: str = "generic",
        servers: Sequence[RadiusServer],
        subscribers: Iterable[Subscriber] = (),
        options: DeviceOptions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.address = address
        self.vendor = vendor
        self.options = options or DeviceOptions()
        self.subscribers = tuple(subscribers)
        self.sessions = SessionTable()
        self.statistics = Statistics()
        chance = random.Random(self.options.seed)  # noqa: S311 - chance for a simulation, not for a secret
        self.faults = FaultScript(chance)
        # May be changed while it runs, as the switches of `accounting`.
        self.clock_skew_s = 0.0
        self._secret = secret
        self._clock = clock
        self._chance = chance
        self._behaviour = behaviour_for(vendor, self.options.policies)
        self._identity = DeviceIdentity(IPv4Address(address), self.options.name)
        self._own_attributes = requests.device_attributes(self._identity)
        self._pools = Pools(IPv4Address(address))
        self._boot = 0
        self._number = 0
        self._running = False
        self._timers: dict[Session, list[asyncio.TimerHandle]] = {}
        self._redials: set[asyncio.TimerHandle] = set()
        self._dialling: set[asyncio.Event] = set()
        self._client = self._make_client(servers)
        self.accounting = Accountant(
            client=self._client,
            behaviour=self._behaviour,
            plan=self.options.accounting_retry,
            secret=secret,
            faults=self.faults,
            statistics=self.statistics,
            epoch_s=self._epoch_s,
        )
        self._listener = self._make_listener()

    def _make_client(self, servers: Sequence[RadiusServer]) -> RadiusClient:
        return RadiusClient(
            address=self.address,
            secret=self._secret,
            servers=servers,
            require_signature=self.options.require_signed_replies,
            window=self.options.max_in_flight,
            statistics=self.statistics,
            faults=self.faults,
            chance=self._chance,
        )

    def _make_listener(self) -> ChangeListener:
        options = self.options
        return ChangeListener(
            address=self.address,
            port=options.coa_port,
            listener=Listener(
                options.coa_secret or self._secret,
                options.event_timestamp_window_s,
                options.coa_sources,
                options.coa_requires_signature,
                options.event_timestamp_required,
            ),
            behaviour=self._behaviour,
            identity=self._identity,
            sessions=self.sessions,
            faults=self.faults,
            statistics=self.statistics,
            epoch_s=self._epoch_s,
            apply=self._apply,
            delay_s=options.change_delay_s,
            on_datagram=options.on_change_datagram,
        )

    @property
    def coa_port(self) -> int:
        """Where it listens for CoA; with an option of 0 known once it has started."""
        return self._listener.port

    def listen_on(self, port: int) -> None:
        """Listen for CoA on another port from now on; OSError, and deaf, when somebody else has it."""
        self._listener.close()
        self._listener.port = port
        self._listener.open()

    @property
    def waiting(self) -> int:
        """Requests that have no answer yet."""
        return self._client.waiting

    async def start(self) -> None:
        """Boot: listen for CoA, where it does at all, and announce it with Accounting-On."""
        assert not self._running, "it runs already"
        hears = self.options.hears_changes
        if self._behaviour.habits.hears_changes if hears is None else hears:
            self._listener.open()
        self._running = True
        self.statistics.boots += 1
        if self.options.announce_boot:
            self.accounting.send_record(Status.ON, self._own_attributes)

    async def stop(self, *, hang_up: bool = False) -> None:
        """Close everything; with `hang_up` each session first sends its Stop and the answers are waited for."""
        if hang_up and self._running:
            for session in self.sessions.all():
                self._end(session, Cause.USER_REQUEST)
            await self.drain(timeout_s=10)
        self._running = False
        self._forget_sessions()
        self._listener.close()
        self._client.close()

    async def dial(
        self, subscribers: Iterable[Subscriber] | None = None, rate_per_s: float | None = None
    ) -> DialResult:
        """Log these subscribers in, or all of its own, at a rate or as fast as answers come. Returns when all are settled."""
        wanted = self.subscribers if subscribers is None else tuple(subscribers)
        result = DialResult()
        settled = asyncio.Event()
        self._dialling.add(settled)
        try:
            await self._dial_paced(wanted, rate_per_s, result, settled)
        finally:
            self._dialling.discard(settled)
        # Cut short by a reboot or a stop: whoever was on the line heard nothing.
        result.unanswered = len(wanted) - result.accepted - result.rejected
        return result

    async def _dial_paced(
        self, wanted: tuple[Subscriber, ...], rate_per_s: float | None, result: DialResult, settled: asyncio.Event
    ) -> None:
        loop = asyncio.get_running_loop()
        began, boots = loop.time(), self.statistics.boots
        for number, subscriber in enumerate(wanted):
            while number - result.total >= self.options.max_in_flight and self._is_up(boots):
                settled.clear()
                await settled.wait()
            ahead_s = number / rate_per_s - (loop.time() - began) if rate_per_s else 0.0
            if ahead_s > _PACING_S:
                await asyncio.sleep(ahead_s)
            if not self._is_up(boots):
                return
            self._log_in(subscriber, result, settled.set)
        while result.total < len(wanted) and self._is_up(boots):
            settled.clear()
            await settled.wait()

    def _is_up(self, boots: int) -> bool:
        return self._running and self.statistics.boots == boots

    async def hang_up(self, sessions: Iterable[Session] | None = None, cause: Cause = Cause.USER_REQUEST) -> None:
        """End these sessions, or all, from the subscriber's side, each with its Stop."""
        for session in self.sessions.all() if sessions is None else tuple(sessions):
            if not session.ended:
                self._end(session, cause)

    async def reboot(self, *, down_s: float = 0.0, reuse_ids: bool = False, orderly: bool = False) -> None:
        """Lose every session and come back.

        A crash sends nothing; an orderly one sends the Stops and Accounting-Off first. `reuse_ids`: the same session ids
        are given out again, as by a device that lost its counters. Nobody dials by itself: call `dial` for that.
        """
        if orderly:
            for session in self.sessions.all():
                self._end(session, Cause.NAS_REBOOT)
            self.accounting.send_record(Status.OFF, self._own_attributes)
            await self.drain(timeout_s=10)
        # New sockets too: on the old ones an Accounting-On like the last one would pass for its repetition.
        self._client.close()
        self._listener.close()
        self._running = False
        self._forget_sessions()
        self._number = 0
        if not reuse_ids:
            self._boot += 1
        await asyncio.sleep(down_s)
        await self.start()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until every request has its answer; whether that came true in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while self._client.waiting:
            if loop.time() > until:
                return False
            await asyncio.sleep(_DRAIN_POLL_S)
        return True

    def send_interims(self) -> None:
        """An Interim-Update of every session now, beside those that are due in time."""
        for session in self.sessions.all():
            self.accounting.send_session_record(session, Status.INTERIM)

    def snapshot(self) -> Snapshot:
        """A picture of this moment."""
        return take_snapshot(
            self.statistics,
            name=self.options.name,
            address=self.address,
            vendor=self.vendor,
            online=len(self.sessions),
            waiting=self._client.waiting,
        )

    def load(self, session: Session, *, down: float, up: float) -> None:
        """Let a subscriber use another share of its rate from now on; 0 both ways and its Idle-Timeout begins."""
        session.meter.load(down=down, up=up, now=asyncio.get_running_loop().time())

    def counters(self, session: Session) -> Counters:
        """What the session has counted until now, or until it ended."""
        return counters_of(session, asyncio.get_running_loop().time())

    def _epoch_s(self) -> float:
        return self._clock() + self.clock_skew_s

    def _forget_sessions(self) -> None:
        now = asyncio.get_running_loop().time()
        for session in self.sessions.all():
            session.ended, session.ended_with = True, session.meter.read(now)
            self._release(session)
        for timer in self._redials:
            timer.cancel()
        self._redials.clear()
        for settled in self._dialling:
            settled.set()

    def _release(self, session: Session) -> None:
        for timer in self._timers.pop(session, ()):
            timer.cancel()
        self.sessions.remove(session)
        self._pools.give_back(session.pool, session.address)

    def _log_in(self, subscriber: Subscriber, result: DialResult, settle: Callable[[], None]) -> None:
        """One login; `settle` is called when it is decided."""
        line = self._draw_line(subscriber)
        login = Login(subscriber, line, self._secret)

        def done(reply: Packet | None) -> None:
            if reply is None:
                result.unanswered += 1
                self.statistics.login_unanswered += 1
            elif login.is_accepted_by(reply) and self._open_session(subscriber, line, reply):
                result.accepted += 1
            else:
                result.rejected += 1
                self.statistics.rejected += 1
            settle()

        plan = self.options.access_retry or self._behaviour.habits.access_retry
        self._client.request(Traffic.ACCESS, login.build, done, plan=plan, rebuilt=False)

    def _draw_line(self, subscriber: Subscriber) -> Line:
        """The next line whose session id is not in use: ids come round again on some vendors."""
        while True:
            self._number += 1
            line = line_for(
                subscriber,
                number=self._number,
                boot=self._boot,
                behaviour=self._behaviour,
                own=self._own_attributes,
            )
            if self.sessions.get(line.session_id) is None:
                return line

    def _open_session(self, subscriber: Subscriber, line: Line, accept: Packet) -> bool:
        """Begin the session that was accepted; False when the device can't: no address is left, a policy is not there."""
        terms = self._behaviour.login_terms(accept)
        if terms.fails is not None:
            self.statistics.logins_failed[terms.fails] += 1
            return False
        pool = terms.pool or OWN_POOL
        try:
            address = terms.address or self._pools.take(pool)
        except PoolEmptyError:
            self.statistics.without_address += 1
            return False
        session = session_of(
            subscriber,
            line,
            terms,
            address=address,
            pool=pool,
            delegated_prefix=terms.delegated_prefix or (self._pools.take_prefix() if terms.delegated_pool else None),
            options=self.options,
            now=asyncio.get_running_loop().time(),
            epoch_s=self._epoch_s(),
        )
        self.statistics.accepted += 1
        self.sessions.add(session)
        self._set_timers(session, terms)
        self.accounting.send_session_record(session, Status.START)
        return True

    def _set_timers(self, session: Session, terms: Terms) -> None:
        """Begin the interims and the end that the terms name; what they leave out goes on as it was."""
        loop = asyncio.get_running_loop()
        timers = self._timers.setdefault(session, [])
        if terms.session_timeout_s is not None:
            session.expires = loop.time() + terms.session_timeout_s
            timers.append(loop.call_at(session.expires, self._expire, session, session.expires))
        if terms.idle_timeout_s is not None:
            self._watch_for_idleness(session)
        if session.interim_interval_s and not session.changes:
            self._schedule_interim(session)

    def _schedule_interim(self, session: Session) -> None:
        assert session.interim_interval_s is not None
        jitter = self.options.interim_jitter
        wait_s = session.interim_interval_s * self._chance.uniform(1 - jitter, 1 + jitter)
        loop = asyncio.get_running_loop()
        self._keep_timer(session, loop.call_later(wait_s, self._interim_due, session))

    def _keep_timer(self, session: Session, new: asyncio.TimerHandle) -> None:
        """Remember a timer with its session, and forget those that have run."""
        timers = self._timers[session]
        now = asyncio.get_running_loop().time()
        timers[:] = [timer for timer in timers if timer.when() > now and not timer.cancelled()]
        timers.append(new)

    def _interim_due(self, session: Session) -> None:
        self.accounting.send_session_record(session, Status.INTERIM)
        self._schedule_interim(session)

    def _expire(self, session: Session, expires: float) -> None:
        # A change of Session-Timeout left the older timer running.
        if session.expires == expires and not session.ended:
            self._end(session, Cause.SESSION_TIMEOUT)
            self._redial(session.subscriber)

    def _watch_for_idleness(self, session: Session) -> None:
        """Look again when the session can have been idle for its timeout at the earliest."""
        loop = asyncio.get_running_loop()
        session.idle_check = session.idle_at(loop.time())
        assert session.idle_check is not None, "called where there is an Idle-Timeout"
        self._keep_timer(session, loop.call_at(session.idle_check, self._end_if_idle, session, session.idle_check))

    def _end_if_idle(self, session: Session, check: float) -> None:
        # A change of Idle-Timeout left the older timer running.
        if session.idle_check != check or session.ended:
            return
        idle_at = session.idle_at(check)
        if idle_at is not None and idle_at <= check:
            self._end(session, Cause.IDLE_TIMEOUT)
            self._redial(session.subscriber)
        else:
            self._watch_for_idleness(session)

    def _apply(self, decision: Change | End) -> None:
        """What a change request does to the sessions it named."""
        if isinstance(decision, Change):
            for session, terms in decision.changes:
                self._change(session, terms)
            return
        for session in decision.sessions:
            self._end(session, Cause.ADMIN_RESET)
            self._redial(session.subscriber)

    def _change(self, session: Session, terms: Terms) -> None:
        session.changes += 1
        had_interims = bool(session.interim_interval_s)
        session.take_on(terms, asyncio.get_running_loop().time())
        self._set_timers(session, terms)
        if session.interim_interval_s and not had_interims:
            self._schedule_interim(session)
        if self.options.interim_after_change:
            self.accounting.send_session_record(session, Status.INTERIM)

    def _end(self, session: Session, cause: Cause) -> None:
        now = asyncio.get_running_loop().time()
        session.ended, session.ended_with = True, session.meter.read(now)
        self._release(session)
        self.statistics.sessions_ended[cause.name.lower()] += 1
        self.accounting.send_session_record(session, Status.STOP, cause=cause)

    def _redial(self, subscriber: Subscriber) -> None:
        if self.options.redial_after_s is None or not self._running:
            return

        def again() -> None:
            self._redials.discard(timer)
            self._log_in(subscriber, DialResult(), lambda: None)

        wait_s = self.options.redial_after_s * self._chance.uniform(0.5, 1.5)
        timer = asyncio.get_running_loop().call_later(wait_s, again)
        self._redials.add(timer)

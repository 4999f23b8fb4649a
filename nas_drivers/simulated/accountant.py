"""The accounting records of a device: what is said, when, and with which clock.

Next: radius_client.py
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nas_drivers.simulated import codec, requests, wire
from nas_drivers.simulated.behaviour import DeviceBehaviour
from nas_drivers.simulated.faults import FaultScript, Traffic
from nas_drivers.simulated.radius_client import RadiusClient
from nas_drivers.simulated.retry import RetryPlan
from nas_drivers.simulated.session import Session
from nas_drivers.simulated.statistics import Statistics
from nas_drivers.simulated.traffic import Counters
from nas_drivers.simulated.wire import Cause, Code, Status


class Accountant:
    """Sends records until they are answered. The switches may be turned while it runs."""

    def __init__(
        self,
        *,
        client: RadiusClient,
        behaviour: DeviceBehaviour,
        plan: RetryPlan | None,
        secret: bytes,
        faults: FaultScript,
        statistics: Statistics,
        epoch_s: Callable[[], float],
    ) -> None:
        # Class goes back as it came; the upper 32 bits of the counters are sent; input and output are exchanged.
        self.class_echoed = True
        self.gigawords = True
        self.swapped = False
        # Event-Timestamp and Acct-Delay-Time are sent, as the vendor's device does.
        self.stamped = behaviour.habits.event_timestamp
        self.delay_told = behaviour.habits.delay_time
        self._client = client
        self._habits = behaviour.habits
        self._plan = plan or behaviour.habits.accounting_retry
        self._secret = secret
        self._faults = faults
        self._statistics = statistics
        self._epoch_s = epoch_s

    def send_session_record(self, session: Session, status: Status, cause: Cause | None = None) -> None:
        """A Start, Interim-Update or Stop."""
        now = asyncio.get_running_loop().time()
        starting = status is Status.START
        attributes = requests.session_attributes(session, class_echoed=self.class_echoed)
        if not starting or self._habits.counters_in_start:
            counters = Counters() if starting else counters_of(session, now)
            attributes += requests.counter_attributes(counters, swapped=self.swapped, gigawords=self.gigawords)
        self.send_record(
            status, attributes, session_time_s=None if starting else int(now - session.started), cause=cause
        )

    def send_record(
        self, status: Status, attributes: bytes, *, session_time_s: int | None = None, cause: Cause | None = None
    ) -> None:
        """Any record; Accounting-On and -Off say nothing but the device's own attributes."""
        name = status.name.lower()
        self._statistics.records_made[name] += 1
        if self._faults.loses_record():
            self._statistics.records_given_up[name] += 1
            return
        stamp = int(self._epoch_s()) if self.stamped else None
        body = attributes + requests.record_attributes(status, session_time_s=session_time_s, cause=cause, stamp=stamp)

        delay_told = self.delay_told

        def build(identifier: int, delay_s: float) -> bytes:
            delay = codec.whole(wire.ACCT_DELAY_TIME, int(delay_s)) if delay_told else b""
            return codec.signed_request(Code.ACCOUNTING_REQUEST, identifier, body + delay, self._secret)

        def done(reply: codec.Packet | None) -> None:
            settled = self._statistics.records_given_up if reply is None else self._statistics.records_answered
            settled[name] += 1

        self._client.request(Traffic.ACCOUNTING, build, done, plan=self._plan, rebuilt=delay_told)


def counters_of(session: Session, now: float) -> Counters:
    """What the session has counted at `now`, or until it ended."""
    return session.ended_with or session.meter.read(now)

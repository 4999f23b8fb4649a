"""Events handed over from the outbox to who is told of them, and webhooks sent: jobs of the worker that leads.

Handing over is one transaction: an event is marked sent there together with the deliveries that it makes. Sending is at
least once: a worker that dies between an answer and its note leaves the delivery to be made again, under the same event id.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.store import outbox
from billing.store import webhooks as store
from billing.webhooks import Parked, Took, is_given_up
from control_plane import audit, db, telemetry
from control_plane.einvoice.queueing import queue_issued
from control_plane.outward.webhooks import Sent, not_sent, send, valid_secrets, without_words
from control_plane.settings import Settings, secret_keys
from radius_hooks.sealing import Sealer, SealError

Connection = psycopg.Connection[TupleRow]

ACTOR: Final = "job send_webhooks"
HAND_OVER_EVERY_S: Final = 1.0
SEND_EVERY_S: Final = 1.0
# Handed over in one transaction: a tenth of a second.
_AT_ONCE: Final = 1000
_SENDERS: Final = 16
# Of one endpoint: the others are served while it is slow.
_EACH: Final = 4
# A claimer that is gone is noticed within this; no try takes longer.
_LEASE_S: Final = 120.0
# Then the job's row is written, and whoever waits for its thread has it.
_RUN_S: Final = 20.0
_LOOK_S: Final = 0.5


def relay_outbox(connection: Connection, _settings: Settings, _now: datetime) -> str:
    """Hand over what is in the outbox, in portions, each a transaction."""
    events = deliveries = 0
    db.expect_few_rows(connection)
    while True:
        with connection.transaction():
            taken = outbox.hand_over(connection, limit=_AT_ONCE)
            deliveries += store.queue(connection, taken)
            queue_issued(connection, taken)
        events += len(taken)
        if len(taken) < _AT_ONCE:
            return f"handed over {events} events, which makes {deliveries} deliveries"


def send_webhooks(connection: Connection, settings: Settings, _now: datetime) -> str:
    """Send what is due, several at once, until nothing is due or its time is over."""
    ended: Counter[str] = Counter()
    db.expect_few_rows(connection)
    due = store.claim(connection, each=_EACH, busy={}, lease_s=_LEASE_S)
    if not due:
        return "nothing due"
    run = _Run(connection, settings)
    until = time.monotonic() + _RUN_S
    with ThreadPoolExecutor(_SENDERS, thread_name_prefix="webhook") as pool:
        while due or run.under_way:
            run.begin(pool, due)
            ended.update(run.note_ended())
            due = (
                store.claim(connection, each=_EACH, busy=run.busy(), lease_s=_LEASE_S)
                if time.monotonic() < until
                else []
            )
    said = ", ".join(f"{count} {word}" for word, count in sorted(ended.items()))
    return said or "nothing sent"


class _Run:
    """What is under way in one run of the job."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings.webhooks
        self._sealer = Sealer(secret_keys(settings))
        self.under_way: dict[Future[Sent], tuple[store.Endpoint, store.Due]] = {}

    def begin(self, pool: ThreadPoolExecutor, due: list[store.Due]) -> None:
        """Send these; an endpoint is read anew each time, so that another address or secret holds at once."""
        if not due:
            return
        endpoints = {one.id: one for one in store.load_endpoints(self._connection)}
        for one in due:
            endpoint = endpoints.get(one.endpoint_id)
            if endpoint is None:
                continue  # removed a moment ago, and its deliveries with it
            try:
                secrets = valid_secrets(endpoint, self._sealer, now=datetime.now(UTC))
            except SealError as error:
                del endpoints[endpoint.id]
                name = endpoint.name
                self._switch_off(endpoint, f"{error}: `corrente webhook rotate {name}`, then `enable {name}`")
                continue
            given = self._settings
            future = pool.submit(
                send,
                one,
                endpoint,
                secrets,
                timeout_s=given.timeout_s,
                allow_private=given.allow_private_addresses,
            )
            self.under_way[future] = endpoint, one

    def busy(self) -> dict[int, int]:
        """How many of each endpoint's are under way."""
        return Counter(endpoint.id for endpoint, _ in self.under_way.values())

    def note_ended(self) -> list[str]:
        """Wait for the next to end, and write down those that have; returns what became of each."""
        ended, _ = wait(self.under_way, _LOOK_S, FIRST_COMPLETED)
        words = []
        for future in ended:
            endpoint, due = self.under_way.pop(future)
            fault = future.exception()
            if fault is not None:
                telemetry.logger().error(
                    "webhook.our_fault", endpoint=endpoint.name, delivery=due.id, reason=repr(fault)
                )
            sent = future.result() if fault is None else not_sent(due, fault)
            try:
                self._note(endpoint, sent)
            except (psycopg.DataError, UnicodeError) as error:
                # The others' tries are noted whatever one receiver says.
                telemetry.logger().error("webhook.not_kept", endpoint=endpoint.name, delivery=due.id, reason=str(error))
                self._note(endpoint, without_words(sent))
            word = type(sent.outcome).__name__.lower()
            telemetry.WEBHOOK_TRIES.labels(word).inc()
            words.append(word)
        return words

    def _note(self, endpoint: store.Endpoint, sent: Sent) -> None:
        with self._connection.transaction():
            store.note(self._connection, sent.due, sent.tried, sent.outcome)
            self._give_up(endpoint, sent)

    def _give_up(self, endpoint: store.Endpoint, sent: Sent) -> None:
        """Switch off who wants nothing any more, or took nothing for days."""
        days, tried = self._settings.disable_after_days, sent.tried
        if isinstance(sent.outcome, Parked) and sent.outcome.gone:
            why = "it answered 410 Gone: it wants no events any more"
        elif not isinstance(sent.outcome, Took) and is_given_up(endpoint.failing_since, now=tried.at, after_days=days):
            why = f"it took nothing for {days} days: {tried.problem or f'it answered {tried.status}'}"
        else:
            return
        self._switch_off(endpoint, why)

    def _switch_off(self, endpoint: store.Endpoint, why: str) -> None:
        with self._connection.transaction():
            parked = store.switch_off(self._connection, endpoint.id, why=why)
            detail = {"why": why, "parked": parked}
            audit.append(self._connection, actor=ACTOR, action="webhook.disable", subject=endpoint.name, detail=detail)
        telemetry.logger().error("webhook.disabled", endpoint=endpoint.name, reason=why, parked=parked)

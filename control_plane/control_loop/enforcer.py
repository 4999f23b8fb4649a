"""The edge that sends: takes due changes, writes what will be sent, sends many at once, writes what came of them.

The event loop has the exchanges on their way; what stands in the database is read and written turn by turn in a thread of
its own (turn.py). A worker that is killed in between leaves rows under its name; when their lease is over the next one takes
them for unanswered, and RFC 5176 makes a repeat harmless.

Units: *_s seconds; instants are aware UTC.
Next: turn.py
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Final, assert_never

import psycopg

from control_plane import telemetry
from control_plane.control_loop.api_calls import ApiCall, ApiCaller
from control_plane.control_loop.cli_calls import CliCall, CliCaller
from control_plane.control_loop.enforcement import Outcome, Progress, Reply
from control_plane.control_loop.outgoing import AnyOutgoing, OutgoingWithLists
from control_plane.control_loop.turn import Came, MaySend, News, Turn, Turns
from control_plane.pulse import Pulse
from control_plane.settings import Settings
from control_plane.store.enforcement import RESTRICTING_BESIDE, Change, PacketRow
from nas_drivers.errors import NasError
from nas_drivers.transport.coa import Acked, ChangeSender, Nacked, PacketTrace, Unanswered
from radius_hooks.sealing import Sealer

POLL_S: Final = 0.2
# Outcomes are gathered this long, so that two thousand a second cost tens of transactions.
GATHER_S: Final = 0.01
_FIRST_RETRY_S: Final = 0.2
_LAST_RETRY_S: Final = 5.0
_PULSE_MAX_S: Final = 60.0
# Error-Cause of an acknowledgement: the session is not there any more. Source: RFC 5176 section 3.5.
_REST_REMOVED: Final = 201


class Enforcer:
    """One worker's sender. `run` returns when `stop` is set; `wake` may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        sealer: Sealer,
        *,
        worker: str,
        may_send: MaySend,
        sender: Callable[[], ChangeSender] = ChangeSender,
        chance: Callable[[], float] = random.random,
        pulse: Pulse | None = None,
    ) -> None:
        self._turns = Turns(settings, sealer, worker=worker, may_send=may_send, chance=chance)
        self._make_sender = sender
        self._pulse = pulse or Pulse("enforcer", max_age_s=_PULSE_MAX_S)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._taken: Counter[int] = Counter()
        self._news = News()
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set. PostgreSQL away is waited out; what is on its way then is written when it is back."""
        asyncio.run(self._run(stop))

    def wake(self) -> None:
        """There may be something due."""
        if self._loop is not None and self._wake is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self, stop: threading.Event) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._sender = self._make_sender()
        self._caller, self._typist = ApiCaller(), CliCaller()
        retry_s = _FIRST_RETRY_S
        with ThreadPoolExecutor(1, thread_name_prefix="enforcer database") as database:
            try:
                while not stop.is_set():
                    try:
                        busy = await self._once(database)
                        self._pulse.beat()
                        retry_s = _FIRST_RETRY_S
                    except psycopg.Error as error:
                        await self._loop.run_in_executor(database, self._turns.disconnect)
                        self._say_away(error)
                        await asyncio.sleep(retry_s)
                        retry_s = min(2 * retry_s, _LAST_RETRY_S)
                        continue
                    if not busy:
                        await self._rest()
            finally:
                await self._end(database)

    def _say_away(self, error: psycopg.Error) -> None:
        telemetry.DATABASE_FAILURES.labels("enforcer").inc()
        telemetry.logger().warning("enforcer.database_away", problem=str(error).strip())
        self._pulse.trouble(f"the database does not answer: {error}")

    async def _rest(self) -> None:
        """Until something came, is said to be due, or the poll's time is over; then a moment for more to come."""
        assert self._wake is not None
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_S)
            await asyncio.sleep(GATHER_S)
        except TimeoutError:
            pass
        self._wake.clear()

    async def _end(self, database: ThreadPoolExecutor) -> None:
        """Give up what is on its way, and say so: another worker goes on at once."""
        assert self._loop is not None
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._sender.close()
        self._caller.close()
        self._typist.close()
        try:
            await self._loop.run_in_executor(database, self._turns.let_go, self._news)
        except psycopg.Error as error:
            telemetry.logger().warning("enforcer.not_let_go", problem=str(error).strip())
        await self._loop.run_in_executor(database, self._turns.disconnect)

    async def _once(self, database: ThreadPoolExecutor) -> bool:
        """One turn; says whether there is more to do at once."""
        assert self._loop is not None
        unwanted = await self._loop.run_in_executor(database, self._turns.load_unwanted, list(self._tasks))
        for number in unwanted:
            if number in self._tasks:
                self._tasks[number].cancel()
        for reason, count in self._sender.discarded.items():
            telemetry.ANSWERS_DISCARDED.labels(reason).inc(count)
        self._sender.discarded.clear()
        if len(self._news.came) > RESTRICTING_BESIDE:
            first = partial(self._turns.take_restoring, dict(self._taken), frozenset(self._tasks))
            self._begin(await self._loop.run_in_executor(database, first))
        news, self._news = self._news, News()
        work = partial(self._turns.transact, news, dict(self._taken), frozenset(self._tasks))
        try:
            turn = await self._loop.run_in_executor(database, work)
        except BaseException:
            self._news.put_back(news)
            raise
        self._begin(turn)
        await self._loop.run_in_executor(database, self._turns.settle)
        return len(turn.outgoing) > RESTRICTING_BESIDE

    def _begin(self, turn: Turn) -> None:
        """Put on its way what a turn has decided to send."""
        for change, progress, outgoing in turn.outgoing:
            self._taken[change.nas_id] += 1
            self._tasks[change.id] = asyncio.create_task(self._deliver(change, progress, outgoing))

    async def _deliver(self, change: Change, progress: Progress, outgoing: AnyOutgoing) -> None:
        """One exchange, to its outcome."""
        try:
            outcome = await self._exchange(change, outgoing)
        except asyncio.CancelledError:
            self._news.released.append(change.id)
            raise
        except NasError as error:
            outcome = Outcome(Reply.FAILED, problem=str(error), sends=0)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this exchange, and is said
            outcome = Outcome(Reply.FAILED, problem=f"{type(error).__name__}: {error}", sends=0)
            telemetry.logger().error("enforcer.our_fault", enforcement_id=change.id, problem=outcome.problem)
        finally:
            self._tasks.pop(change.id, None)
            self._taken[change.nas_id] -= 1
            if self._wake is not None:
                self._wake.set()
        if outcome is None:
            self._news.released.append(change.id)
        else:
            self._news.came.append(Came(change, progress, outcome, datetime.now(UTC) + self._turns.ahead))

    async def _exchange(self, change: Change, outgoing: AnyOutgoing) -> Outcome | None:
        """Ask the device; None when this worker may not any more: it was stopped, or the database was away, for longer
        than its lease, and another may have told the session something newer."""
        trace, ours = partial(self._trace, change), partial(self._turns.is_ours, change.id)
        if isinstance(outgoing, ApiCall):
            return await self._caller.end_session(outgoing, on_packet=trace, may_leave=ours)
        if isinstance(outgoing, CliCall):
            return await self._typist.end_session(outgoing, on_packet=trace, may_leave=ours)
        if isinstance(outgoing, OutgoingWithLists):
            if outgoing.coa is not None:
                outcome = await self._exchange(change, outgoing.coa)
                if outcome is None or outcome.reply is not Reply.ACK or outcome.error_cause == _REST_REMOVED:
                    return outcome
            return await self._caller.change_lists(outgoing.lists, on_packet=trace, may_leave=ours)
        return _outcome(
            await self._sender.send(
                outgoing.target, outgoing.request, on_packet=trace, may_leave=ours, first=not change.disruptive
            )
        )

    def _trace(self, change: Change, trace: PacketTrace) -> None:
        # Code 0 is no RADIUS: a device whose API speaks may still be deaf to changes.
        if trace.direction == "received" and trace.code:
            self._news.answered.add(change.nas_id)
        self._news.packets.append(
            PacketRow(
                change.id,
                trace.at + self._turns.ahead,
                trace.direction,
                trace.code,
                trace.identifier,
                trace.peer,
                trace.attributes,
                trace.error_cause,
            )
        )


def _outcome(found: Acked | Nacked | Unanswered) -> Outcome | None:
    match found:
        case Acked():
            return Outcome(Reply.ACK, found.error_cause, sends=found.sends)
        case Nacked():
            return Outcome(Reply.NAK, found.error_cause, problem=found.message, sends=found.sends)
        case Unanswered(withheld=True):
            return None
        case Unanswered():
            problem = found.problem or ("nothing listens on the device's port" if found.refused else "")
            return Outcome(Reply.NONE, problem=problem, sends=found.sends)
    assert_never(found)

"""Ends a session by its device's API where a Disconnect had no effect, moves a live one to other address lists, and says what
came of it as RADIUS would. An edge.

Calls block, so each runs in a thread; of one device one at a time, so that a dead one holds one thread and no more.

Units: *_s seconds.
Next: verification.py
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from control_plane.control_loop.enforcement import Outcome, Reply
from control_plane.control_loop.error_cause import SESSION_NOT_FOUND
from nas_drivers.errors import NasError, printable
from nas_drivers.families.routeros_lists import ListChange
from nas_drivers.transport.coa import PacketTrace
from nas_drivers.transport.routeros import RouterOsDevice, Tell
from nas_drivers.transport.routeros_access import ApiAccess, port_of

# Devices that are spoken to at once; a change that waits for its turn is kept by its worker meanwhile.
THREADS: Final = 16
TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A session to be ended, and how its device is reached."""

    access: ApiAccess
    username: str
    acct_session_id: str


@dataclass(frozen=True, slots=True)
class ListsCall:
    """A live session's address lists, and how its device is reached."""

    access: ApiAccess
    change: ListChange


class _NotOursError(Exception):
    """This worker may not go on: it was stopped, or its lease is over."""


class ApiCaller:
    """One event loop's calls."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="device API")
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def end_session(
        self, call: ApiCall, *, on_packet: Callable[[PacketTrace], None], may_leave: Callable[[], bool] = lambda: True
    ) -> Outcome | None:
        """End it: acknowledged, refused with 503 when it was not there, or failed with the reason.

        `may_leave` is asked when its turn has come: None when it says no, and then nothing was done.
        """
        async with self._turns[call.access.nas_id]:
            if not may_leave():
                return None
            on_packet(_trace(call, "sent", f"command = /ppp/active/remove\nname = {printable(call.username)}"))
            outcome = await asyncio.get_running_loop().run_in_executor(self._threads, _end, call)
        if outcome.reply is not Reply.FAILED:
            done = "removed" if outcome.reply is Reply.ACK else "no such session"
            on_packet(_trace(call, "received", f"answer = {done}", outcome.error_cause))
        return outcome

    async def change_lists(
        self, call: ListsCall, *, on_packet: Callable[[PacketTrace], None], may_leave: Callable[[], bool] = lambda: True
    ) -> Outcome | None:
        """Bring the session's address into its lists and out of the others: acknowledged once the device shows it, or failed.

        A session that is not there is a failure too: RADIUS, which names it in more ways, has the last word on that. `may_leave` is
        asked before each command that changes something: None when it says no; what was done then is looked at again by the next.
        """
        loop = asyncio.get_running_loop()

        def tell(command: str, arguments: Mapping[str, str]) -> None:
            if not may_leave():
                raise _NotOursError
            said = [f"command = {command}", *(f"{name} = {printable(value)}" for name, value in arguments.items())]
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(on_packet, _trace(call, "sent", "\n".join(said)))

        async with self._turns[call.access.nas_id]:
            if not may_leave():
                return None
            try:
                outcome = await loop.run_in_executor(self._threads, _change_lists, call, tell)
            except _NotOursError:
                return None
        said = "holds" if outcome.reply is Reply.ACK else outcome.problem
        on_packet(_trace(call, "received", f"answer = {printable(said)}"))
        return outcome

    def close(self) -> None:
        """Begin no more; what runs ends within its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _end(call: ApiCall) -> Outcome:
    try:
        found = RouterOsDevice(call.access).end_session(call.username, call.acct_session_id)
    except NasError as error:
        return Outcome(Reply.FAILED, problem=str(error), sends=0)
    return Outcome(Reply.ACK) if found else Outcome(Reply.NAK, SESSION_NOT_FOUND)


def _change_lists(call: ListsCall, tell: Tell) -> Outcome:
    try:
        RouterOsDevice(call.access).change_lists(call.change, tell)
    except NasError as error:
        return Outcome(Reply.FAILED, problem=f"address lists: {error}", sends=0)
    return Outcome(Reply.ACK)


def _trace(call: ApiCall | ListsCall, direction: str, attributes: str, error_cause: int | None = None) -> PacketTrace:
    return PacketTrace(
        at=datetime.now(UTC),
        direction="sent" if direction == "sent" else "received",
        code=0,
        identifier=0,
        peer=f"{call.access.address}:{port_of(call.access)}",
        attributes=attributes,
        error_cause=error_cause,
    )

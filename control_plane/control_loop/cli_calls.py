"""Ends a session by its device's command line where a Disconnect had no effect, and says what came of it as RADIUS would. An edge.

The device is asked for the session first: what is not there any more is not cut, and of several of one name only the one that is
meant. A line that the device refuses is the last one. Each line and each answer is told, without passwords.

Calls block, so each runs in a thread; of one device one at a time, so that a dead one holds one thread and no more.

Next: verification.py
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from control_plane.control_loop.enforcement import Outcome, Reply
from control_plane.control_loop.error_cause import SESSION_NOT_FOUND
from nas_drivers.cli_dialect import CliDialect, CliStep
from nas_drivers.device_session import DeviceSession
from nas_drivers.errors import NasError, printable
from nas_drivers.policy import SessionIdentity
from nas_drivers.transport.coa import PacketTrace
from nas_drivers.transport.ssh_access import SshAccess

if TYPE_CHECKING:
    from nas_drivers.transport.ssh import SshDevice

# Devices that are spoken to at once.
THREADS: Final = 16
# From the login to the last prompt. A line has its own limit, and a cut of five of them would hold its device for a minute.
WHOLE_S: Final = 30.0
# Of an answer, for a person: a page.
_KEPT_LINES: Final = 60
_KEPT_CHARACTERS: Final = 200
_SECRET: Final = re.compile(r"(?i)\b(\S*(?:password|secret|psk|passphrase)\S*)(\s*[:=]\s*|\s+)\S.*")


@dataclass(frozen=True, slots=True)
class CliCall:
    """A session to be ended, the commands of its device, and how that is reached."""

    access: SshAccess
    dialect: CliDialect
    identity: SessionIdentity


class NotUnderstoodError(NasError):
    """The device refused a line, or what it lists does not tell which session is meant; the message has its words."""


class _NotOursError(Exception):
    """This worker may not go on: it was stopped, or its lease is over."""


class CliCaller:
    """One event loop's calls."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="device CLI")
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def end_session(
        self, call: CliCall, *, on_packet: Callable[[PacketTrace], None], may_leave: Callable[[], bool] = lambda: True
    ) -> Outcome | None:
        """End it: acknowledged, refused with 503 when it was not there, or failed with the reason.

        `may_leave` is asked before each line: None when it says no, and then the session was not cut.
        """
        loop = asyncio.get_running_loop()

        def tell(trace: PacketTrace) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(on_packet, trace)

        async with self._turns[call.access.nas_id]:
            if not may_leave():
                return None
            return await loop.run_in_executor(self._threads, _end, call, tell, may_leave)

    def close(self) -> None:
        """Begin no more; what runs ends within its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _end(call: CliCall, tell: Callable[[PacketTrace], None], may_leave: Callable[[], bool]) -> Outcome | None:
    from nas_drivers.transport.ssh import SshDevice  # noqa: PLC0415 - a quarter of a second, and few have such devices

    dialect, identity = call.dialect, call.identity
    try:
        with SshDevice(call.access, whole_s=WHOLE_S) as device:
            device.type_steps(())  # logged in first: the question whether it may is asked just before each line
            typed = _Typed(call, device, tell, may_leave)
            found, show = None, dialect.show_session(identity)
            if show is not None:
                listed = dialect.read_sessions(typed.answer(CliStep(show)))
                found = session_meant(listed, identity, of_everybody=show == dialect.show_all())
                if found is None:
                    return Outcome(Reply.NAK, SESSION_NOT_FOUND)
            steps = dialect.clear_session(identity, found)
            if not steps:
                return Outcome(Reply.FAILED, problem="no command that ends this session is known", sends=0)
            for step in steps:
                typed.answer(step)
    except _NotOursError:
        return None
    except NasError as error:
        return Outcome(Reply.FAILED, problem=str(error), sends=0)
    return Outcome(Reply.ACK)


def session_meant(
    listed: Sequence[DeviceSession], identity: SessionIdentity, *, of_everybody: bool = False
) -> DeviceSession | None:
    """The one of a device's sessions that is meant; None when it is not there. Raises: NotUnderstoodError if that can't be told.

    `of_everybody`: the device has no list of one username, so that others in it mean nothing.
    By its Acct-Session-Id where the list has it, else by its address where both are known, else by its name if that is the
    only one.
    """
    named = [one for one in listed if one.username == identity.username]
    if any(one.acct_session_id for one in listed):
        wanted = identity.acct_session_id.lower()
        return next((one for one in named if one.acct_session_id.lower() == wanted), None)
    if listed and not named and not of_everybody:
        raise NotUnderstoodError(
            f"asked for {identity.username} the device lists others, such as {listed[0].username!r}"
        )
    if identity.framed_ipv4 is not None:
        address = str(identity.framed_ipv4)
        at_address = [one for one in named if one.framed_ipv4 == address]
        named = at_address or [one for one in named if one.framed_ipv4 is None]
    if len(named) > 1:
        raise NotUnderstoodError(
            f"the device has {len(named)} sessions of {identity.username} and does not say which is {identity.acct_session_id}"
        )
    return named[0] if named else None


class _Typed:
    """What is typed on one device, and told."""

    def __init__(
        self, call: CliCall, device: SshDevice, tell: Callable[[PacketTrace], None], may_leave: Callable[[], bool]
    ) -> None:
        self._call, self._device, self._tell, self._may_leave = call, device, tell, may_leave

    def answer(self, step: CliStep) -> str:
        """What the device answers to a line that it takes. Raises: NasError, _NotOursError."""
        if not self._may_leave():
            raise _NotOursError
        self._tell(self._trace("sent", f"command = {printable(step.command)}"))
        shown = self._device.type_steps((step,))[0]
        self._tell(self._trace("received", answer_lines(shown)))
        refused = self._call.dialect.refused(shown)
        if refused is not None:
            raise NotUnderstoodError(f"the device refused `{step.command}`: {refused}")
        return shown

    def _trace(self, direction: Literal["sent", "received"], attributes: str) -> PacketTrace:
        access = self._call.access
        peer = f"{access.address}:{access.port}"
        return PacketTrace(datetime.now(UTC), direction, 0, 0, peer, attributes, None)


def answer_lines(shown: str) -> str:
    """An answer as it is kept: a page of it, one line each, nothing that looks like a password."""
    lines = shown.strip("\n").split("\n")
    kept = [f"answer = {_hidden(printable(line)[:_KEPT_CHARACTERS])}" for line in lines[:_KEPT_LINES]]
    return "\n".join([*kept, *([f"and {len(lines) - _KEPT_LINES} lines more"] if len(lines) > _KEPT_LINES else [])])


def _hidden(line: str) -> str:
    return _SECRET.sub(r"\1 ********", line)

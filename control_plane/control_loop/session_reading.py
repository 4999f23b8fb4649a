"""Asks devices what acknowledged changes' sessions run under, in threads of its own; the answers are picked up later.

Of each device one visit at a time, in which all that is wanted of it is asked: a dead one takes one thread and its time limit,
however many changes wait for it, and delays no other's proof. An answer belongs to one attempt of one change: what was read
before it was tried again says nothing of the second try.

Next: verification.py
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

from control_plane import telemetry
from control_plane.control_loop.cli_calls import NotUnderstoodError
from control_plane.control_loop.cli_reading import CliReader
from control_plane.control_loop.outgoing import api_access, ssh_access
from control_plane.control_loop.two_views import Gives, agrees
from control_plane.store.targets import NasTarget
from nas_drivers.cli_dialect import CliWordError
from nas_drivers.device_session import DeviceSession
from nas_drivers.driver import JudgesSessions, NasDriver
from nas_drivers.errors import NasError
from nas_drivers.policy import SessionPolicy
from nas_drivers.transport.routeros import RouterOsDevice
from nas_drivers.transport.routeros_access import RouterOsRefusedError
from radius_hooks.sealing import Sealer, SealError

# Devices visited at once: a dead one blocks a thread for its time limit.
_VISITS_AT_ONCE: Final = 32
_NOT_SHOWN: Final = "the device, when read, does not show under which policy the session runs"
# Sessions asked about in one visit, and so by one login: the first answers do not wait for the last, and a wave of two
# thousand changes of one device is forty logins, one after the other.
_ASKED_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Question:
    """One session of an acknowledged change; `attempt` is the one that was acknowledged, `before` what it ran under."""

    enforcement_id: int
    attempt: int
    username: str
    acct_session_id: str
    policy: SessionPolicy | None
    before: SessionPolicy | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether a device runs a session under a policy; None, and why, when it does not say. `again`: it may say when asked later."""

    holds: bool | None
    problem: str = ""
    again: bool = False


Answers = dict[Question, Reading]


class SessionReader:
    """The visits of one verifier. `ask` as often as wanted, then `turn`."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._threads = ThreadPoolExecutor(_VISITS_AT_ONCE, thread_name_prefix="verification api")
        self._visits: dict[int, Future[Answers]] = {}
        self._answers: Answers = {}
        self._asked: dict[Question, NasTarget] = {}
        self._drivers: dict[int, NasDriver] = {}

    def close(self) -> None:
        """Visit no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def ask(self, nas: NasTarget, question: Question, driver: NasDriver | None = None) -> Reading | None:
        """The answer; None while there is none yet. `driver`: it is asked by its command line."""
        self._asked[question] = nas
        if driver is not None:
            self._drivers[nas.id] = driver
        return self._answers.get(question)

    def turn(self) -> None:
        """Take what visits brought, begin those that are wanted, and forget what was not asked about since the last turn."""
        for nas_id in [nas_id for nas_id, visit in self._visits.items() if visit.done()]:
            self._answers |= self._visits.pop(nas_id).result()
        waiting: defaultdict[int, list[Question]] = defaultdict(list)
        targets = {nas.id: nas for nas in self._asked.values()}
        for question, nas in self._asked.items():
            if question not in self._answers and nas.id not in self._visits:
                waiting[nas.id].append(question)
        for nas_id, questions in waiting.items():
            self._visits[nas_id] = self._threads.submit(
                visit, targets[nas_id], self._sealer, questions, self._drivers.get(nas_id)
            )
        self._answers = {question: found for question, found in self._answers.items() if question in self._asked}
        self._asked.clear()
        self._drivers.clear()


def visit(nas: NasTarget, sealer: Sealer, questions: list[Question], driver: NasDriver | None = None) -> Answers:
    """Ask one device. Blocks; when it can't be read nobody who waits for it gets another answer."""
    answers: Answers = {}
    try:
        with _reader(nas, sealer, driver) as device:
            for question in questions[:_ASKED_AT_ONCE]:
                answers[question] = _read(device, question, driver)
    except (NasError, SealError) as error:
        again = isinstance(error, NasError) and error.retryable
        unread = Reading(None, f"the device could not be read: {error}", again=again)
        return {question: answers.get(question, unread) for question in questions}
    except Exception as error:  # noqa: BLE001 - a thread's own fault must not be asked about for ever
        telemetry.logger().error("verification.our_fault", nas_id=nas.id, problem=f"{type(error).__name__}: {error}")
        unread = Reading(None, f"the device could not be read: {type(error).__name__}: {error}")
        return {question: answers.get(question, unread) for question in questions}
    return answers


def _reader(
    nas: NasTarget, sealer: Sealer, driver: NasDriver | None
) -> AbstractContextManager[RouterOsDevice | CliReader]:
    if driver is None or driver.cli is None:
        return nullcontext(RouterOsDevice(api_access(nas, sealer)))
    return CliReader(ssh_access(nas, driver.cli.device_type, sealer), driver.cli)


def _read(device: RouterOsDevice | CliReader, question: Question, driver: NasDriver | None) -> Reading:
    try:
        found = device.read_session(question.username, question.acct_session_id)
    except (RouterOsRefusedError, NotUnderstoodError, CliWordError) as error:
        return Reading(None, f"the device could not be read: {error}")
    if found is None:
        return Reading(None, "the device, when read, has no such session")
    if isinstance(driver, JudgesSessions) and question.policy is not None:
        holds = driver.runs_under(found, question.policy, old=question.before)
        return Reading(holds, "" if holds is not None else _NOT_SHOWN)
    return runs_under(found, question.policy, before=question.before)


def runs_under(found: DeviceSession, policy: SessionPolicy | None, *, before: SessionPolicy | None = None) -> Reading:
    """Whether a session as its device lists it has the rates of a policy, which are what a CoA changes there, and its lists.

    What it stands in from `before` must be gone; other lists on top may be somebody else's.
    """
    if policy is None or policy.rate is None:
        return Reading(None, "the policy has no rate that could be compared")
    if found.rate_down_bps is None or found.rate_up_bps is None:
        return Reading(None, "the device, when read, does not say at what rate the session runs")
    gone = frozenset(() if before is None else before.address_lists) - frozenset(policy.address_lists)
    if gone.intersection(found.address_lists or ()):
        return Reading(False)
    return Reading(agrees(found, Gives(policy.rate.down.bps, policy.rate.up.bps, frozenset(policy.address_lists))))

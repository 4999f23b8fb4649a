"""Whether a second source says that an acknowledged change holds. `sight_of` is pure; `Verifier` looks and writes.

A disconnect is proven by the session's end: its Stop, or a new session of the same subscriber on the same device. A CoA is
proven by the next accounting record where the device echoes a new Class, else by reading the device, else not at all. A
device that goes on as before is caught by the same looks. One that did not answer when it was to be read is asked again.

Units: *_s seconds; instants are aware UTC.
Next: loop.py
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from control_plane import telemetry
from control_plane.accounting.session_state import SessionEnd
from control_plane.control_loop.enforcement import Next, Sight, State, after_look
from control_plane.control_loop.gone_sessions import GoneSessions
from control_plane.control_loop.ladder import Ladders
from control_plane.control_loop.session_reading import Question, Reading, SessionReader
from control_plane.settings import Settings
from control_plane.store import session_reads
from control_plane.store import verification as store
from control_plane.store.enforcement import Connection, Ended, save_applied, save_ended
from control_plane.store.verification import Acked
from nas_drivers.driver import Drivers
from radius_hooks.sealing import Sealer

# A record made in the moment of the change may have been on its way already.
_ON_ITS_WAY_S: Final = 2.0
# A Stop follows a disconnect within moments; later than this the session is taken to be online still.
STILL_ONLINE_S: Final = 10.0
# Of an interim interval: a record may be lost, the second one is not.
_INTERVALS: Final = 2.2
_GRACE_S: Final = 30.0
# A device is read so long after it acknowledged.
READ_AFTER_S: Final = 0.5
# One that does not answer is asked again, each time after twice as long, for so long after it acknowledged.
READ_FOR_S: Final = 600.0
_READ_AGAIN_FIRST_S: Final = 1.0
_READ_AGAIN_LAST_S: Final = 60.0
# Changes looked at in one transaction.
AT_ONCE: Final = 2000


@dataclass(frozen=True, slots=True)
class Look:
    """An acknowledged change, and what is known of its session since.

    `heard_at` is when the device sent the last record of the session, None when it has none; `read_to` up to when all
    accounting has been read, None when no node says. `version` is in the last Class. `echoes`: this device takes a new
    Class by CoA. `device`: what reading the device said of it, None when it is not read.
    """

    ends_session: bool
    live: bool
    replaced: bool
    heard_at: datetime | None
    version: bytes | None
    desired_version: bytes | None
    sent_at: datetime
    answered_at: datetime
    read_to: datetime | None
    deadline: datetime
    echoes: bool
    source: str
    device: bool | None = None


def sight_of(look: Look, *, now: datetime) -> tuple[Sight, str]:
    """What the second source says, and why, in words for a person."""
    heard_since = look.heard_at is not None and look.heard_at > look.answered_at + timedelta(seconds=_ON_ITS_WAY_S)
    # The clock says that it is late; only accounting that has been read says that nothing came.
    late = now >= look.deadline and look.read_to is not None and look.read_to >= look.deadline
    if look.ends_session:
        return _sight_of_end(look, heard_since=heard_since, late=late)
    if not look.live:
        return Sight.OVER, "the session ended before the change was proven"
    if look.device is not None:
        words = "the device, when read, shows another policy"
        return (Sight.HOLDS, "") if look.device else (Sight.IGNORED, words)
    if look.source == "none":
        return Sight.CANNOT, "acknowledged; this NAS is set to have no second source"
    if not look.echoes:
        return Sight.CANNOT, "acknowledged; this device does not echo a new Class, and is not read"
    # Receipt is counted in whole seconds.
    told_since = look.heard_at is not None and look.heard_at >= look.sent_at.replace(microsecond=0)
    if told_since and look.version is not None and look.version == look.desired_version:
        return Sight.HOLDS, ""
    if heard_since:
        return Sight.IGNORED, "acknowledged, and the next accounting record still names the old policy"
    if late:
        return Sight.CANNOT, "acknowledged; no accounting record of the session has come since"
    return Sight.NOT_YET, ""


def _sight_of_end(look: Look, *, heard_since: bool, late: bool) -> tuple[Sight, str]:
    if not look.live or look.replaced:
        return Sight.HOLDS, ""
    if heard_since:
        return Sight.IGNORED, "still online: the session's accounting goes on after the acknowledged disconnect"
    if late:
        return Sight.IGNORED, f"still online {STILL_ONLINE_S:g} s after the acknowledged disconnect"
    return Sight.NOT_YET, ""


def deadline_after(*, ends_session: bool, interim_interval_s: int | None) -> float:
    """How long after the acknowledgement the second source may take. Units: seconds."""
    if ends_session:
        return STILL_ONLINE_S
    return _GRACE_S + _INTERVALS * (interim_interval_s or 600)


def read_again_s(acknowledged_s: float) -> float | None:
    """In how long to ask a device again that did not answer so long after it acknowledged; None: not any more. Units: seconds."""
    if acknowledged_s >= READ_FOR_S:
        return None
    return min(max(acknowledged_s, _READ_AGAIN_FIRST_S), _READ_AGAIN_LAST_S)


class Verifier:
    """Looks at the acknowledged changes of which there may be news, on one connection, which is in autocommit.

    `sealer` opens the passwords of devices that are read.
    """

    def __init__(
        self, connection: Connection, settings: Settings, sealer: Sealer, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._connection = connection
        self._reader = SessionReader(sealer)
        self._ladders = Ladders(Drivers(settings.drivers))
        self._gone = GoneSessions(connection, settings)
        self._chance = chance

    def close(self) -> None:
        """Read no more devices."""
        self._reader.close()

    def turn(self, now: datetime) -> int:
        """One look; returns how many changes are closed by it. What a killed one has not written is looked at again."""
        connection = self._connection
        with connection.transaction():
            self._ladders.refresh(connection, now)
            closed = store.close_ended(connection, now=now)
            found = {one.id: one for one in self._load_news(now)}
            ended = [one for acked in found.values() if (one := self._looked(acked, now)) is not None]
            self._reader.turn()
            saved = save_ended(connection, ended, worker=None, now=now) if ended else {}
            verified = [number for number, state in saved.items() if state is State.VERIFIED]
            if verified:
                session_reads.lock_nases(connection, {found[number].nas_id for number in verified})
                save_applied(connection, verified, now=now)
        replaced: dict[int, list[UUID]] = {}
        for number in verified:
            if found[number].replaced:
                replaced.setdefault(found[number].nas_id, []).append(found[number].session_key)
        self._gone.close(replaced, SessionEnd.REPLACED, now=now)
        for one in ended:
            if one.next.progress.state is not State.ACKED:
                report(one.next, found[one.enforcement_id].nas_id, one.enforcement_id, one.error_cause)
        return closed + sum(state.closed for state in saved.values())

    def _load_news(self, now: datetime) -> list[Acked]:
        return store.load_news(self._connection, now=now, limit=AT_ONCE, read=self._ladders.read_nases())

    def _looked(self, acked: Acked, now: datetime) -> Ended | None:
        """What a look at one change brings; None when there is nothing new."""
        progress, ladders = acked.progress, self._ladders
        way = (acked.nas_id, progress.method, acked.from_version, acked.profile_id)
        look = Look(
            ends_session=ladders.ends_session(*way),
            live=acked.live,
            replaced=acked.replaced,
            heard_at=acked.heard_at,
            version=acked.version,
            desired_version=acked.desired_version,
            sent_at=acked.sent_at,
            answered_at=acked.answered_at,
            read_to=acked.read_to,
            deadline=acked.deadline,
            echoes=ladders.echoes_class(acked.nas_id),
            source=acked.source,
        )
        if look.live and not look.ends_session and ladders.is_read(acked.nas_id):
            reading = self._read(acked)
            if reading is None:
                return None
            look = replace(look, device=reading.holds)
            sight, problem = sight_of(look, now=now)
            if reading.holds is None:
                sight, problem = Sight.CANNOT, f"acknowledged; {reading.problem}"
            if reading.again and (pause_s := read_again_s((now - acked.answered_at).total_seconds())) is not None:
                return Ended(acked.id, Next(progress, problem=problem), now + timedelta(seconds=pause_s))
        else:
            sight, problem = sight_of(look, now=now)
        if sight is Sight.NOT_YET:
            return None
        found = after_look(progress, sight, ladders.of(*way), problem=problem, chance=self._chance())
        return Ended(acked.id, found, now + timedelta(seconds=found.pause_s))

    def _read(self, acked: Acked) -> Reading | None:
        """What the device says of a session; None while it is being asked, or the profile is not what was sent."""
        policy, nas = self._ladders.policy(acked.profile_id), self._ladders.nas(acked.nas_id)
        if not self._ladders.has_content(acked.profile_id, acked.desired_version):
            return None
        driver = self._ladders.driver(nas.id) if nas.verification == "cli" else None
        before = self._ladders.given_by(acked.from_version)
        question = Question(acked.id, acked.attempt, acked.username, acked.acct_session_id, policy, before)
        return self._reader.ask(nas, question, driver)


def report(found: Next, nas_id: int, enforcement_id: int, error_cause: int | None) -> None:
    """Count and, where a person must look, say what came of a change."""
    telemetry.ENFORCEMENT_STEPS.labels(found.progress.state.value).inc()
    if found.alarm:
        telemetry.ENFORCEMENT_ALARMS.inc()
        telemetry.logger().error(
            "enforcement.alarm",
            enforcement_id=enforcement_id,
            nas_id=nas_id,
            state=found.progress.state.value,
            error_cause=error_cause,
            problem=found.problem,
        )

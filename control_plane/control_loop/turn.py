"""One turn of the enforcer in the database, which is one transaction: what came is written, what is due is taken.

Outcomes and packets of the last turn are written, due changes are taken after a last look at whether they are still wanted,
and the intent is written before anything leaves. All of it runs in one thread, on one connection.

Every instant that is written is of the database's clock, which all workers share: leases must not depend on whose is wrong.

Units: *_s seconds; instants are aware UTC.
Next: outgoing.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg

from control_plane import db, telemetry
from control_plane.accounting.session_state import SessionEnd
from control_plane.control_loop.enforcement import (
    ATTEMPTS_MAX,
    Next,
    Outcome,
    Progress,
    Reply,
    State,
    after_lost_worker,
    after_outcome,
    begun,
)
from control_plane.control_loop.gone_sessions import GoneSessions
from control_plane.control_loop.guard import Verdict, Wait
from control_plane.control_loop.ladder import Ladders
from control_plane.control_loop.outgoing import AnyOutgoing, ContentError, build_outgoing
from control_plane.control_loop.verification import READ_AFTER_S, deadline_after, report
from control_plane.pulse import elapsed_s
from control_plane.settings import Settings
from control_plane.store import enforcement as store
from control_plane.store import session_reads
from control_plane.store.enforcement import Change, Connection, Ended, PacketRow
from nas_drivers.driver import Drivers
from nas_drivers.errors import NasError
from nas_drivers.policy import Method
from radius_hooks.sealing import Sealer, SealError

# What a killed worker had in its hands is taken up by another after this long. What is in hand is renewed, because a change
# may wait there for its turn for longer: behind a small window, a low rate, or calls of an API that is dead.
LEASE: Final = timedelta(seconds=15)
_RENEWED_EVERY_S: Final = 3.0
# Changes on their way at once, of one worker and of one NAS: the latter fills a window several times over.
IN_FLIGHT_MAX: Final = 4000
PER_NAS_MAX: Final = 64
TAKEN_AT_ONCE: Final = 500
# What is held is asked about again this often; a release makes it due by itself.
HELD_AGAIN: Final = timedelta(seconds=15)
# A worker that stops within a transaction holds the guard's row: after so long the server takes it away.
IDLE_LIMIT_S: Final = 5
# An edited profile's new version is a moment away.
_CONTENT_AGAIN: Final = timedelta(seconds=0.2)
_SILENCE_PAUSE_S: Final = 30.0
_NOTHING_TO_SAY: Final = (
    "a CoA would tell this device nothing new: the session follows as it is, and no packet was sent"
)
_HEARD_EVERY: Final = timedelta(seconds=1)

MaySend = Callable[[Connection, Sequence[int], datetime], Mapping[int, Verdict]]


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one exchange."""

    change: Change
    progress: Progress
    outcome: Outcome
    at: datetime


@dataclass(slots=True)
class News:
    """What has come since the last turn, to be written by the next: kept until that is committed.

    `again`: some of it was written before, and whether that was committed is not known: the database went away with the answer.
    """

    came: list[Came] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    packets: list[PacketRow] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    again: bool = False

    def put_back(self, older: News) -> None:
        """What could not be written, before what has come since."""
        self.came[:0] = older.came
        self.released[:0] = older.released
        self.packets[:0] = older.packets
        self.answered |= older.answered
        self.again = True

    def of_each(self) -> dict[int, News]:
        """Outcomes and packets in pieces, one a change."""
        pieces: dict[int, News] = {}
        for came in self.came:
            pieces.setdefault(came.change.id, News(again=self.again)).came.append(came)
        for packet in self.packets:
            pieces.setdefault(packet.enforcement_id, News(again=self.again)).packets.append(packet)
        return pieces


@dataclass(slots=True)
class Turn:
    """What one transaction decided: what to send now, and which of our sessions the devices do not have."""

    outgoing: list[tuple[Change, Progress, AnyOutgoing]] = field(default_factory=list)
    gone: dict[int, list[UUID]] = field(default_factory=dict)
    replaced: dict[int, list[UUID]] = field(default_factory=dict)
    ended: list[tuple[Change, Ended]] = field(default_factory=list)

    def add(self, other: Turn) -> None:
        """What another piece of news brought."""
        self.ended += other.ended
        for nas_id, keys in other.gone.items():
            self.gone.setdefault(nas_id, []).extend(keys)


class Turns:
    """The turns of one worker's sender. The connection is made when it is needed."""

    def __init__(
        self, settings: Settings, sealer: Sealer, *, worker: str, may_send: MaySend, chance: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._sealer = sealer
        self._worker = worker
        self._may_send = may_send
        self._chance = chance
        self._ladders = Ladders(Drivers(settings.drivers))
        self._heard_looked = datetime.min.replace(tzinfo=UTC)
        self._connection: Connection | None = None
        self._gone: GoneSessions | None = None
        self._renewed_at = 0.0
        # Until when nobody else takes what is in hand, by a clock that nobody sets and that goes on in a stopped process.
        self._ours_until: dict[int, float] = {}
        # How far the database's clock is ahead of this machine's.
        self.ahead = timedelta()
        self._ghosts: list[tuple[int, list[UUID], SessionEnd]] = []
        self._following: list[Change] = []

    def _open(self) -> Connection:
        if self._connection is None or self._connection.broken:
            conninfo = self._settings.conninfo("corrente_worker")
            self._connection = db.connect(conninfo, name="enforcer", autocommit=True, idle_limit_s=IDLE_LIMIT_S)
            db.expect_few_rows(self._connection)
            self._gone = GoneSessions(self._connection, self._settings)
        return self._connection

    def _now(self, connection: Connection) -> datetime:
        now = db.clock(connection)
        self.ahead = now - datetime.now(UTC)
        return now

    def is_ours(self, number: int) -> bool:
        """Whether nobody else can have taken this change yet: asked in any thread before each of its packets."""
        return elapsed_s() < self._ours_until.get(number, 0.0)

    def disconnect(self) -> None:
        """Let go of the connection; the next turn makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def let_go(self, news: News) -> None:
        """Write what has come, and leave the rest to others. Raises: psycopg.Error."""
        connection = self._open()
        with connection.transaction():
            self._save_news(connection, news, self._now(connection))
            store.save_let_go(connection, worker=self._worker)

    def load_unwanted(self, ids: list[int]) -> list[int]:
        """Which of the changes in hand are no longer wanted, or another worker's; the others are kept. Raises: psycopg.Error."""
        connection, asked_s = self._open(), elapsed_s()
        for number in self._ours_until.keys() - set(ids):
            del self._ours_until[number]
        if not ids:
            return []
        if asked_s - self._renewed_at >= _RENEWED_EVERY_S:
            kept = store.save_kept(connection, ids, worker=self._worker, until=self._now(connection) + LEASE)
            self._renewed_at = asked_s
            self._ours_until.update(dict.fromkeys(kept, asked_s + LEASE.total_seconds()))
        return store.load_unwanted(connection, ids, worker=self._worker)

    def transact(self, news: News, taken: dict[int, int], in_hand: frozenset[int]) -> Turn:
        """One turn; `taken` counts by NAS what is in hand. Raises: psycopg.Error, and then nothing was written."""
        connection, until_s = self._open(), elapsed_s() + LEASE.total_seconds()
        with connection.transaction():
            now = self._now(connection)
            self._ladders.refresh(connection, now)
            turn = self._save_news(connection, news, now)
            store.save_released(connection, news.released, worker=self._worker)
            self._save_reach(connection, news, now)
            self._take(connection, turn, taken, in_hand, now)
        return self._taken_on(turn, until_s)

    def take_restoring(self, taken: dict[int, int], in_hand: frozenset[int]) -> Turn:
        """A turn before one with much to write: who is let in again does not wait until what came of hundreds of cuts is written.

        Raises: psycopg.Error, and then nothing was written.
        """
        connection, until_s, turn = self._open(), elapsed_s() + LEASE.total_seconds(), Turn()
        with connection.transaction():
            now = self._now(connection)
            self._ladders.refresh(connection, now)
            self._take(connection, turn, taken, in_hand, now, restoring_only=True)
        return self._taken_on(turn, until_s)

    def _taken_on(self, turn: Turn, until_s: float) -> Turn:
        """What is committed is in this worker's hands; what of it is not written yet is left to `settle`."""
        self._ours_until.update({change.id: until_s for change, _, _ in turn.outgoing})
        self._ghosts += [(nas_id, keys, SessionEnd.NOT_ON_DEVICE) for nas_id, keys in turn.gone.items()]
        self._ghosts += [(nas_id, keys, SessionEnd.REPLACED) for nas_id, keys in turn.replaced.items()]
        for change, ended in turn.ended:
            report(ended.next, change.nas_id, change.id, ended.error_cause)
        return turn

    def settle(self) -> None:
        """Write what follows without a packet. Apart from the turn: it waits for the merge of accounting. Raises: psycopg.Error."""
        self._save_following()
        self._close_ghosts()

    def _save_following(self) -> None:
        """Close the changes of which their devices need not be told: they stay due until then, so nothing is lost."""
        following, self._following = self._following, []
        if following:
            connection = self._open()
            with connection.transaction():
                session_reads.lock_nases(connection, {change.nas_id for change in following})
                why = {change.id: _NOTHING_TO_SAY for change in following}
                store.save_followed(connection, why, now=self._now(connection))

    def _close_ghosts(self) -> None:
        """Close our rows of sessions that the devices do not have. Apart from the turn: it waits for the merge of accounting,
        and what fails here is tried again by itself. Raises: psycopg.Error."""
        while self._ghosts:
            self._open()
            assert self._gone is not None
            nas_id, keys, ended_by = self._ghosts[0]
            try:
                self._gone.close({nas_id: keys}, ended_by, now=self._now(self._open()))
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                # It would be refused each time, and hold up all that is sent.
                telemetry.logger().error("enforcer.ghosts_refused", nas_id=nas_id, problem=str(error).strip())
            del self._ghosts[0]

    def _save_news(self, connection: Connection, news: News, now: datetime) -> Turn:
        """Write it all; what the database refuses of one change is that one's alone."""
        whole = Turn()
        if not self._saved(connection, news, whole, now):
            for number, piece in news.of_each().items():
                if not self._saved(connection, piece, whole, now):
                    telemetry.logger().error("enforcer.not_written", enforcement_id=number)
        return whole

    def _saved(self, connection: Connection, news: News, whole: Turn, now: datetime) -> bool:
        """Write packets and outcomes and add what follows to `whole`; False when the database refuses them."""
        try:
            with connection.transaction():
                store.save_packets(connection, news.packets, again=news.again)
                whole.add(self._save_came(connection, news.came, now))
        except psycopg.DatabaseError as error:
            if isinstance(error, psycopg.OperationalError) or connection.closed:
                raise
            telemetry.logger().warning("enforcer.refused", problem=str(error).strip())
            return False
        return True

    def _save_came(self, connection: Connection, came: Sequence[Came], now: datetime) -> Turn:
        """Write what came of exchanges, by the rules."""
        turn = Turn()
        for one in came:
            ladder = self._ladders.of(
                one.change.nas_id, one.progress.method, one.change.from_version, one.change.profile_id
            )
            provable = self._is_provable(one.change, one.progress.method)
            found = after_outcome(one.progress, one.outcome, ladder, chance=self._chance(), provable=provable)
            turn.ended.append((one.change, self._ended(one, found)))
            if found.gone and found.progress.state.closed:
                turn.gone.setdefault(one.change.nas_id, []).append(one.change.session_key)
        if turn.ended:
            store.save_ended(connection, [ended for _, ended in turn.ended], worker=self._worker, now=now)
        return turn

    def _ended(self, one: Came, found: Next) -> Ended:
        answered = one.outcome.reply in (Reply.ACK, Reply.NAK)
        pause_s = found.pause_s
        if found.progress.state is State.ACKED:
            change, method = one.change, one.progress.method
            ends = self._ends_session(change, method)
            provable = self._is_provable(change, method)
            policy = self._ladders.policy(change.profile_id)
            interval_s = None if policy is None else policy.interim_interval_s
            if not ends and self._ladders.is_read(change.nas_id):
                pause_s = READ_AFTER_S
            else:
                pause_s = deadline_after(ends_session=ends, interim_interval_s=interval_s) if provable else 0.0
        return Ended(
            one.change.id,
            found,
            one.at + timedelta(seconds=pause_s),
            one.outcome.error_cause,
            one.at if answered else None,
        )

    def _ends_session(self, change: Change, method: Method) -> bool:
        return self._ladders.ends_session(change.nas_id, method, change.from_version, change.profile_id)

    def _is_provable(self, change: Change, method: Method) -> bool:
        """Whether a second source can tell what came of it: a session's end always shows."""
        return self._ends_session(change, method) or self._ladders.is_provable(change.nas_id)

    def _save_reach(self, connection: Connection, news: News, now: datetime) -> None:
        """Which NASes are silent, and which are no longer: they answered, or their accounting came."""
        if news.answered:
            back = store.save_answering(connection, sorted(news.answered), now=now)
            for nas_id in back:
                telemetry.logger().info("nas.answers_again", nas_id=nas_id)
        silent = {one.change.nas_id for one in news.came if one.outcome.reply is Reply.NONE and one.outcome.sends}
        silent -= news.answered
        if silent:
            pauses_s = {nas_id: _SILENCE_PAUSE_S * (0.8 + 0.4 * self._chance()) for nas_id in silent}
            store.save_silence(connection, pauses_s, now=now)
        if now - self._heard_looked >= _HEARD_EVERY:
            self._heard_looked = now
            store.save_heard(connection, now=now)

    def _take(
        self,
        connection: Connection,
        turn: Turn,
        taken: dict[int, int],
        in_hand: frozenset[int],
        now: datetime,
        *,
        restoring_only: bool = False,
    ) -> None:
        """Take what is due, look once more whether it is wanted, and write what will be sent."""
        room = min(TAKEN_AT_ONCE, IN_FLIGHT_MAX - len(in_hand))
        if room <= 0:
            return
        busy = {nas_id: count for nas_id, count in taken.items() if count}
        due = store.take_due(
            connection, now=now, limit=room, per_nas=PER_NAS_MAX, busy=busy, restoring_only=restoring_only
        )
        # Before a method is chosen: which one it is depends on what of the old policy is known.
        if not all(
            self._ladders.has_content(change.profile_id, change.desired_version)
            and self._ladders.knows(change.from_version)
            for change in due
        ):
            self._ladders.refresh(connection, now, at_once=True)
        dropped: dict[int, str] = {}
        wanted: list[tuple[Change, Progress]] = []
        # The lease of one in hand is over when it could not be renewed in time; it is on its way all the same.
        for change in (one for one in due if one.id not in in_hand):
            if not change.session_live and change.sent_at is not None:
                continue  # whether that was its effect is for verification to say
            problem = reason_to_drop(change)
            if problem:
                dropped[change.id] = problem
                if change.id_used_again or change.dialled_again:
                    turn.replaced.setdefault(change.nas_id, []).append(change.session_key)
                continue
            progress = self._taken_over(change)
            if progress.method is Method.COA and not self._is_told(change):
                self._following.append(change)
                continue
            wanted.append((change, progress))
        wanted = self._guarded(connection, wanted, dropped, now)
        store.save_superseded(connection, dropped, now=now)
        self._begin(connection, turn, wanted, now)

    def _begin(
        self, connection: Connection, turn: Turn, wanted: Sequence[tuple[Change, Progress]], now: datetime
    ) -> None:
        """Build the requests, and write the intent."""
        begins: list[tuple[int, Progress]] = []
        failed: list[Ended] = []
        later: list[int] = []
        for change, progress in wanted:
            try:
                if progress.attempt >= ATTEMPTS_MAX or progress.state.closed:
                    raise _HopelessError(f"tried {progress.attempt} times in vain")
                outgoing = build_outgoing(change, progress, self._ladders, self._sealer)
            except ContentError:
                later.append(change.id)
                continue
            except (NasError, SealError, ValueError, _HopelessError) as error:
                problem = str(error) or type(error).__name__
                failed.append(Ended(change.id, Next(progress_given_up(progress), problem=problem, alarm=True), now))
                turn.ended.append((change, failed[-1]))
                continue
            begins.append((change.id, begun(progress)))
            turn.outgoing.append((change, begun(progress), outgoing))
        store.save_later(connection, later, again=now + _CONTENT_AGAIN)
        store.save_begun(connection, begins, worker=self._worker, now=now, until=now + LEASE)
        if failed:
            # Some were left by a worker that died: nobody else writes what becomes of them.
            store.save_free(connection, [one.enforcement_id for one in failed])
            store.save_ended(connection, failed, worker=None, now=now)

    def _taken_over(self, change: Change) -> Progress:
        """How far it has come: in doubt when another worker left it in the middle, by a method that this NAS offers."""
        progress = change.progress
        if progress.state is State.SENT:
            progress = after_lost_worker(progress).progress
        way = (change.nas_id, change.from_version, change.profile_id)
        # Who opened it did not know all that is known here; and what a session runs under is not known any more once its
        # profile was edited: a device that adds services up could not be told then which one ends.
        anew = progress.attempt == 0 or (progress.method is Method.COA and not self._ladders.has_coa(*way))
        method = self._ladders.first(*way) if anew else self._ladders.possible(progress.method, *way)
        if method is Method.COA and self._has_its_own(change) and self._is_told(change):
            method = self._ladders.possible(Method.DISCONNECT, *way)
        return progress if method is progress.method else replace(progress, method=method, identity_detail=0, tries=0)

    def _is_told(self, change: Change) -> bool:
        return self._ladders.is_told(change.nas_id, change.from_version, change.desired_version, change.profile_id)

    def _has_its_own(self, change: Change) -> bool:
        """Whether a CoA would put the profile's word over one of the account's own, which wins in full service: what that is
        depends on the login, so a login must say it."""
        if change.level != "full" or not change.own_names:
            return False
        told = self._ladders.told_by_coa(change.nas_id, change.profile_id)
        return any(name.partition(":")[0] in told for name in change.own_names)

    def _guarded(
        self, connection: Connection, wanted: list[tuple[Change, Progress]], dropped: dict[int, str], now: datetime
    ) -> list[tuple[Change, Progress]]:
        """Those that the guard lets go; the others are held, or dropped when they are no longer due."""
        if not wanted:
            return []
        held: list[int] = []
        for number, verdict in self._may_send(connection, [change.id for change, _ in wanted], now).items():
            if verdict.wait is Wait.NO_LONGER_DUE:
                dropped[number] = verdict.reason
            elif not verdict.goes:
                held.append(number)
        store.save_later(connection, held, again=now + HELD_AGAIN)
        return [(change, progress) for change, progress in wanted if change.id not in held and change.id not in dropped]


class _HopelessError(Exception):
    """A change has been tried as often as any may be."""


def reason_to_drop(change: Change) -> str:
    """Why a change is not sent after all; empty when it is."""
    if not change.session_live:
        return "the session ended before anything was sent"
    if change.id_used_again:
        return "the device has given the session's id to a newer session"
    if change.dialled_again:
        return "the subscriber has logged in again on the same line since it was sent"
    if change.of_device_only or (change.asked and change.desired_version is None):
        return ""
    if change.wanted_known and change.wanted_version != change.desired_version:
        return "another policy is wanted now"
    return ""


def progress_given_up(progress: Progress) -> Progress:
    """The same, given up."""
    return replace(progress, state=State.GAVE_UP)

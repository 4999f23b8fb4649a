"""What a person has done to live sessions: ended, or told again what they should run under. Nothing is sent here.

Each is one enforcement that says who asked. The worker sends it by the same ladder as every other, while neither the stop nor a
maintenance holds it; the guard's share is for automation, and a person's change is not counted in it. Who asks for more than automation
may take in an hour is to have been told so.

The caller owns the transaction, and rolls it back for a dry run.

Next: store/by_hand.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.control_loop.ladder import Ladders
from control_plane.settings import Settings
from control_plane.store import by_hand as store
from control_plane.store.automation import load_hour_now
from control_plane.store.by_hand import Numbers, Opened
from control_plane.store.guard import guard_rules, load_situation
from control_plane.store.online_list import OnlineFilter
from nas_drivers.driver import Drivers
from nas_drivers.policy import Method

Connection = psycopg.Connection[Any]

# One deed is one transaction, and a worker sends what it opens within minutes; who means more narrows the list.
MOST: Final = 50_000


class TooManyError(Exception):
    """More sessions than one deed may concern."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was opened: for how many of the sessions meant, by which method, how many of them wait for what, and what is left out.

    `left_out` have another change under way, or nothing that they could be told. `waiting` are held by the stop or a maintenance from
    the start. `beyond`: more subscribers are meant than automation may cut in an hour, `allowed`.
    """

    meant: Numbers
    opened: int
    methods: Mapping[str, int]
    waiting: int
    allowed: int
    enforcements: tuple[int, ...] = field(default=())

    @property
    def left_out(self) -> int:
        """Sessions of which nothing comes."""
        return self.meant.sessions - self.opened

    @property
    def ends(self) -> int:
        """Sessions that are ended, by whatever method."""
        return sum(count for method, count in self.methods.items() if method != Method.COA.value)

    @property
    def beyond(self) -> bool:
        """Whether this takes more than automation may in an hour."""
        return self.ends > self.allowed


def disconnect(
    connection: Connection, settings: Settings, asked: OnlineFilter, *, reason: str, by: str, now: datetime
) -> Done:
    """Have these sessions end. Raises: TooManyError."""
    meant, ladders = _choose(connection, settings, asked, now)
    store.make_way(connection, problem=f"{by} has the session ended")
    methods = {nas_id: ladders.first(nas_id, None, None).value for nas_id in store.load_chosen_nases(connection)}
    opened = store.open_ends(connection, methods, reason=f"disconnected by {by}: {reason}", by=by)
    return _done(connection, settings, meant, opened, action="session.disconnect", reason=reason, by=by, now=now)


def apply_again(
    connection: Connection, settings: Settings, asked: OnlineFilter, *, reason: str, by: str, now: datetime
) -> Done:
    """Have these sessions told what they should run under, though they may run under it. Raises: TooManyError.

    Where a device can't be told, the session is ended, and its next login says it.
    """
    meant, ladders = _choose(connection, settings, asked, now)
    methods = {way: ladders.first(*way).value for way in store.load_chosen_ways(connection)}
    opened = store.open_again(connection, methods, reason=f"applied again by {by}: {reason}", by=by)
    return _done(connection, settings, meant, opened, action="session.reapply", reason=reason, by=by, now=now)


def choose(connection: Connection, asked: OnlineFilter) -> Numbers:
    """Choose the sessions meant, for `store.load_audience`. Raises: TooManyError."""
    meant = store.choose(connection, asked, most=MOST + 1)
    if meant.sessions > MOST:
        raise TooManyError
    return meant


def _choose(connection: Connection, settings: Settings, asked: OnlineFilter, now: datetime) -> tuple[Numbers, Ladders]:
    ladders = Ladders(Drivers(settings.drivers))
    ladders.refresh(connection, now)
    return choose(connection, asked), ladders


def _done(
    connection: Connection,
    settings: Settings,
    meant: Numbers,
    opened: list[Opened],
    *,
    action: str,
    reason: str,
    by: str,
    now: datetime,
) -> Done:
    """Write who did it, and say what will come of it."""
    situation = load_situation(connection, now, settings.zone)
    hour = load_hour_now(connection, now)
    done = Done(
        meant=meant,
        opened=len(opened),
        methods=Counter(one.method for one in opened),
        waiting=sum(bool(situation.stop) or one.nas_id in situation.maintenance for one in opened),
        allowed=guard_rules(settings).limits.allowed(hour.live),
        enforcements=tuple(one.id for one in opened),
    )
    if opened:
        subject = meant.first if meant.sessions == 1 else "sessions"
        detail = {"reason": reason, "sessions": meant.sessions, "changes": done.opened, "first": min(done.enforcements)}
        audit.append(connection, actor=by, action=action, subject=subject, detail=detail)
    return done

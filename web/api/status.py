"""The network at a glance: who is online, how logins are answered, which devices are up, what waits, what happened in the last hour."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from control_plane.access.permissions import Permission
from control_plane.network_now import SPANS, load_network_now
from control_plane.store.network_figures import load_online_over_time
from web.acting import clock
from web.api._shapes import shaped
from web.calls import Noun
from web.database import Connection

pages = Noun("status")


class OnlineNow(msgspec.Struct, frozen=True):
    """Who was online when it was counted last. A subscriber with two sessions is one."""

    at: datetime
    subscribers: int
    sessions: int
    stale: int


class LoginsAnswered(msgspec.Struct, frozen=True):
    """How often logins were answered so, for that reason."""

    outcome: str
    reason: str
    last_hour: int
    last_day: int


class DriftSweep(msgspec.Struct, frozen=True):
    """How many sessions the last look at all of them found in drift, in all and by reason."""

    at: datetime
    sessions: int
    by_reason: dict[str, int]


class OpenChanges(msgspec.Struct, frozen=True):
    """`going` are due or on their way, `held` wait for a person; `oldest` was wanted first of those going."""

    going: int
    held: int
    oldest: datetime | None


class SpoolLag(msgspec.Struct, frozen=True):
    """How old the accounting is that was read last of a RADIUS node, and for how long it has said nothing. Units: seconds."""

    node: str
    behind_s: float
    unheard_s: float


class Happened(msgspec.Struct, frozen=True):
    """One thing; `kind` says what the others mean: of a `deed` `what` is the audit log's action. `times`: how often."""

    at: datetime
    kind: str
    what: str
    subject: str
    actor: str
    words: str
    times: int


class NetworkStatus(msgspec.Struct, frozen=True):
    """The network now. `nases` are how many devices stand how; `restrictions_held` of runs wait for a person, and `alarms` of the last day want one.

    `stopped_since`: nothing is sent to any device; `guard_tripped_at`: nothing that takes service away.
    """

    at: datetime
    online: OnlineNow | None
    logins: list[LoginsAnswered]
    drift: DriftSweep | None
    changes: OpenChanges
    restrictions_held: int
    alarms: int
    stopped_since: datetime | None
    guard_tripped_at: datetime | None
    nases: dict[str, int]
    spools: list[SpoolLag]
    happenings: list[Happened]


class HowFarBack(msgspec.Struct, frozen=True, kw_only=True):
    """A day by minutes, a week by ten minutes, a month by hours or a year by days."""

    span: Literal["day", "week", "month", "year"] = "day"


class OnlineThen(msgspec.Struct, frozen=True):
    """The most subscribers that were online in the step that begins then."""

    at: datetime
    subscribers: int


@pages.call("GET", "/status", permission=Permission.NETWORK_SEE, answers=NetworkStatus, does=("home.show",))
def show(connection: Connection) -> NetworkStatus:
    """The network now: the figures of the console's first page."""
    now = clock(connection)
    found = load_network_now(connection, now)
    return NetworkStatus(
        at=now,
        online=shaped(OnlineNow, found.online) if found.online else None,
        logins=[shaped(LoginsAnswered, one) for one in found.answers],
        drift=shaped(DriftSweep, found.sweep) if found.sweep else None,
        changes=shaped(OpenChanges, found.queue),
        restrictions_held=found.held,
        alarms=found.alarms,
        stopped_since=found.stop.since if found.stop else None,
        guard_tripped_at=found.trip[0] if found.trip else None,
        nases={standing.value: count for standing, count in found.standings.items()},
        spools=[shaped(SpoolLag, one) for one in found.lags],
        happenings=[shaped(Happened, one) for one in found.happenings],
    )


@pages.call(
    "GET",
    "/status/online",
    permission=Permission.NETWORK_SEE,
    asked=HowFarBack,
    answers=list[OnlineThen],
    does=("home.show",),
)
def online(connection: Connection, *, asked: HowFarBack) -> list[OnlineThen]:
    """Subscribers online over time."""
    back, step = SPANS[asked.span]
    points = load_online_over_time(connection, since=clock(connection) - back, step=step)
    return [OnlineThen(datetime.fromtimestamp(at, UTC), most) for at, most in points]

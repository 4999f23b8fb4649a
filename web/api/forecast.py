"""What would be sent to live sessions now and in the days to come if nobody touches anything, and what would wait."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from control_plane.access.permissions import Permission
from control_plane.explaining.forecast_page import load_forecast, would_of
from web.acting import clock
from web.api._contract_shapes import NetworkStep, step_of
from web.api._shapes import shaped
from web.calls import MOST_ROWS, Noun
from web.database import Connection
from web.surroundings import here

pages = Noun("guard", "forecast")


class Ahead(msgspec.Struct, frozen=True, kw_only=True):
    """How many days ahead; 0: only what is open now. `limit`: of each list."""

    days: Annotated[int, msgspec.Meta(ge=0, le=30)] = 1
    limit: Annotated[int, msgspec.Meta(ge=0, le=MOST_ROWS)] = MOST_ROWS


class StepToCome(msgspec.Struct, frozen=True):
    """A change of what a subscriber who is online gets; `waits` says why it would not go, empty when it would."""

    at: datetime
    username: str
    before: NetworkStep
    after: NetworkStep
    disruptive: bool
    why: str
    waits: str


class ChangeNow(msgspec.Struct, frozen=True):
    """An open change and what would become of it; `waits` says why it waits."""

    id: int
    username: str
    nas: str
    level: str
    reason: str
    disruptive: bool
    state: str
    problem: str
    would: str
    waits: str


class NetworkForecast(msgspec.Struct, frozen=True):
    """`milder` and `disruptive` changes are open; of `steps` to come `cuts` take something away and `waiting` would wait. Nothing is said of
    `not_worked_out` subscribers: no worker has worked out what they should get.
    """

    at: datetime
    stop: str
    milder: int
    disruptive: int
    now: list[ChangeNow]
    steps: int
    cuts: int
    waiting: int
    coming: list[StepToCome]
    not_worked_out: int


@pages.call(
    "GET",
    "/guard/forecast",
    permission=Permission.NETWORK_SEE,
    asked=Ahead,
    answers=NetworkForecast,
    does=("guard.forecast",),
)
def forecast(connection: Connection, *, asked: Ahead) -> NetworkForecast:
    """What would be sent now and in the days to come, each with its reason.

    What depends on usage and payments to come is not in it; the hours of a plan are for two days.
    """
    found = load_forecast(connection, here().settings, days=asked.days, now=clock(connection))
    profiles = {number: one.name for number, one in found.profiles.items()}
    now = []
    for change in found.changes[: asked.limit]:
        verdict = found.verdicts.get(change.id)
        waits = verdict.reason if verdict is not None and not verdict.goes else ""
        now.append(shaped(ChangeNow, change, would=would_of(change, verdict), waits=waits))
    coming = [
        shaped(
            StepToCome,
            one.coming,
            before=step_of(one.coming.before, profiles),
            after=step_of(one.coming.after, profiles),
            waits=one.waits,
        )
        for one in found.judged[: asked.limit]
    ]
    return NetworkForecast(
        at=found.now,
        stop=found.situation.stop,
        milder=found.found.milder,
        disruptive=found.found.disruptive,
        now=now,
        steps=len(found.judged),
        cuts=sum(one.coming.disruptive for one in found.judged),
        waiting=sum(bool(one.waits) for one in found.judged),
        coming=coming,
        not_worked_out=found.not_worked_out,
    )

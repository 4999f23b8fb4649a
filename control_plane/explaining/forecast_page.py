"""A forecast as it is shown: what is open with the guard's verdicts, what comes, and what can't be foretold.

Next: forecast.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import psycopg

from control_plane.control_loop.guard import Situation, Verdict, Wait
from control_plane.explaining.forecast import Judged, judge
from control_plane.settings import Settings
from control_plane.store.forecast import (
    OpenChange,
    count_not_worked_out,
    load_coming,
    load_maintenance_ends,
    load_open_changes,
    load_tally,
    load_verdicts,
)
from control_plane.store.guard import guard_rules, load_situation
from control_plane.store.interventions import Open, load_open
from control_plane.store.plan import Profile, load_profiles


class Would(StrEnum):
    """What would become of an open change; of one that waits its verdict says why."""

    BE_OVER = "be over"
    BE_DROPPED = "be dropped"
    WAIT = "wait"
    BE_VERIFIED = "be verified"
    GO_AGAIN = "go again"
    GO = "go"


def would_of(change: OpenChange, verdict: Verdict | None) -> Would:
    """What would become of it: without a verdict its session is over."""
    if verdict is None:
        return Would.BE_OVER
    if verdict.wait is not None:
        return Would.BE_DROPPED if verdict.wait is Wait.NO_LONGER_DUE else Would.WAIT
    if change.state == "acked":
        return Would.BE_VERIFIED
    return Would.GO_AGAIN if change.problem else Would.GO


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is open with its verdicts, what comes, and what can't be said."""

    now: datetime
    situation: Situation
    found: Open
    changes: list[OpenChange]
    verdicts: dict[int, Verdict]
    judged: list[Judged]
    profiles: dict[int, Profile]
    not_worked_out: int


def load_forecast(connection: psycopg.Connection[Any], settings: Settings, *, days: int, now: datetime) -> Forecast:
    """What would be sent now and in so many days if nobody touches anything. Changes nothing."""
    rules = guard_rules(settings)
    situation = load_situation(connection, now, rules.zone)
    changes = load_open_changes(connection)
    coming = load_coming(connection, now=now, until=now + timedelta(days=days), rules=rules) if days else ()
    over = load_maintenance_ends(connection, now)
    return Forecast(
        now=now,
        situation=situation,
        found=load_open(connection),
        changes=changes,
        verdicts=load_verdicts(connection, changes, now, rules),
        judged=judge(coming, load_tally(connection, now), rules.limits, situation, over),
        profiles={profile.id: profile for profile in load_profiles(connection)},
        not_worked_out=count_not_worked_out(connection),
    )

"""The network at a glance, as the console's first page and the interface tell it: figures that a job counts, and what is known now.

Units: instants are aware UTC.
Next: store/network_figures.py
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from control_plane.nas_standing import Standing
from control_plane.store import network_figures as figures
from control_plane.store.happenings import Happening, load_happenings
from control_plane.store.held_restrictions import count_held_restrictions
from control_plane.store.interventions import StopRow, load_stop, load_trip

Connection = psycopg.Connection[Any]

# How long a chart of those online goes back, and how far its points are apart.
SPANS: Final[dict[str, tuple[timedelta, timedelta]]] = {
    "day": (timedelta(days=1), timedelta(minutes=1)),
    "week": (timedelta(days=7), timedelta(minutes=10)),
    "month": (timedelta(days=31), timedelta(hours=1)),
    "year": (timedelta(days=366), timedelta(days=1)),
}
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_WORST_FIRST: Final = {standing: place for place, standing in enumerate(Standing)}


@dataclass(frozen=True, slots=True)
class NetworkNow:
    """All of it. `held` are contracts whose restrictions wait for a person, `alarms` changes of a day that want one; `nases` are those worst off
    first; `happenings` are of the last hour.
    """

    online: figures.Online | None
    answers: list[figures.Answers]
    sweep: figures.Sweep | None
    queue: figures.Queue
    held: int
    alarms: int
    stop: StopRow | None
    trip: tuple[datetime, str] | None
    nases: list[tuple[figures.NasState, Standing]]
    lags: list[figures.Lag]
    happenings: list[Happening]

    @property
    def accepted(self) -> int:
        """Logins that were let in in the last hour."""
        return sum(one.last_hour for one in self.answers if one.outcome == "accept")

    @property
    def standings(self) -> dict[Standing, int]:
        """How many devices stand how; each kind is there."""
        found = Counter(standing for _, standing in self.nases)
        return {standing: found[standing] for standing in Standing}


def load_network_now(connection: Connection, now: datetime) -> NetworkNow:
    """The network at this moment."""
    nases = [(one, one.standing(now)) for one in figures.load_nas_states(connection, now)]
    nases.sort(key=lambda pair: (_WORST_FIRST[pair[1]], -pair[0].sessions, pair[0].name))
    return NetworkNow(
        online=figures.load_online(connection),
        answers=figures.load_answers(connection, now),
        sweep=figures.load_sweep(connection),
        queue=figures.load_queue(connection),
        held=count_held_restrictions(connection),
        alarms=figures.count_alarms(connection, since=now - _DAY),
        stop=load_stop(connection),
        trip=load_trip(connection),
        nases=nases,
        lags=figures.load_lags(connection),
        happenings=load_happenings(connection, since=now - _HOUR),
    )

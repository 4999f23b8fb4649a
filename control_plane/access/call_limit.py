"""How often a token may call: so many times a minute, in whatever burst, counted in the database for all web processes together.

Next: ../store/sign_in_attempts.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from control_plane.store.sign_in_attempts import Turns, count_turn

Connection = psycopg.Connection[Any]
WINDOW_S: Final = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many calls a token has left until its window is over. Units: *_s whole seconds, rounded up."""

    limit: int
    left: int
    over_in_s: int
    is_too_much: bool


def count_call(connection: Connection, token_id: int, *, per_minute: int, now: datetime) -> Allowance:
    """Count one call of a token. A crash may forget the last ones: nobody waits for a disk to have counted."""
    connection.execute("SET LOCAL synchronous_commit = off")
    return allowance_of(count_turn(connection, "api_call", str(token_id), per_s=WINDOW_S, now=now), per_minute, now=now)


def allowance_of(turns: Turns, limit: int, *, now: datetime) -> Allowance:
    """What is left after so many turns. Pure."""
    gone_s = int((now - turns.begins).total_seconds())
    return Allowance(limit, max(0, limit - turns.count), max(1, WINDOW_S - gone_s), turns.count > limit)

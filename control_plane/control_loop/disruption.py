"""Whether a change of a live session takes something away from its subscriber: the guard holds such a change, and no other. Pure.

What the plan itself gives at another hour takes nothing away. Of levels the milder one is more; between equal levels the
rate decides, and no rate is no limit. A new login for the same rate costs the subscriber the connection and brings nothing;
so may one from what is not known: an edit of a profile that nobody noted would else cut everybody at once, unguarded.

Units: bit/s; down is to the subscriber.
Next: ladder.py
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from radius_hooks.policy_records import Level


@dataclass(frozen=True, slots=True)
class Given:
    """What a session is given, or shall be. `of_plan`: the plan's own profile in full, at this hour or at another."""

    profile_id: int
    level: Level
    rate_down_bps: int | None
    rate_up_bps: int | None
    of_plan: bool = False


def is_disruptive(before: Given | None, wanted: Given | None, *, logs_in_anew: bool = False) -> bool:
    """Whether `wanted` is less than `before`, or is the same and cuts. `before` None: not known; `wanted` None: the session must end."""
    if wanted is None:
        return True
    if before is None:
        return logs_in_anew or wanted.level is not Level.FULL
    if wanted.level is not before.level:
        return wanted.level.value > before.level.value
    if wanted.level is Level.FULL and before.of_plan and before.profile_id != wanted.profile_id:
        return False
    pairs = ((wanted.rate_down_bps, before.rate_down_bps), (wanted.rate_up_bps, before.rate_up_bps))
    if any(_is_less(rate, was) for rate, was in pairs):
        return True
    return logs_in_anew and not any(_is_less(was, rate) for rate, was in pairs)


def _is_less(rate_bps: int | None, than_bps: int | None) -> bool:
    return (math.inf if rate_bps is None else rate_bps) < (math.inf if than_bps is None else than_bps)

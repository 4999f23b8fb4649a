"""Lists of ways to log in, tried one after the other until one answers, as several vendors have them: what they let past. Pure.

A way is left for the next when it gives no answer, not when it refuses. So what stands before RADIUS is asked instead of it, and
what stands behind it lets people in while no RADIUS server answers: with no contract, no rate and no accounting.

Next: inspection.py
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nas_drivers.inspection import SetupFault


@dataclass(frozen=True, slots=True)
class MethodList:
    """`name` for a person; the ways in their order, in lower case and the device's words."""

    name: str
    ways: Sequence[str]


def list_faults(
    lists: Collection[MethodList], *, ours: Collection[str], nobody: Collection[str], advice: str
) -> tuple[SetupFault, ...]:
    """What each list lets past RADIUS. `ours` are the words for RADIUS, `nobody` those for "let in without asking"."""
    found = []
    for one in lists:
        at = next((place for place, way in enumerate(one.ways) if way in ours), None)
        for place, way in enumerate(one.ways):
            if at is not None and place == at:
                continue
            before = at is None or place < at
            if way in nobody:
                words = "lets everybody in" if before else "lets everybody in while no RADIUS server answers"
                found.append(SetupFault(True, f"{one.name} {words} ({way})", advice))
            elif before:
                what = "instead of RADIUS" if at is None else "before RADIUS"
                found.append(SetupFault(True, f"{one.name} asks {way} {what}", advice))
            elif way not in ours:
                found.append(SetupFault(False, f"{one.name} asks {way} while no RADIUS server answers", advice))
    return tuple(found)

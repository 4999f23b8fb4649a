"""What of a device's own configuration stands beside RADIUS, and what its clock says: the questions for one vendor. Pure.

A vendor file holds its Inspection; where reading the answers takes more than a line, they are read in a file of its name in
inspections/. A command only prints, and what it prints may have secrets in it: a reader hands out names and findings and never
a line. Where no manual says how to ask, there is no question, and whoever asked says that this was not looked at.

Next: inspections/cisco_iosxe.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nas_drivers.errors import NasError

_NAMED: Final = 5


class NotReadError(NasError):
    """What a device printed is not what was asked for; the message has nothing of it. Never taken as "nothing found"."""


@dataclass(frozen=True, slots=True)
class SetupFault:
    """What stands beside RADIUS and the command against it. `grave`: subscribers get past RADIUS or their rates by it."""

    grave: bool
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class ClockQuestion:
    """A command that prints the time; `read` gives it in UTC, None where it is printed in a zone that is not told."""

    command: str
    read: Callable[[str], datetime | None]


@dataclass(frozen=True, slots=True)
class BypassQuestion:
    """A command that prints who lets subscribers in; `read` finds what lets them past RADIUS. It raises: NotReadError.

    `looks_at` says in words what a clean answer means: no more than that.
    """

    command: str
    read: Callable[[str], tuple[SetupFault, ...]]
    looks_at: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """The questions for one vendor. `ntp` is what to enter there so that its clock is right. `signs`: whether its requests carry a
    Message-Authenticator once it is set up as we say; None: that differs, or is not known."""

    ntp: str
    signs: bool | None = None
    clock: ClockQuestion | None = None
    bypass: BypassQuestion | None = None


def some(names: Sequence[str], *, named: int = _NAMED) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - named} more" if len(names) > named else ""
    return ", ".join(names[:named]) + more

"""All that a check of the books looks at: the books themselves, and what the network is to have by them; and who asked for one.

Next: jobs/asked_checks.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from billing.store.asked_checks import ask_for
from billing.store.checks import catalogue
from billing.store.checks.check import Check, Connection
from control_plane import audit
from control_plane.check_desired import network_checks


def checks_of(zone: ZoneInfo, only: Sequence[str] = ()) -> list[Check]:
    """Every check, or only those of these names, in the order in which they are done; `zone` is the one in which contracts begin and end."""
    return [one for one in (*catalogue.CHECKS, *network_checks(zone)) if not only or one.name in only]


def ask(connection: Connection, only: Sequence[str], *, by: str) -> int:
    """Have the worker check everything, or only this; the number of the check, of the one under way where there is one."""
    number, is_new = ask_for(connection, only, by=by)
    if is_new:
        detail = {"only": list(only)}
        audit.append(connection, actor=by, action="books.check", subject=f"check {number}", detail=detail)
    return number


NAMES: Final = tuple(one.name for one in checks_of(ZoneInfo("UTC")))

"""Juniper MX (Junos): the order of authentication of every access profile, and its local subscribers.

From 18.2R1 on `password` lets in the `subscriber`s of the profile itself, and is the default where no order stands; before, it lets
in nobody. Secrets stand as `## SECRET-DATA` for a user without the permission to see them. UNCONFIRMED on a real router: that
the permission view-configuration is enough for [edit access].

Source: Junos, `authentication-order` (Access Profile): none, password, radius and the note on 18.2R1; login classes, permission
flag view-configuration; `show system uptime`.
Next: ../inspection.py
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from nas_drivers.clock_text import read_date_first
from nas_drivers.inspection import BypassQuestion, ClockQuestion, Inspection, NotReadError, SetupFault, some

_PROFILE: Final = re.compile(r"^set access profile (\S+) (.+)$", re.MULTILINE)
_ORDER: Final = re.compile(r"authentication-order (?:\[([^\]]+)\]|(\S+))")
_LOCAL: Final = re.compile(r"(?:subscriber|client) (\S+)")
_TIME: Final = re.compile(r"^Current time:.*$", re.MULTILINE)


def read_faults(output: str) -> tuple[SetupFault, ...]:
    """Profiles that let in without RADIUS, or whose own subscribers log in. Raises: NotReadError."""
    orders: dict[str, list[str]] = {}
    local: dict[str, list[str]] = {}
    for profile, rest in _PROFILE.findall(output):
        ways = orders.setdefault(profile, [])
        if match := _ORDER.match(rest):
            ways += (match[1] or match[2]).split()
        elif (match := _LOCAL.match(rest)) and match[1] not in local.setdefault(profile, []):
            local[profile].append(match[1])
    if not orders:
        raise NotReadError("its access profiles were not shown")
    return tuple(fault for name, ways in orders.items() for fault in _of_profile(name, ways, local.get(name, [])))


def _of_profile(name: str, ways: list[str], local: list[str]) -> list[SetupFault]:
    advice = f"set access profile {name} authentication-order radius"
    found = []
    if "none" in ways:
        text = f"access profile {name} has `none` among its methods: logins without a password"
        found.append(SetupFault(True, text, f"delete access profile {name} authentication-order none"))
    if not ways or "password" in ways:
        asked = (
            "before RADIUS" if "radius" in ways and ways.index("password") < ways.index("radius") else "besides RADIUS"
        )
        asked = asked if "radius" in ways else "and no RADIUS"
        if local:
            text = f"access profile {name} asks its own subscribers {asked}: {some(local)}"
            found.append(SetupFault(True, text, advice))
        else:
            found.append(
                SetupFault("radius" not in ways, f"access profile {name} asks local passwords {asked}", advice)
            )
    elif local:
        text = f"access profile {name} has subscribers of its own, which nothing asks now: {some(local)}"
        found.append(SetupFault(False, text, f"delete access profile {name} subscriber NAME"))
    return found


def read_clock(output: str) -> datetime | None:
    """The first line of `show system uptime`; None in another zone than UTC."""
    match = _TIME.search(output)
    return None if match is None else read_date_first(match[0])


INSPECTION: Final = Inspection(
    ntp="set system ntp server NTP-SERVER",
    clock=ClockQuestion("show system uptime", read_clock),
    bypass=BypassQuestion(
        "show configuration access | display set", read_faults, "no access profile lets in without RADIUS"
    ),
)

"""Huawei VRP 8: the authentication scheme of every domain, and local users that may dial in.

A scheme without a mode of its own asks RADIUS. `default0`, `default1` and `default` are there from the factory: local, RADIUS, and
local before RADIUS. The domain `default_admin` is for administrators. UNCONFIRMED on a real device: which scheme a domain has that
names none (it is not judged), and how releases print the time.

Source: NetEngine 8000 F1A command reference, `authentication-mode` (order, "only when the remote server goes down", default), `display
authentication-scheme` (the three of the factory), `local-user service-type`; CloudEngine command reference, `radius-reject local`.
Next: ../method_lists.py
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from nas_drivers.clock_text import read_date_first
from nas_drivers.inspection import BypassQuestion, ClockQuestion, Inspection, NotReadError, SetupFault, some
from nas_drivers.method_lists import MethodList, list_faults

_FACTORY: Final = {"default0": ["local"], "default1": ["radius"], "default": ["local", "radius"]}
_ADMINISTRATORS: Final = "default_admin"
_AAA: Final = re.compile(r"^[ \t]*aaa[ \t\r]*$", re.MULTILINE)
_SCHEME: Final = re.compile(r" ?authentication-scheme (\S+)\s*$")
_DOMAIN: Final = re.compile(r" ?domain (\S+)\s*$")
_DIALS: Final = re.compile(r"\s*local-user (\S+) service-type .*\bppp\b")
_ZONE: Final = re.compile(r"Time Zone[^:\n]{0,80}:[ \t]*UTC([+-]\d\d:\d\d)?")


def read_faults(output: str) -> tuple[SetupFault, ...]:
    """Domains whose scheme asks somebody else than RADIUS, and local users of PPP. Raises: NotReadError."""
    if not _AAA.search(output):
        raise NotReadError("its AAA configuration was not shown")
    schemes = {name: list(ways) for name, ways in _FACTORY.items()}
    used: dict[str, str] = {}
    users, rejected, scheme, domain = [], set(), "", ""
    for line in output.splitlines():
        words = line.split()
        if match := _DIALS.match(line):
            users.append(match[1])
        elif match := _DOMAIN.fullmatch(line):
            scheme, domain = "", match[1]
        elif (match := _SCHEME.fullmatch(line)) and not line.startswith("  "):
            scheme, domain = match[1], ""
            schemes.setdefault(scheme, ["radius"])
        elif words[:1] == ["authentication-scheme"] and words[1:] and domain:
            used[domain] = words[1]
        elif words[:1] == ["authentication-mode"] and scheme:
            schemes[scheme] = words[1:]
        elif words == ["radius-reject", "local"] and scheme:
            rejected.add(scheme)
    return (*_of_domains(schemes, used, rejected), *_of_users(users))


def _of_domains(schemes: dict[str, list[str]], used: dict[str, str], rejected: set[str]) -> list[SetupFault]:
    found: list[SetupFault] = []
    for domain, scheme in used.items():
        if domain == _ADMINISTRATORS or scheme not in schemes:
            continue
        name = f"domain {domain} (scheme {scheme})"
        advice = f"in aaa, authentication-scheme {scheme}: authentication-mode radius"
        ways = MethodList(name, schemes[scheme])
        found += list_faults([ways], ours=("radius", "radius-proxy"), nobody=("none",), advice=advice)
        if scheme in rejected:
            text = f"{name} asks local users when RADIUS refuses"
            found.append(SetupFault(True, text, f"in aaa, authentication-scheme {scheme}: undo radius-reject local"))
    return found


def _of_users(users: list[str]) -> list[SetupFault]:
    if not users:
        return []
    text = f"{len(users)} local users may dial in, where a scheme asks them: {some(users)}"
    return [SetupFault(False, text, "in aaa: undo local-user NAME")]


def read_clock(output: str) -> datetime | None:
    """With the offset behind the time, else that of the time zone's line."""
    zone = _ZONE.search(output)
    return read_date_first(output, offset=None if zone is None else zone[1] or "+00:00")


INSPECTION: Final = Inspection(
    ntp="ntp-service unicast-server NTP-SERVER (in the system view, then commit)",
    clock=ClockQuestion("display clock", read_clock),
    bypass=BypassQuestion(
        "display current-configuration configuration aaa",
        read_faults,
        "every domain that names a scheme is asked of RADIUS alone",
    ),
)

"""accel-ppp on a Linux host: the modules that it loads and what its file says of logins and rates.

The file is printed without what stands behind a comma, which is where secrets are. Modules that know passwords are asked in the
order in which they are loaded, and radius answers for everybody: a file of passwords counts where it stands before radius.

Source: accel-ppp.conf(5): [modules], [auth] any-login and noauth, [chap-secrets], [shaper] rate-limit; accel-pppd/pwdb.c.
Next: ../inspection.py
"""

from __future__ import annotations

import re
from typing import Final

from nas_drivers.clock_text import read_epoch
from nas_drivers.inspection import BypassQuestion, ClockQuestion, Inspection, NotReadError, SetupFault

_SECTION: Final = re.compile(r"\[([a-z0-9_-]+)\]\s*$")
_FILE: Final = "/etc/accel-ppp.conf"


def read_faults(output: str) -> tuple[SetupFault, ...]:
    """Local passwords, logins without any, no RADIUS, no shaper, a rate for everybody. Raises: NotReadError."""
    section, modules, given = "", list[str](), dict[tuple[str, str], str]()
    for raw in output.splitlines():
        line = raw.strip()
        if match := _SECTION.match(line):
            section = match[1]
        elif section == "modules" and line and not line.startswith("#"):
            modules.append(line.partition("=")[0].strip())
        elif section and not line.startswith("#"):
            name, is_set, value = line.partition("=")
            given[section, name.strip()] = value.strip() if is_set else ""
    if not modules:
        raise NotReadError(f"{_FILE} was not shown")
    first = next((name for name in modules if name in ("radius", "chap-secrets")), "")
    rules = (
        ("radius" not in modules, True, "it does not load its module radius", "add radius to [modules]"),
        (
            first == "chap-secrets",
            True,
            "it asks its module chap-secrets before RADIUS: who stands in that file may log in without it",
            "take chap-secrets out of [modules]",
        ),
        (
            first == "radius" and "chap-secrets" in modules,
            False,
            "it loads its module chap-secrets, which is not asked as long as radius stands before it",
            "take chap-secrets out of [modules]",
        ),
        (_is_on(given, "any-login"), True, "any password will do: [auth] any-login", "any-login=0"),
        (_is_on(given, "noauth"), True, "nobody is asked for a password: [auth] noauth", "noauth=0"),
        ("shaper" not in modules, True, "it loads no shaper: no plan's rate holds", "add shaper to [modules]"),
        (
            ("shaper", "rate-limit") in given,
            False,
            "[shaper] rate-limit holds for logins that RADIUS gives none",
            "take rate-limit out of [shaper]",
        ),
    )
    again = f" in {_FILE}, then restart it: its sessions end"
    return tuple(SetupFault(grave, text, advice + again) for holds, grave, text, advice in rules if holds)


def _is_on(given: dict[tuple[str, str], str], name: str) -> bool:
    return given.get(("auth", name), "0") not in ("", "0")


INSPECTION: Final = Inspection(
    ntp="timedatectl set-ntp true",
    signs=True,
    clock=ClockQuestion("date +%s", read_epoch),
    bypass=BypassQuestion(f"sed 's/,.*//' {_FILE}", read_faults, f"{_FILE} asks RADIUS alone and has a shaper"),
)

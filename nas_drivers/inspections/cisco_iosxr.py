"""Cisco IOS-XR: the lists of methods that subscribers' logins go through, as they stand in its configuration.

`show running-config aaa` prints hashed passwords of its own users too, which are not looked at. It wants the task
`aaa`, which the user of our setup does not have: not checked, then. UNCONFIRMED on a real router: that ` task read aaa` is enough.

Source: Cisco, ASR 9000 BNG Command Reference, `aaa authentication subscriber`; ASR 9000 BNG Configuration Guide (AAA).
Next: ../method_lists.py
"""

from __future__ import annotations

import re
from typing import Final

from nas_drivers.clock_text import read_time_first
from nas_drivers.inspection import BypassQuestion, ClockQuestion, Inspection, NotReadError, SetupFault
from nas_drivers.method_lists import MethodList, list_faults

_LIST: Final = re.compile(r"^aaa authentication (subscriber|ppp) (\S+) (.+)$", re.MULTILINE)
_ANY: Final = re.compile(r"^aaa \S", re.MULTILINE)


def read_faults(output: str) -> tuple[SetupFault, ...]:
    """Lists for subscribers that ask somebody else than a server group. Raises: NotReadError."""
    if not _ANY.search(output):
        raise NotReadError("its AAA configuration was not shown")
    lists = [MethodList(f"the {kind} login list {name}", _ways(ways)) for kind, name, ways in _LIST.findall(output)]
    if not lists:
        advice = "aaa authentication subscriber default group CORRENTE"
        return (SetupFault(True, "no list of methods for subscribers' logins: RADIUS is not asked", advice),)
    advice = "aaa authentication subscriber NAME group CORRENTE, without local or none"
    return list_faults(lists, ours=("group",), nobody=("none",), advice=advice)


def _ways(text: str) -> list[str]:
    """`group CORRENTE local`: the word behind `group` is its name."""
    words = text.split()
    return [word.lower() for place, word in enumerate(words) if place == 0 or words[place - 1] != "group"]


INSPECTION: Final = Inspection(
    ntp="ntp server NTP-SERVER (in configuration mode, then commit)",
    clock=ClockQuestion("show clock", read_time_first),
    bypass=BypassQuestion("show running-config aaa", read_faults, "subscribers' logins are asked of RADIUS alone"),
)

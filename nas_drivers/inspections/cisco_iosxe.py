"""Cisco IOS-XE: the lists of methods that PPP logins go through, without anything secret in them.

`show aaa method-lists authentication` prints a queue for each kind of login. A server group's name stands behind its word, or on
the next line. UNCONFIRMED on a real router: that exec level 5 may print it after `privilege exec`, and the words LOCAL_CASE
and NONE.

Source: Cisco IOS Security Command Reference, `show aaa method-lists`, `aaa authentication ppp`; `show clock` (leading symbols);
genieparser and muninn, parsers of IOS output (form of a line).
Next: ../method_lists.py
"""

from __future__ import annotations

import re
from typing import Final

from nas_drivers.clock_text import read_time_first
from nas_drivers.inspection import BypassQuestion, ClockQuestion, Inspection, NotReadError, SetupFault
from nas_drivers.method_lists import MethodList, list_faults

_QUEUE: Final = re.compile(r"^authen\s+queue=(\S+)\s*$")
_LIST: Final = re.compile(r"^\s*name=\s*(\S+)\s+valid=(\S+)\s+id=\S+\s+:state=\S+\s+:(.*)$")
_PPP: Final = "AAA_ML_AUTHEN_PPP"
_GROUP: Final = "server_group"


def read_faults(output: str) -> tuple[SetupFault, ...]:
    """Lists for PPP that ask somebody else than a server group. Raises: NotReadError."""
    queue, lists = None, []
    seen = False
    for line in output.splitlines():
        if match := _QUEUE.match(line):
            queue, seen = match[1], seen or match[1] == _PPP
        elif line.strip().lower().startswith("permanent"):
            queue = None
        elif queue == _PPP and (match := _LIST.match(line)) and match[2].upper() == "TRUE":
            lists.append(MethodList(f"the PPP login list {match[1]}", _ways(match[3])))
    if not seen:
        raise NotReadError("its lists of login methods were not shown")
    if not lists:
        advice = "aaa authentication ppp default group CORRENTE"
        return (SetupFault(True, "no list of methods for PPP logins: RADIUS is not asked", advice),)
    advice = "aaa authentication ppp NAME group CORRENTE, without local or none"
    return list_faults(lists, ours=(_GROUP,), nobody=("none",), advice=advice)


def _ways(text: str) -> list[str]:
    """`SERVER_GROUP CORRENTE LOCAL`: the word behind a server group is its name."""
    words = text.lower().split()
    return [word for place, word in enumerate(words) if place == 0 or words[place - 1] != _GROUP]


INSPECTION: Final = Inspection(
    ntp="ntp server NTP-SERVER",
    clock=ClockQuestion("show clock", read_time_first),
    bypass=BypassQuestion("show aaa method-lists authentication", read_faults, "PPP logins are asked of RADIUS alone"),
)

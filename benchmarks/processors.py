"""How much processor time processes and all that they started have had: what a shared machine does not change.

Units: milliseconds, of all processors together; the kernel counts in hundredths of a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TICK_MS: Final = 1000 / os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat behind the command's name, from 0: the parent, then user and system time, and those of children waited for.
_PARENT, _FIRST_TIME, _LAST_TIME = 1, 11, 14


def processor_ms(roots: Iterable[int]) -> float:
    """What these processes and their descendants have used so far, those that have ended included."""
    stats: dict[int, list[str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stats[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
    wanted = set(roots)
    grown = True
    while grown:
        more = {pid for pid, fields in stats.items() if int(fields[_PARENT]) in wanted}
        grown = not more <= wanted
        wanted |= more
    return sum(
        int(time) * _TICK_MS for pid in wanted & stats.keys() for time in stats[pid][_FIRST_TIME : _LAST_TIME + 1]
    )

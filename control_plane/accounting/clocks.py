"""How far the clocks of access devices are off, gathered from their accounting and kept with one statement a minute.

A record's own delay makes a clock seem behind, and never ahead: of a device's records the one that seems furthest ahead comes
nearest to the truth. Nothing is written for a record.

Units: seconds; above 0 the device is ahead.
Next: ../store/clocks.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from control_plane.accounting.record import AccountingRecord
from control_plane.store.session_reads import NasTable

# Devices remembered between two statements; beyond that the others wait for the next minute.
_DEVICES_MAX: Final = 100_000


class Clocks:
    """What was seen since it was last taken, by source address."""

    def __init__(self) -> None:
        self._ahead_s: dict[str, int] = {}

    def see(self, records: Iterable[AccountingRecord]) -> None:
        """Note what records say; the same ones again change nothing."""
        seen = self._ahead_s
        for record in records:
            ahead_s = record.clock_ahead_s
            if ahead_s is None:
                continue
            before = seen.get(record.source)
            if before is None and len(seen) >= _DEVICES_MAX:
                continue
            if before is None or ahead_s > before:
                seen[record.source] = ahead_s

    def take(self, nases: NasTable) -> dict[int, tuple[str, int]]:
        """(source, seconds ahead) by NAS, of a group its device that is furthest off; then nothing is seen any more."""
        seen, self._ahead_s = self._ahead_s, {}
        return furthest_off(seen, nases)


def furthest_off(ahead_s: Mapping[str, int], nases: NasTable) -> dict[int, tuple[str, int]]:
    """Of each NAS the device whose clock is furthest off."""
    found: dict[int, tuple[str, int]] = {}
    for source, ahead in ahead_s.items():
        nas = nases.find(source)
        if nas is None:
            continue
        before = found.get(nas.nas_id)
        if before is None or abs(ahead) > abs(before[1]):
            found[nas.nas_id] = source, ahead
    return found

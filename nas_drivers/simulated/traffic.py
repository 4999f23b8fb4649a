"""The traffic of one session: counters that follow the rate the session runs at, whatever was changed meanwhile.

Units: rates bit/s, loads a share of the rate between 0 and 1, times seconds of any one clock.
Next: session.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_BITS_PER_OCTET: Final = 8
# About what a full-size packet carries; packet counters are read by nobody with care.
_OCTETS_PER_PACKET: Final = 1000


@dataclass(frozen=True, slots=True)
class Rates:
    """What a device was told for each direction, as the subscriber knows them. None: no limit was told."""

    down_bps: int | None = None
    up_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the session began."""

    octets_down: int = 0
    octets_up: int = 0

    @property
    def packets_down(self) -> int:
        """Packets to the subscriber."""
        return self.octets_down // _OCTETS_PER_PACKET

    @property
    def packets_up(self) -> int:
        """Packets from the subscriber."""
        return self.octets_up // _OCTETS_PER_PACKET


class Meter:
    """Counts what flows at the rate in force; a change of rate bends the line and never moves what was counted."""

    __slots__ = ("_base", "_line_bps", "_load_down", "_load_up", "_quiet_since", "_rates", "_since")

    def __init__(self, rates: Rates, *, line_bps: int, load_down: float, load_up: float, now: float) -> None:
        self._rates = rates
        self._line_bps = line_bps
        self._load_down = load_down
        self._load_up = load_up
        self._base = Counters()
        self._since = now
        self._quiet_since = None if self._flows() else now

    @property
    def quiet_since(self) -> float | None:
        """Since when nothing flows either way; None while something does."""
        return self._quiet_since

    @property
    def rates(self) -> Rates:
        """What the session runs at."""
        return self._rates

    def read(self, now: float) -> Counters:
        """The counters at `now`, which never goes back."""
        elapsed = max(0.0, now - self._since)
        down = (self._line_bps if self._rates.down_bps is None else self._rates.down_bps) * self._load_down
        up = (self._line_bps if self._rates.up_bps is None else self._rates.up_bps) * self._load_up
        return Counters(
            self._base.octets_down + int(down * elapsed / _BITS_PER_OCTET),
            self._base.octets_up + int(up * elapsed / _BITS_PER_OCTET),
        )

    def change(self, rates: Rates, now: float) -> None:
        """Run at other rates from now on."""
        self._base, self._since, self._rates = self.read(now), max(now, self._since), rates
        self._note_quiet(now)

    def load(self, *, down: float, up: float, now: float) -> None:
        """Another share of the rate from now on."""
        self._base, self._since = self.read(now), max(now, self._since)
        self._load_down, self._load_up = down, up
        self._note_quiet(now)

    def reset(self, now: float) -> None:
        """Begin again at zero, as some devices do in mid-session."""
        self._base, self._since = Counters(), now

    def _flows(self) -> bool:
        # A rate of None is the line's, which is never 0.
        return self._load_down * (self._rates.down_bps is None or self._rates.down_bps > 0) > 0 or (
            self._load_up * (self._rates.up_bps is None or self._rates.up_bps > 0) > 0
        )

    def _note_quiet(self, now: float) -> None:
        if self._flows():
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now

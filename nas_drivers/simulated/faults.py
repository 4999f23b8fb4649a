"""A script of faults: what goes wrong on a simulated device, how often and how many times. Changed at run time.

    device.faults.add(Fault(FaultKind.NAK, on={Traffic.COA}, error_cause=503, times=1))
    device.faults.add(Fault(FaultKind.SILENCE, on={Traffic.DISCONNECT}, probability=0.2))
    device.faults.clear()

The first fault in the list that is due is taken; the others wait for the next packet.
Next: change_requests.py
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Traffic(Enum):
    """Which exchange a fault strikes. The first two the device answers, the last two it begins."""

    COA = "coa"
    DISCONNECT = "disconnect"
    ACCESS = "access"
    ACCOUNTING = "accounting"


class FaultKind(Enum):
    """What goes wrong."""

    # The request never arrives: the device does nothing, or the server hears nothing and the device sends again.
    SILENCE = "silence"
    # The request has its effect, the reply never arrives.
    REPLY_LOST = "reply lost"
    # The packet goes out `delay_s` later than it should.
    LATE = "late"
    # The packet goes out twice.
    DUPLICATE = "duplicate"
    # The packet goes out after the next one of its kind, or after `delay_s`.
    REORDER = "reorder"
    # Answers only: refused with `error_cause`, or with none.
    NAK = "nak"
    # Answers only: acknowledged without any effect.
    ACK_ONLY = "ack only"
    # Answers only, forged: made with another secret; sent from another address; with the code of another exchange.
    WRONG_AUTHENTICATOR = "wrong authenticator"
    WRONG_SOURCE = "wrong source"
    WRONG_CODE = "wrong code"
    # Accounting only: the record is lost for good, as when the device's queue overflows.
    RECORD_LOST = "record lost"


_ANSWERED: Final = frozenset({Traffic.COA, Traffic.DISCONNECT})
_ANSWERS_ONLY: Final = frozenset(
    {
        FaultKind.NAK,
        FaultKind.ACK_ONLY,
        FaultKind.WRONG_AUTHENTICATOR,
        FaultKind.WRONG_SOURCE,
        FaultKind.WRONG_CODE,
    }
)


@dataclass(slots=True)
class Fault:
    """One fault. `times` counts down, None is for ever. `then_genuine` lets the true answer follow a forged one.

    Raises: ValueError when this fault can't happen to that traffic.
    """

    kind: FaultKind
    on: frozenset[Traffic] | set[Traffic]
    times: int | None = None
    probability: float = 1.0
    error_cause: int | None = None
    delay_s: float = 0.5
    then_genuine: bool = False

    def __post_init__(self) -> None:
        """Refuse what could never strike."""
        if not self.on:
            raise ValueError(f"fault {self.kind.value}: on which traffic?")
        if self.kind in _ANSWERS_ONLY and not self.on <= _ANSWERED:
            raise ValueError(f"fault {self.kind.value} can strike coa and disconnect only")
        if self.kind is FaultKind.RECORD_LOST and set(self.on) != {Traffic.ACCOUNTING}:
            raise ValueError(f"fault {self.kind.value} can strike accounting only")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"fault {self.kind.value}: probability {self.probability} is outside 0 to 1")


class FaultScript:
    """The faults of one device, in the order they are looked at."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._faults: list[Fault] = []
        self.struck: dict[FaultKind, int] = {}

    def add(self, *faults: Fault) -> None:
        """More faults behind those there are."""
        self._faults.extend(faults)

    def clear(self, kinds: Iterable[FaultKind] | None = None) -> None:
        """No more faults, or none of these kinds."""
        gone = set(FaultKind) if kinds is None else set(kinds)
        self._faults = [fault for fault in self._faults if fault.kind not in gone]

    def take(self, traffic: Traffic) -> Fault | None:
        """The fault that strikes this packet, if one does. A record that is lost never becomes a packet."""
        return self._take(traffic, lambda kind: kind is not FaultKind.RECORD_LOST)

    def loses_record(self) -> bool:
        """Whether the next accounting record is lost before it becomes a packet."""
        return self._take(Traffic.ACCOUNTING, lambda kind: kind is FaultKind.RECORD_LOST) is not None

    def _take(self, traffic: Traffic, wanted: Callable[[FaultKind], bool]) -> Fault | None:
        for fault in self._faults:
            if not wanted(fault.kind) or traffic not in fault.on or fault.times == 0:
                continue
            if self._chance.random() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
            self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
            return fault
        return None

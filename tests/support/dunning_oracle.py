"""What dunning should do, kept by hand: whole cents, days counted from one day, and a calendar that is written out.

It shares nothing with billing.dunning: it is looked at some times a day and goes from one look to the next. One contract is
named by every document; what is said of its level is what the line should be at after each look. A cent stands for whatever
a test counts in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# Monday 2 March 2026 is day 0. Closed for the test: Saturdays, Sundays, two feasts, and the days before any of them.
FEASTS = frozenset({35, 92})
OPENS, CLOSES = 9, 17
PLAIN = (("throttle", 16, 8, 1), ("walled", 22, 14, 2), ("blocked", 40, 32, 3))
LAWFUL = (("throttle", 0, 1), ("walled", 3, 2), ("blocked", 14, 3))


def is_closed(day: int) -> bool:
    """A weekend or a feast."""
    return day % 7 in (5, 6) or day in FEASTS


def may_cut(day: int, hour: int) -> bool:
    """Whether somebody answers the telephone today and tomorrow."""
    return OPENS <= hour < CLOSES and not is_closed(day) and not is_closed(day + 1)


@dataclass
class Ledger:
    """What is open: by document its due days with cents, and how much of it is in dispute."""

    open: dict[int, list[list[int]]] = field(default_factory=dict)
    disputed: dict[int, int] = field(default_factory=dict)
    credit: int = 0

    def pay(self, cents: int) -> None:
        """The day that came first is paid first; what is left is credit."""
        cents += self.credit
        for part, _ in sorted((part, number) for number, parts in self.open.items() for part in parts):
            taken = min(part[1], cents)
            part[1] -= taken
            cents -= taken
        self.credit = cents
        self.open = {number: left for number, parts in self.open.items() if (left := [one for one in parts if one[1]])}

    def owed(self, day: int) -> list[tuple[int, int]]:
        """Every overdue cent that is asked for, as (due day, document), the oldest first."""
        cents: list[tuple[int, int]] = []
        for number, parts in self.open.items():
            own = sorted(due for due, count in parts for _ in range(count))
            cents += [(due, number) for due in own[self.disputed.get(number, 0) :] if due < day]
        return sorted(cents)[self.credit :]


@dataclass
class ByHand:
    """One customer by a policy: `law` days from a notice's delivery, or None where no law asks for any.

    `open_at` says of a day and an hour whether a line may be limited then.
    """

    threshold: int
    law: int | None
    takes: int = 5
    open_at: Callable[[int, int], bool] = may_cut
    level: int = 0
    ran: list[tuple[int, str]] = field(default_factory=list)
    case: int = 0
    has_case: bool = False
    noticed_on: int | None = None
    listed: frozenset[int] = frozenset()

    def look(
        self, ledger: Ledger, *, day: int, hour: int, excluded: bool, promised: bool, relieved: bool = False
    ) -> int:
        """How far the line is limited after a look: 0 not at all, 1 throttled, 2 walled, 3 blocked.

        Who promised is not written to either; `relieved` is the line alone.
        """
        owed = ledger.owed(day)
        if len(owed) <= self.threshold:
            self._begin(has_case=False)
            self.level = 0
            return 0
        base = owed[self.threshold][0]
        if not self.has_case:
            self._begin(has_case=True)
        if self.noticed_on is not None and self._told(owed) <= self.threshold:
            self._begin(has_case=True)
        told_before = self.noticed_on
        if not excluded and not promised:
            self._write(owed, base, day)
        wanted = 0 if excluded else self._wanted(owed, base, day, told_before)
        free = self.open_at(day, hour) and not promised and not relieved
        self.level = wanted if free else min(wanted, self.level)
        return self.level

    def ease(self, ledger: Ledger, *, day: int, excluded: bool) -> int:
        """The same after somebody paid, contested or promised: at once, never heavier, and nothing is written."""
        owed = ledger.owed(day)
        if len(owed) <= self.threshold:
            self._begin(has_case=False)
            self.level = 0
            return 0
        new = not self.has_case or (self.noticed_on is not None and self._told(owed) <= self.threshold)
        wanted = 0 if excluded or new else self._wanted(owed, owed[self.threshold][0], day, self.noticed_on)
        self.level = min(wanted, self.level)
        return self.level

    def _begin(self, *, has_case: bool) -> None:
        if self.has_case:
            self.case += 1
        self.has_case, self.noticed_on, self.listed = has_case, None, frozenset()

    def _told(self, owed: list[tuple[int, int]]) -> int:
        assert self.noticed_on is not None
        return sum(number in self.listed and due < self.noticed_on for due, number in owed)

    def _write(self, owed: list[tuple[int, int]], base: int, day: int) -> None:
        formal = 16 if self.law is not None else 8
        if self.noticed_on is None and day >= base + formal:
            self.noticed_on, self.listed = day, frozenset(number for _, number in owed)

    def _wanted(self, owed: list[tuple[int, int]], base: int, day: int, noticed_on: int | None) -> int:
        if noticed_on is None:
            return 0
        if self.law is None:
            reached = [rank for _, offset, needs, rank in PLAIN if day >= max(base + offset, noticed_on + needs)]
            return max(reached, default=0)
        mine = sorted(due for due, number in owed if number in self.listed and due < noticed_on)
        if len(mine) <= self.threshold:
            return 0
        allowed = max(noticed_on + self.takes + self.law, mine[self.threshold] + 15)
        return max((rank for _, offset, rank in LAWFUL if day >= allowed + offset), default=0)

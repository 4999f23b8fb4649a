"""A day of an ISP, made from a seed: who changes plan, is throttled, cut, restored, ends. And what each of them must have then.

    day = make_day(5000, seed=7)
    day.hours[9]                # the steps of the tenth hour, in order: (deed, subscribers)
    book = Book(5000); book.note(step)
    book.given(17)              # the name of the terms that subscriber 17 must have now; None: no service

The book is kept by the test alone, from the steps it takes: nothing of the product is asked what should be. Pure.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

HOURS = 24


class Deed(Enum):
    """What happens to subscribers."""

    UPGRADE = "to Business"
    DOWNGRADE = "to Home"
    USED_UP = "quota used up"
    TOP_UP = "top-up bought"
    WALL = "walled for an unpaid invoice"
    PROMISE = "promises to pay"
    PAY = "pays"
    BLOCK = "blocked by hand"
    UNBLOCK = "unblocked by hand"
    END = "contract ends"
    RETURN = "contract begins again"
    # Of everybody who has it, so nobody is named.
    FASTER = "Business becomes faster"


# How many in a thousand of those it can happen to, in each hour.
_AN_HOUR = {
    Deed.UPGRADE: 8,
    Deed.DOWNGRADE: 12,
    Deed.USED_UP: 4,
    Deed.TOP_UP: 60,
    Deed.WALL: 8,
    Deed.PROMISE: 40,
    Deed.PAY: 150,
    Deed.BLOCK: 2,
    Deed.UNBLOCK: 150,
    Deed.END: 2,
    Deed.RETURN: 100,
}
_FASTER_AT = 13


@dataclass(frozen=True)
class Step:
    """One deed and whom it concerns, by their numbers."""

    deed: Deed
    subscribers: tuple[int, ...]


@dataclass
class Account:
    """What is in force for one subscriber, as the day has made it."""

    plan: str = "Home"
    used_up: bool = False
    topped_up: bool = False
    walled: bool = False
    promised: bool = False
    blocked: bool = False
    ended: bool = False


@dataclass
class Book:
    """Everybody's account."""

    count: int
    accounts: dict[int, Account] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    faster: bool = False

    def __post_init__(self) -> None:
        """Every third one has Business."""
        self.accounts = {n: Account("Business" if n % 3 == 0 else "Home") for n in range(1, self.count + 1)}

    def note(self, step: Step) -> None:
        """The step has been taken."""
        self.touched.update(step.subscribers)
        if step.deed is Deed.FASTER:
            self.faster = True
            self.touched.update(n for n, one in self.accounts.items() if one.plan == "Business")
        for number in step.subscribers:
            _DOES[step.deed](self.accounts[number])

    def given(self, number: int) -> str | None:
        """The name of the terms: of several restrictions the severest holds, and a promise suspends dunning's alone."""
        one = self.accounts[number]
        if one.ended or one.blocked:
            return None
        if one.walled and not one.promised:
            return "Walled"
        return "Slow" if one.used_up and not one.topped_up else one.plan

    def may(self, deed: Deed) -> list[int]:
        """To whom it can happen now."""
        return [number for number, one in self.accounts.items() if _CAN[deed](one)]


_DOES = {
    Deed.UPGRADE: lambda one: setattr(one, "plan", "Business"),
    Deed.DOWNGRADE: lambda one: setattr(one, "plan", "Home"),
    Deed.USED_UP: lambda one: setattr(one, "used_up", True),
    Deed.TOP_UP: lambda one: setattr(one, "topped_up", True),
    Deed.WALL: lambda one: setattr(one, "walled", True),
    Deed.PROMISE: lambda one: setattr(one, "promised", True),
    Deed.PAY: lambda one: setattr(one, "walled", False),
    Deed.BLOCK: lambda one: setattr(one, "blocked", True),
    Deed.UNBLOCK: lambda one: setattr(one, "blocked", False),
    Deed.END: lambda one: setattr(one, "ended", True),
    Deed.RETURN: lambda one: setattr(one, "ended", False),
}
_CAN = {
    Deed.UPGRADE: lambda one: one.plan == "Home",
    Deed.DOWNGRADE: lambda one: one.plan == "Business",
    Deed.USED_UP: lambda one: not one.used_up,
    Deed.TOP_UP: lambda one: one.used_up and not one.topped_up,
    Deed.WALL: lambda one: not one.walled and not one.promised,
    Deed.PROMISE: lambda one: one.walled and not one.promised,
    Deed.PAY: lambda one: one.walled,
    Deed.BLOCK: lambda one: not one.blocked,
    Deed.UNBLOCK: lambda one: one.blocked,
    Deed.END: lambda one: not one.ended,
    Deed.RETURN: lambda one: one.ended,
}


@dataclass(frozen=True)
class Day:
    """Twenty-four hours of steps."""

    seed: int
    hours: tuple[tuple[Step, ...], ...]

    def __str__(self) -> str:
        """A line an hour; the seed makes the same day again."""
        lines = [
            f"{hour:02}:00  " + ", ".join(f"{len(one.subscribers)} {one.deed.value}" for one in steps)
            for hour, steps in enumerate(self.hours)
        ]
        return "\n".join([f"the day of seed {self.seed}: {dict(self.counted())}", *lines])

    def counted(self) -> Counter[str]:
        """How often each deed is done."""
        deeds: Counter[str] = Counter()
        for steps in self.hours:
            for step in steps:
                deeds[step.deed.value] += len(step.subscribers)
        return deeds

    def of(self, number: int) -> list[str]:
        """What the day holds for one subscriber, for a failure's message."""
        return [
            f"{hour:02}:00 {step.deed.value}"
            for hour, steps in enumerate(self.hours)
            for step in steps
            if number in step.subscribers
        ]


def make_day(count: int, *, seed: int) -> Day:
    """A day for so many subscribers. Every deed happens at least once an hour, as far as there is anybody for it."""
    chance, book = random.Random(seed), Book(count)
    hours = []
    for hour in range(HOURS):
        deeds = list(_AN_HOUR)
        chance.shuffle(deeds)
        steps = []
        for deed in deeds:
            able = book.may(deed)
            some = chance.sample(able, min(len(able), max(1, len(able) * _AN_HOUR[deed] // 1000)))
            steps.append(Step(deed, tuple(some)))
            book.note(steps[-1])
        if hour == _FASTER_AT:
            steps.append(Step(Deed.FASTER, ()))
        hours.append(tuple(steps))
    return Day(seed, tuple(hours))

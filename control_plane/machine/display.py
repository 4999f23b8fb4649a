"""How `corrente up` speaks: a live screen on a terminal, plain lines without one.

Next: screen.py
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Final, Protocol

from rich.console import Console
from rich.live import Live

from control_plane.machine.live_figures import LoginDecision
from control_plane.machine.screen import Picture, decision_line, draw, plain_line, printable

PLAIN_INTERVAL_S: Final = 5.0
_PLAIN_DECISIONS: Final = 3
_MESSAGES_KEPT: Final = 50


class Display(Protocol):
    """Where `corrente up` says what happens."""

    messages: deque[str]

    def say(self, text: str) -> None:
        """One thing that happened."""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Something that takes a moment."""

    def show(self, picture: Picture) -> None:
        """The figures as they are now; called about every second."""

    def leave(self) -> None:
        """No more pictures: what is said now stands below."""


class PlainDisplay:
    """Lines with their time, for a log or a pipe."""

    def __init__(self, console: Console, zone: tzinfo) -> None:
        self.messages: deque[str] = deque(maxlen=_MESSAGES_KEPT)
        self._console = console
        self._zone = zone
        self._shown_at = 0.0
        self._last: LoginDecision | None = None

    def say(self, text: str) -> None:
        """Write one line."""
        now = datetime.now(UTC).astimezone(self._zone)
        line = printable(text)
        self.messages.append(f"{now:%H:%M:%S} {line}")
        self._console.print(f"{now:%Y-%m-%dT%H:%M:%S%z} {line}", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what begins, and how long it took when that was long."""
        started = time.monotonic()
        self.say(text)
        yield
        took_s = time.monotonic() - started
        if took_s > 1:
            self.say(f"{text}: done in {took_s:.1f} s")

    def show(self, picture: Picture) -> None:
        """Every few seconds the figures, and the latest decisions that were not written yet."""
        now = time.monotonic()
        if now - self._shown_at < PLAIN_INTERVAL_S:
            return
        self._shown_at = now
        self.say(plain_line(picture))
        decisions = picture.network.decisions if picture.network else ()
        new = decisions[: decisions.index(self._last)] if self._last in decisions else decisions
        for decision in reversed(new[:_PLAIN_DECISIONS]):
            self.say(decision_line(decision))
        self._last = decisions[0] if decisions else self._last

    def leave(self) -> None:
        """Nothing to put away."""
        self._shown_at = 0.0


class LiveDisplay:
    """Steps with a spinner, then one screen that stays."""

    def __init__(self, console: Console, zone: tzinfo) -> None:
        self.messages: deque[str] = deque(maxlen=_MESSAGES_KEPT)
        self._console = console
        self._zone = zone
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """Below the figures while the screen stands, else a line."""
        line = printable(text)
        self.messages.append(f"{datetime.now(UTC).astimezone(self._zone):%H:%M:%S} {line}")
        if self._live is None:
            self._console.print(f"  {line}", markup=False, highlight=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """A spinner while it lasts, a tick when it is done."""
        if self._live is not None:
            self.say(text)
            yield
            return
        started = time.monotonic()
        with self._console.status(text):
            yield
        self._console.print(f"  [green]✓[/green] {text} [dim]{time.monotonic() - started:.1f} s[/dim]", highlight=False)

    def show(self, picture: Picture) -> None:
        """Draw the screen anew."""
        if self._live is None:
            self._live = Live(console=self._console, screen=True, auto_refresh=False)
            self._live.start()
        self._live.update(
            draw(picture, zone=self._zone, height=self._console.height, width=self._console.width), refresh=True
        )

    def leave(self) -> None:
        """Give the terminal back as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def display_for(console: Console, zone: tzinfo) -> PlainDisplay | LiveDisplay:
    """A live screen on a terminal, lines elsewhere."""
    return (
        LiveDisplay(console, zone)
        if console.is_terminal and not console.is_dumb_terminal
        else PlainDisplay(console, zone)
    )

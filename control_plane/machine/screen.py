"""The live screen of `corrente up`: figures in, something to draw out. Pure.

Next: display.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from control_plane.machine.live_figures import Drift, LoginDecision, NetworkFigures

_GOOD: Final = "green"
_BAD: Final = "bold red"
_CARE: Final = "yellow"
_MESSAGES: Final = 6
# Below this many lines only the figures and the processes are drawn.
_FULL_HEIGHT: Final = 24


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """One process: `pid` 0 when it does not run. Units: seconds."""

    name: str
    state: str
    pid: int
    up_s: int


@dataclass(frozen=True, slots=True)
class Picture:
    """All that one drawing of the screen shows. None means: not known now."""

    title: str
    where: str
    network: NetworkFigures | None
    records_per_s: float | None
    drift: Drift | None
    store_age_s: float | None
    waiting_octets: int
    processes: tuple[ProcessLine, ...]
    messages: tuple[str, ...]


def draw(picture: Picture, *, zone: tzinfo, height: int = 40) -> RenderableType:
    """The whole screen. Times of day are shown in `zone`."""
    parts: list[RenderableType] = [_figures(picture), _processes(picture.processes)]
    if height >= _FULL_HEIGHT:
        notices = len(picture.network.notices) if picture.network else 0
        room = height - len(parts) - 18 - notices
        decisions = picture.network.decisions if picture.network else ()
        parts.append(_decisions(decisions[: max(room, 3)], zone))
    parts.append(_messages(picture.messages[-_MESSAGES:]))
    return Panel(
        Group(*parts), title=picture.title, subtitle=f"{picture.where}   Ctrl-C stops", border_style="blue", expand=True
    )


def _figures(picture: Picture) -> Group:
    table = Table.grid(padding=(0, 3), expand=True)
    network = picture.network
    headings = ("subscribers online", "logins/s", "refused/s", "accounting records/s", "drift")
    values = (
        _number(None if network is None else network.online),
        _rate(None if network is None else network.accepts_per_s),
        _rate(None if network is None else network.rejects_per_s),
        _rate(picture.records_per_s),
        drift_text(picture.drift),
    )
    for _ in headings:
        table.add_column(justify="left")
    table.add_row(*(Text(heading, style="dim") for heading in headings))
    table.add_row(*values)
    notices = network.notices if network else ()
    told = Text("\n").join(Text(printable(one), style=_BAD) for one in notices)
    return Group(table, Text(_below(picture), style="dim"), *([told] if notices else []))


def _below(picture: Picture) -> str:
    parts = [] if picture.store_age_s is None else [f"policies checked {picture.store_age_s:.0f} s ago"]
    if picture.network is not None and picture.network.stale:
        parts.append(f"{picture.network.stale} sessions silent")
    if picture.waiting_octets > 1_000_000:
        parts.append(f"{picture.waiting_octets / 1e6:.0f} MB spooled")
    return " · ".join(parts)


def drift_text(drift: Drift | None) -> Text:
    """Drift in words: 0 is the aim, `not yet` is before the first measurement."""
    if drift is None:
        return Text("not yet", style=_CARE)
    text = Text(str(drift.drifted), style=f"bold {_GOOD}" if drift.drifted == 0 else _BAD)
    if drift.unknown:
        text.append(f" ({drift.unknown} unknown)", style=_CARE)
    return text


def _number(value: int | None) -> Text:
    return Text("not yet", style=_CARE) if value is None else Text(f"{value:,}", style="bold")


def _rate(value: float | None) -> Text:
    return Text("not yet", style=_CARE) if value is None else Text(f"{value:,.1f}", style="bold")


def _processes(processes: Sequence[ProcessLine]) -> Text:
    text = Text()
    for one in processes:
        running = one.state == "RUNNING"
        text.append("● " if running else "○ ", style=_GOOD if running else _BAD)
        text.append(one.name)
        text.append(
            f" {_duration(one.up_s)}   " if running else f" {one.state.lower()}   ", style="dim" if running else _BAD
        )
    text.append("\n")
    return text


def _duration(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"


def _decisions(decisions: Sequence[LoginDecision], zone: tzinfo) -> Table:
    table = Table(
        title="Last decisions", title_justify="left", expand=True, box=None, header_style="dim", padding=(0, 1)
    )
    table.add_column("time", width=8, no_wrap=True)
    table.add_column("answer", width=7, no_wrap=True)
    table.add_column("reason", width=17, no_wrap=True)
    table.add_column("subscriber account", ratio=4, no_wrap=True, overflow="ellipsis")
    table.add_column("NAS", max_width=20, no_wrap=True, overflow="ellipsis")
    table.add_column("why", ratio=3, no_wrap=True, overflow="ellipsis")
    for one in decisions:
        accepted = one.outcome == "accept"
        style = (_GOOD if one.reason == "full" else _CARE) if accepted else _BAD
        table.add_row(
            f"{one.at.astimezone(zone):%H:%M:%S}",
            Text(one.outcome, style=style),
            one.reason.replace("_", " "),
            Text(printable(one.username)),
            Text(printable(one.nas)),
            Text(printable(one.detail), style="dim"),
        )
    return table


def _messages(messages: Sequence[str]) -> Text:
    return Text(
        "\n" + "\n".join(printable(message) for message in messages), style="dim", overflow="ellipsis", no_wrap=True
    )


def plain_line(picture: Picture) -> str:
    """The same on one line, for a log."""
    network = picture.network
    figures = (
        "database away"
        if network is None
        else f"online {network.online} · logins/s {network.accepts_per_s:.1f} · refused/s {network.rejects_per_s:.1f}"
    )
    records = "not yet" if picture.records_per_s is None else f"{picture.records_per_s:.1f}"
    down = [f"{one.name} {one.state.lower()}" for one in picture.processes if one.state != "RUNNING"]
    state = "all running" if not down else ", ".join(down)
    state = " · ".join((state, *map(printable, network.notices))) if network else state
    return f"{figures} · accounting/s {records} · drift {drift_text(picture.drift).plain} · {state}"


def decision_line(decision: LoginDecision) -> str:
    """One decision on one line, for a log."""
    why = f" ({decision.detail})" if decision.detail else ""
    return printable(f"{decision.outcome} {decision.reason}: {decision.username} at {decision.nas}{why}")


def printable(text: str) -> str:
    """`text` without what could move a cursor: usernames come from the network."""
    return "".join(character if character.isprintable() else "?" for character in text)

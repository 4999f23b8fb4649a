"""The live screen of `corrente up`: figures in, something to draw out. Pure.

Next: display.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from control_plane.machine.demo_loop import LoopLine, cut_words, open_words
from control_plane.machine.live_figures import BooksFigures, Drift, LoginDecision, NetworkFigures

_GOOD: Final = "green"
_BAD: Final = "bold red"
_CARE: Final = "yellow"
_MESSAGES: Final = 6
# In fewer columns names would be cut for what the reason says too.
_WIDE: Final = 100
# With less room than this none are drawn.
_FEWEST_DECISIONS: Final = 3
# What to try in a second terminal, where there are books.
_LOOK: Final = "corrente customer list · dunning cuts · payment queue list · ledger check"


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
    books: BooksFigures | None = None
    doing: str = ""  # in the books, behind the scenes
    loop: tuple[LoopLine, ...] = ()
    next_at: datetime | None = None  # when the next late payer is walled off


def draw(picture: Picture, *, zone: tzinfo, height: int = 40, width: int = 120) -> RenderableType:
    """The whole screen, in that many lines and columns. Times of day are shown in `zone`.

    The figures and the story come first; what is said and the last decisions share what is left.
    """
    parts: list[RenderableType] = [_figures(picture), *_books(picture), _processes(picture.processes)]
    if picture.loop or picture.next_at:
        parts.append(_story(picture.loop, picture.next_at, zone))
    room = height - 2 - sum(_height(one, width - 4) for one in parts)
    # Where fewer decisions than that would have room, what is said has it.
    beside = room - 1 - _FEWEST_DECISIONS - 2
    said = picture.messages[-min(_MESSAGES, max(beside if beside > 1 else room - 1, 1)) :]
    rows = room - 1 - len(said) - 2
    decisions = picture.network.decisions if picture.network else ()
    if rows >= _FEWEST_DECISIONS:
        parts.append(_decisions(decisions[:rows], zone, says_why=width >= _WIDE))
    parts.append(_messages(said))
    return Panel(
        Group(*parts), title=picture.title, subtitle=f"{picture.where}   Ctrl-C stops", border_style="blue", expand=True
    )


def _height(part: RenderableType, width: int) -> int:
    """How many lines it takes."""
    return len(Console(width=width, color_system=None).render_lines(part, pad=False))


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


def _books(picture: Picture) -> list[Text]:
    """Two lines about the books, none where nobody bills."""
    said = books_text(picture)
    return [Text(said, no_wrap=True, overflow="ellipsis"), Text(_LOOK, style="dim", no_wrap=True)] if said else []


def books_text(picture: Picture) -> str:
    """The books in one line: what is being done, customers, documents, turnover of the last whole month."""
    books = picture.books
    if books is None:
        return ""
    sold = " and ".join(f"{net:,} {currency}" for currency, net in books.turnover)
    parts = [picture.doing] if picture.doing else []
    parts += [f"{books.customers:,} customers", f"{books.documents:,} documents"]
    parts += [f"turnover of {books.month:%Y-%m} {sold}"] if sold else []
    return " · ".join(parts)


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


def _processes(processes: Sequence[ProcessLine]) -> Group:
    """Side by side, as many as there is room for; a process with its mark and state stays in one line."""
    told = []
    for one in processes:
        running = one.state == "RUNNING"
        text = Text(no_wrap=True).append("● " if running else "○ ", style=_GOOD if running else _BAD).append(one.name)
        state = _duration(one.up_s) if running else one.state.lower()
        told.append(text.append(f" {state}", style="dim" if running else _BAD))
    return Group(Columns(told, padding=(0, 3)), Text())


def _duration(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"


def _decisions(decisions: Sequence[LoginDecision], zone: tzinfo, *, says_why: bool) -> Table:
    table = Table(
        title="Last decisions", title_justify="left", expand=True, box=None, header_style="dim", padding=(0, 1)
    )
    table.add_column("time", width=8, no_wrap=True)
    table.add_column("answer", width=7, no_wrap=True)
    table.add_column("reason", width=17, no_wrap=True)
    table.add_column("subscriber account", ratio=4, no_wrap=True, overflow="ellipsis")
    table.add_column("NAS", max_width=20, no_wrap=True, overflow="ellipsis")
    if says_why:
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
            *([Text(printable(one.detail), style="dim")] if says_why else []),
        )
    return table


def _story(lines: Sequence[LoopLine], next_at: datetime | None, zone: tzinfo) -> Text:
    """Who did not pay, was put on notice and walled off, paid and is open again, each with its time; below it those before."""
    text = Text(no_wrap=True, overflow="ellipsis")
    coming = "" if next_at is None else f"next from {next_at.astimezone(zone):%H:%M:%S}"
    if not lines:
        return text.append(f"From unpaid to open: {coming}\n", style="bold")
    one = lines[0]
    text.append("From unpaid to open: ", style="bold").append(f"{_short(one)} owes {one.owed}")
    text.append(f"   {coming}\n" if coming else "\n", style="dim")
    for is_done, when, what, style in _steps(one, zone):
        text.append("  ✓ " if is_done else "  · ", style=_GOOD if is_done else "dim")
        text.append(f"{when:<10}", style="dim").append(f"{what}\n", style=style if is_done else "dim")
    if len(lines) > 1:
        before = " · ".join(f"{_short(was)} {open_words(was).removeprefix('open again: ')}" for was in lines[1:])
        text.append(f"  before: {before}\n", style="dim")
    return text


def _steps(one: LoopLine, zone: tzinfo) -> list[tuple[bool, str, str, str]]:
    """What has happened and what comes: whether it has, when, in words, how it looks."""

    def clock(at: datetime) -> str:
        return f"{at.astimezone(zone):%H:%M:%S}"

    cut = f": {cut_words(one)}" if one.cut or one.paid_at else ""
    paid, opened = one.paid_at, one.opened
    return [
        (True, f"{one.since:%d %b}", "unpaid", ""),
        (True, f"{one.noticed_on:%d %b}", "the formal notice came", ""),
        (True, clock(one.cut_at), f"walled off{cut}", _CARE),
        (paid is not None, clock(paid) if paid else "", f"paid {one.paid_where}" if paid else "paid", ""),
        (opened is not None, clock(opened.answered_at) if opened else "", open_words(one) if opened else "open again", f"bold {_GOOD}"),
    ]  # fmt: skip


def _short(one: LoopLine) -> str:
    return printable(one.username).partition("@")[0]


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
    books = f" · {books_text(picture)}" if picture.books else ""
    return f"{figures} · accounting/s {records} · drift {drift_text(picture.drift).plain} · {state}{books}"


def decision_line(decision: LoginDecision) -> str:
    """One decision on one line, for a log."""
    why = f" ({decision.detail})" if decision.detail else ""
    return printable(f"{decision.outcome} {decision.reason}: {decision.username} at {decision.nas}{why}")


def printable(text: str) -> str:
    """`text` without what could move a cursor: usernames come from the network."""
    return "".join(character if character.isprintable() else "?" for character in text)

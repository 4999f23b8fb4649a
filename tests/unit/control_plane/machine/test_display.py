import io
import re
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console

from control_plane.machine.display import LiveDisplay, PlainDisplay, display_for
from control_plane.machine.live_figures import LoginDecision, NetworkFigures
from control_plane.machine.screen import Picture, ProcessLine

FIRST = LoginDecision(datetime(2026, 11, 21, 18, 5, 9, tzinfo=UTC), "accept", "full", "anna", "tower", "")
SECOND = replace(FIRST, at=datetime(2026, 11, 21, 18, 5, 12, tzinfo=UTC), username="[red]eva[/red]\x1b[2J")


def picture(*decisions: LoginDecision) -> Picture:
    return Picture(
        title="Corrente · My ISP",
        where="RADIUS 127.0.0.1:1812",
        network=NetworkFigures(online=1834, stale=0, accepts_per_s=3.0, rejects_per_s=0.5, decisions=decisions),
        records_per_s=15.0,
        drift=None,
        store_age_s=0.6,
        waiting_octets=0,
        processes=(ProcessLine("edge", "RUNNING", 7, 75),),
        messages=(),
    )


def console(*, terminal: bool) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=120,
        height=40,
        _environ={"TERM": "xterm"} if terminal else {},
    )


def written(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_a_terminal_gets_the_screen_and_a_pipe_gets_lines():
    assert type(display_for(console(terminal=True), UTC)) is LiveDisplay
    assert type(display_for(console(terminal=False), UTC)) is PlainDisplay


def test_in_a_log_each_line_has_its_time_and_no_control_character_of_the_network():
    out = console(terminal=False)
    PlainDisplay(out, UTC).show(picture(SECOND))
    figures, decision = written(out).splitlines()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000 online 1834", figures)
    assert decision.endswith("accept full: [red]eva[/red]?[2J at tower")


def test_in_a_log_figures_come_every_few_seconds_only_and_a_decision_once():
    out = console(terminal=False)
    display = PlainDisplay(out, UTC)
    display.show(picture(FIRST))
    display.show(picture(SECOND, FIRST))
    assert len(written(out).splitlines()) == 2
    display.leave()
    display.show(picture(SECOND, FIRST))
    said = [line for line in written(out).splitlines() if "accept full" in line]
    assert ["anna" in line for line in said] == [True, False]


def test_on_a_terminal_steps_are_ticked_before_the_screen_and_messages_stand_below_after_it():
    out = console(terminal=True)
    display = LiveDisplay(out, UTC)
    with display.step("Starting PostgreSQL"):
        pass
    assert "✓" in written(out)
    display.show(picture(FIRST))
    drawn = written(out)
    # The alternate screen is entered, so that the shell's own lines come back at the end.
    assert "\x1b[?1049h" in drawn
    assert "1,834" in drawn
    display.say("edge died")
    assert "edge died" not in written(out)
    assert display.messages[-1].endswith("edge died")
    display.leave()
    display.say("Stopped in 1.0 s")
    assert "\x1b[?1049l" in written(out)
    assert written(out).endswith("  Stopped in 1.0 s\n")

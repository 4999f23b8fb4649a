from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from rich.console import Console

from control_plane.machine.demo_loop import Change, LoopLine, loop_words
from control_plane.machine.live_figures import BooksFigures, Drift, LoginDecision, NetworkFigures
from control_plane.machine.screen import Picture, ProcessLine, decision_line, draw, plain_line

AT = datetime(2026, 11, 21, 18, 5, 9, tzinfo=UTC)
REFUSED = LoginDecision(
    AT, "reject", "wrong_password", "eva.tarini7@corrente.example", "monte-alto-1", "the password does not match"
)
WALLED = LoginDecision(
    AT, "accept", "walled_garden", "ugo.valena9@corrente.example", "kingsbridge-olt", "invoice unpaid"
)
PICTURE = Picture(
    title="Corrente · My ISP",
    where="RADIUS 127.0.0.1:1812",
    network=NetworkFigures(online=1834, stale=2, accepts_per_s=3.25, rejects_per_s=0.4, decisions=(REFUSED, WALLED)),
    records_per_s=15.04,
    drift=Drift(sessions=1834, drifted=0, unknown=0),
    store_age_s=0.6,
    waiting_octets=0,
    processes=(ProcessLine("postgres", "RUNNING", 4242, 75), ProcessLine("edge", "BACKOFF", 0, 0)),
    messages=("18:05:01 edge died (signal 9), started again",),
)
ROME = ZoneInfo("Europe/Rome")


def drawn(picture: Picture, *, width: int = 140, height: int = 40) -> str:
    console = Console(width=width, height=height, record=True, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(draw(picture, zone=ROME, height=height, width=width))
    return capture.get()


def test_the_four_figures_stand_on_the_screen():
    screen = drawn(PICTURE)
    headings, values = next(
        (one, two) for one, two in zip(screen.splitlines(), screen.splitlines()[1:], strict=False) if "drift" in one
    )
    assert [
        word for word in ("subscribers online", "logins/s", "accounting records/s", "drift") if word not in headings
    ] == []
    assert values.strip("│ ").split() == ["1,834", "3.2", "0.4", "15.0", "0"]


def test_decisions_are_shown_with_their_reasons_in_the_operators_time():
    screen = drawn(PICTURE)
    # 18:05 UTC is 19:05 in Rome in November.
    assert "19:05:09" in screen
    assert "wrong password" in screen
    assert "the password does not match" in screen
    assert "walled garden" in screen


def test_a_process_that_is_down_is_named_with_its_state():
    assert "○ edge backoff" in drawn(PICTURE)
    assert "● postgres 1m" in drawn(PICTURE)


def test_what_happened_is_said():
    assert "edge died (signal 9), started again" in drawn(PICTURE)


def test_drift_counts_sessions_that_are_not_what_they_should_be():
    assert " 3 (1 unknown)" in drawn(replace(PICTURE, drift=Drift(1834, 3, 1)))


def test_before_the_first_figures_it_says_not_yet():
    screen = drawn(replace(PICTURE, network=None, drift=None, records_per_s=None))
    assert screen.count("not yet") == 5


def test_a_username_is_never_taken_for_markup():
    trap = replace(REFUSED, username="[red]x[/red]", detail="[bold]")
    figures = replace(PICTURE.network, decisions=(trap,))
    screen = drawn(replace(PICTURE, network=figures))
    assert "[red]x[/red]" in screen
    assert "[bold]" in screen


def test_a_control_byte_in_a_username_never_reaches_the_terminal():
    trap = replace(REFUSED, username="a\x1b[2Jb")
    assert "\x1b[2J" not in drawn(replace(PICTURE, network=replace(PICTURE.network, decisions=(trap,))))
    assert "\x1b" not in decision_line(trap)


def test_it_fits_a_small_terminal():
    screen = drawn(PICTURE, width=80, height=20)
    assert len(screen.splitlines()) <= 20
    assert "1,834" in screen


def test_it_fits_a_usual_terminal_with_many_decisions():
    many = replace(PICTURE, network=replace(PICTURE.network, decisions=(REFUSED,) * 12), messages=("m",) * 9)
    assert len(drawn(many, width=80, height=24).splitlines()) <= 24
    assert len(drawn(many, width=200, height=50).splitlines()) <= 50


def test_the_plain_line_has_the_same_figures():
    assert plain_line(PICTURE) == (
        "online 1834 · logins/s 3.2 · refused/s 0.4 · accounting/s 15.0 · drift 0 · edge backoff"
    )


def test_the_plain_line_says_when_all_is_well_and_when_the_database_is_away():
    well = replace(PICTURE, processes=PICTURE.processes[:1])
    assert plain_line(well).endswith("all running")
    assert plain_line(replace(well, network=None)).startswith("database away")


def test_a_decision_on_a_line_names_reason_account_and_nas():
    assert decision_line(REFUSED) == (
        "reject wrong_password: eva.tarini7@corrente.example at monte-alto-1 (the password does not match)"
    )


def test_what_keeps_changes_from_the_devices_stands_on_the_screen_and_in_the_log():
    held = ("EVERYTHING IS STOPPED by root: a wrong import", "GUARD TRIPPED: 497 of 1,842 subscribers online")
    picture = replace(PICTURE, network=replace(PICTURE.network, notices=held))
    for notice in held:
        assert notice in drawn(picture, width=100)
        assert notice in plain_line(picture)
    assert "STOPPED" not in drawn(PICTURE)


def test_notices_take_their_lines_from_the_decisions_and_not_from_the_messages():
    held = ("EVERYTHING IS STOPPED by root: x", "GUARD TRIPPED: y", "in maintenance: bras-1")
    network = replace(PICTURE.network, decisions=(REFUSED,) * 12, notices=held)
    screen = drawn(replace(PICTURE, network=network), height=30)
    assert "edge died (signal 9)" in screen
    assert len(screen.splitlines()) <= 30


def test_on_a_narrow_terminal_names_are_whole_and_the_reason_says_why():
    screen = drawn(PICTURE, width=80, height=24)
    assert "eva.tarini7@" in screen
    assert "wrong password" in screen
    assert "does not match" not in screen


def test_the_names_of_nases_are_whole_on_a_narrow_terminal():
    far = replace(WALLED, username="cosimo.ferez191@corrente.example", nas="puerto-claro-bras", detail="")
    screen = drawn(replace(PICTURE, network=replace(PICTURE.network, decisions=(far, REFUSED))), width=100)
    assert "puerto-claro-bras" in screen
    assert "cosimo.ferez191@corr" in screen


def test_the_books_stand_on_the_screen_with_what_to_look_at():
    books = BooksFigures(2000, 20514, date(2026, 10, 1), (("EUR", Decimal("46395.46")),))
    billing = replace(PICTURE, books=books, doing="billing the past year: 7 of 12 months")
    line = (
        "billing the past year: 7 of 12 months · 2,000 customers · 20,514 documents · turnover of 2026-10 46,395.46 EUR"
    )
    assert line in drawn(billing)
    assert "ledger check" in drawn(billing)
    assert plain_line(billing).endswith(line)


def test_without_an_issuer_nothing_is_said_of_books():
    assert "customers" not in drawn(PICTURE)
    assert "ledger check" not in drawn(PICTURE)


WALLED_OFF = LoopLine(
    "oscar.monaldi3@corrente.example",
    "114.50 EUR",
    date(2026, 7, 16),
    date(2026, 10, 8),
    AT,
    Change("CoA", AT + timedelta(milliseconds=90), "verified"),
)
PAID_AT = AT + timedelta(seconds=40)
OPEN_AGAIN = replace(
    WALLED_OFF,
    paid_at=PAID_AT,
    paid_where="to Pedro Sanz, receipt 3/PE/2026",
    opened=Change("CoA", PAID_AT + timedelta(milliseconds=84), "acked"),
)


def story(screen: str) -> list[str]:
    """The lines from its heading on, without the frame and what is blank."""
    lines = [line.strip("│ ") for line in screen.splitlines()]
    first = next(place for place, line in enumerate(lines) if line.startswith("From unpaid to open"))
    return lines[first : lines.index("", first)]


def test_who_pays_before_one_s_eyes_stands_with_all_times():
    picture = replace(PICTURE, loop=(OPEN_AGAIN, replace(OPEN_AGAIN, username="ugo")), next_at=AT + timedelta(seconds=120))  # fmt: skip
    told = [
        "From unpaid to open: oscar.monaldi3 owes 114.50 EUR   next from 19:07:09",
        "✓ 16 Jul    unpaid",
        "✓ 08 Oct    the formal notice came",
        "✓ 19:05:09  walled off: CoA ACK after 90 ms, verified",
        "✓ 19:05:49  paid to Pedro Sanz, receipt 3/PE/2026",
        "✓ 19:05:49  open again: CoA ACK after 84 ms",
        "before: ugo CoA ACK after 84 ms",
    ]
    picture = replace(picture, messages=("m", "n", "o", *PICTURE.messages))
    for width, height in ((100, 30), (80, 24)):
        screen = drawn(picture, width=width, height=height)
        assert any(line.strip("│ ") == "o" for line in screen.splitlines())
        assert story(screen) == told
        assert len(screen.splitlines()) <= height
        assert "edge died (signal 9)" in screen


def test_what_is_still_to_come_of_a_story_has_no_tick_and_no_time():
    assert story(drawn(replace(PICTURE, loop=(replace(WALLED_OFF, cut=None),))))[3:] == [
        "✓ 19:05:09  walled off",
        "·           paid",
        "·           open again",
    ]
    coming = replace(PICTURE, next_at=AT)
    assert "From unpaid to open: next from 19:05:09" in drawn(coming, width=80, height=24)


def test_a_story_in_a_line_for_a_log():
    assert loop_words(OPEN_AGAIN) == (
        "oscar.monaldi3@corrente.example owes 114.50 EUR since 2026-07-16, on notice since 2026-10-08: walled off, CoA ACK after 90 ms, "
        "verified; paid to Pedro Sanz, receipt 3/PE/2026, open again: CoA ACK after 84 ms"
    )
    assert loop_words(replace(OPEN_AGAIN, cut=None, opened=None)).endswith(
        "walled off, at its next login; paid to Pedro Sanz, receipt 3/PE/2026, open again with the next login"
    )

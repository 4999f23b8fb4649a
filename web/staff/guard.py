"""The guard: how many automation may cut in an hour, what waits for a person and why, letting it go, and what else persons may say:
stop and resume, exempt contracts, take a run back, and what would be done tonight.

Next: guard_deeds.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, render_template, request

from control_plane.access.permissions import Permission
from control_plane.control_loop.guard import Verdict, Wait
from control_plane.explaining.explain_now import step_words
from control_plane.explaining.forecast_page import Would, load_forecast, would_of
from control_plane.interventions import load_guard_page
from control_plane.store.automation import load_runs
from control_plane.store.forecast import OpenChange
from control_plane.store.held_restrictions import load_held_restrictions
from control_plane.store.interventions import load_exemptions, load_held_lines
from web.acting import transaction
from web.language import lazy
from web.later import later_when_large
from web.lists import PAGE_ROWS, after, chosen, page_of
from web.marks import allowed
from web.navigation import Entry
from web.staff.network_words import LEVEL_TONES, LEVELS
from web.surroundings import here

pages = Blueprint("guard", __name__)
ENTRIES: Final = (Entry("network", lazy("Guard"), "guard.show", Permission.NETWORK_SEE, order=70),)
_RUNS_SHOWN: Final = 50
_LINES_SHOWN: Final = 200
_WORDS: Final = {"levels": LEVELS, "level_tones": LEVEL_TONES}
_DAYS: Final = ("0", "1", "2", "7", "30")


@pages.get("/guard")
@allowed(Permission.NETWORK_SEE)
def show() -> str:
    """Its state, and what waits behind it, a line a change."""
    now = datetime.now(UTC)
    with transaction() as connection:
        page = load_guard_page(connection, here().settings, now)
        begin = after()
        lines = load_held_lines(connection, now, after=int(begin[0]) if begin else 0, limit=PAGE_ROWS + 1)
        held = load_held_restrictions(connection, after=0, limit=PAGE_ROWS + 1) if page.runs else []
    return render_template(
        "staff/guard/show.html",
        guard=page,
        lines=page_of(lines, lambda row: (row.id,)),
        held=held[:PAGE_ROWS],
        more_held=len(held) > PAGE_ROWS,
        waits=bool(page.held or page.runs),
        open="guard",
        **_WORDS,
    )


@pages.get("/guard/restrictions")
@allowed(Permission.NETWORK_SEE)
def restrictions() -> str:
    """All restrictions of runs that wait for a person."""
    begin = after()
    with transaction() as connection:
        rows = load_held_restrictions(connection, after=int(begin[0]) if begin else 0, limit=PAGE_ROWS + 1)
    return render_template("staff/guard/restrictions.html", held=page_of(rows, lambda row: (row.id,)), **_WORDS)


@pages.get("/guard/exemptions")
@allowed(Permission.NETWORK_SEE)
def exemptions() -> str:
    """The contracts that automation never cuts, until when, and why."""
    with transaction() as connection:
        found = load_exemptions(connection, datetime.now(UTC))
    return render_template("staff/guard/exemptions.html", found=found, open="exemptions")


@pages.get("/guard/runs")
@allowed(Permission.NETWORK_SEE)
def runs() -> str:
    """The last runs of automation, and what of each is in force."""
    with transaction() as connection:
        found = load_runs(connection, now=datetime.now(UTC), limit=_RUNS_SHOWN)
    return render_template("staff/guard/runs.html", found=found, open="runs")


@pages.get("/guard/forecast")
@allowed(Permission.NETWORK_SEE)
@later_when_large("session", lazy("Forecast"))
def forecast() -> str:
    """What would be sent now and in the days to come if nobody touches anything, each with its reason."""
    days = int(chosen("days", _DAYS) or "1")
    with transaction() as connection:
        found = load_forecast(connection, here().settings, days=days, now=datetime.now(UTC))
    lines = [(one, step_words(one.coming.before, found.profiles), step_words(one.coming.after, found.profiles)) for one in found.judged[:_LINES_SHOWN]]  # fmt: skip
    return render_template(
        "staff/guard/forecast.html",
        found=found,
        lines=lines,
        cuts=sum(one.coming.disruptive for one in found.judged),
        waiting=sum(bool(one.waits) for one in found.judged),
        changes=[(one, _would(one, found.verdicts.get(one.id))) for one in found.changes[:_LINES_SHOWN]],
        shown=_LINES_SHOWN,
        days=days,
        choices=_DAYS,
        asked=request.args,
        open="forecast",
        **_WORDS,
    )


def _would(change: OpenChange, verdict: Verdict | None) -> tuple[str, str]:
    """What would become of an open change, and its tone."""
    would = would_of(change, verdict)
    if would is Would.WAIT and verdict is not None and verdict.wait is not None:
        return str(_WAITS[verdict.wait]), "warn"
    words, tone = _WOULD[would]
    return str(words), tone


_WOULD: Final[dict[Would, tuple[Any, str]]] = {
    Would.BE_OVER: (lazy("Be over"), "calm"),
    Would.BE_DROPPED: (lazy("Be dropped: it is no longer due"), "calm"),
    Would.BE_VERIFIED: (lazy("Be verified"), "busy"),
    Would.GO_AGAIN: (lazy("Go again"), "busy"),
    Would.GO: (lazy("Go"), "busy"),
}
_WAITS: Final = {
    Wait.NETWORK_STOP: lazy("Wait: everything is stopped"),
    Wait.MAINTENANCE: lazy("Wait: its device is in maintenance"),
    Wait.EXEMPT: lazy("Wait: the contract is exempt"),
    Wait.SHARE: lazy("Wait for a person: too many in an hour"),
}

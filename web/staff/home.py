"""The first page after signing in: what is asked of this person, then the network at a glance, live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.nas_standing import Standing
from control_plane.network_now import SPANS, load_network_now
from control_plane.store import network_figures as figures
from web.acting import clock, may, transaction
from web.database import Connection
from web.language import chosen_language, gettext, lazy
from web.lists import chosen
from web.live_parts import part
from web.marks import allowed, signed_in
from web.navigation import Entry
from web.staff.network_words import DEEDS, DRIFT, HAPPENINGS, REASONS, STANDINGS
from web.surroundings import here

pages = Blueprint("home", __name__)
ENTRIES: Final = (Entry("home", lazy("Home"), "home.show", Permission.NETWORK_SEE, order=0),)

_LIVE_S: Final = 5.0
# What is behind by more than this is no hiccup any more.
_LAG_S: Final = 60.0
_MOST_NASES: Final = 12
# What a look brings anew of the chart: more than any that was missed meanwhile.
_FRESH: Final = timedelta(minutes=10)
_SPANS: Final[dict[str, tuple[Any, timedelta, timedelta]]] = {
    "day": (lazy("Day"), *SPANS["day"]),
    "week": (lazy("Week"), *SPANS["week"]),
    "month": (lazy("Month"), *SPANS["month"]),
    "year": (lazy("Year"), *SPANS["year"]),
}


@pages.get("/")
@signed_in()
def begin() -> Response:
    """Lead to the page that this person works with first."""
    if may(Permission.CASH_TAKE) and not may(Permission.CUSTOMER_SEE):
        return redirect("/field", 303)
    if may(Permission.AGENT_OWN) and not may(Permission.CUSTOMER_SEE):
        return redirect(url_for("agent_own.show"), 303)
    if not may(Permission.NETWORK_SEE) and may(Permission.CUSTOMER_SEE):
        return redirect(url_for("customers.show_list"), 303)
    return redirect(url_for("home.show") if may(Permission.NETWORK_SEE) else "/me", 303)


@pages.get("/home")
@allowed(Permission.NETWORK_SEE)
def show() -> str:
    """The network now."""
    asked = chosen("span", _SPANS) or "day"
    with transaction() as connection:
        now = clock(connection)
        drawn = _drawn(connection, now, asked, back=_SPANS[asked][1])
        values = _look(connection, asked)
    return render_template("staff/home.html", drawn=drawn, span=asked, spans=_SPANS, **values)


@pages.get("/home/live")
@allowed(Permission.NETWORK_SEE)
def live() -> Response:
    """The same again and again, for as long as somebody looks."""
    asked = chosen("span", _SPANS) or "day"
    key = ("home", chosen_language(), asked)
    return here().streams.stream(key, part("staff/home_live.html", lambda one: _look(one, asked)), interval_s=_LIVE_S)


def _drawn(connection: Connection, now: datetime, span: str, *, back: timedelta) -> dict[str, Any]:
    """The chart of subscribers online, or its end."""
    points = figures.load_online_over_time(connection, since=now - back, step=_SPANS[span][2])
    label = gettext("Subscribers online")
    return {
        "x": [at for at, _ in points],
        "span": _SPANS[span][1].total_seconds(),
        "series": [{"label": label, "values": [most for _, most in points], "kind": "number"}],
    }


def _look(connection: Connection, span: str) -> Mapping[str, Any]:
    """All that the live part shows."""
    now = clock(connection)
    found = load_network_now(connection, now)
    lag = found.lags[0] if found.lags else None
    return {
        "now": now,
        "online": found.online,
        "fresh": _drawn(connection, now, span, back=max(_FRESH, _SPANS[span][2])),
        "accepted": found.accepted,
        "refused": [one for one in found.answers if one.outcome == "reject"],
        "restricted": [one for one in found.answers if one.outcome == "accept" and one.reason != "full"],
        "sweep": found.sweep,
        "queue": found.queue,
        "held": found.held,
        "alarms": found.alarms,
        "stop": found.stop,
        "trip": found.trip,
        "nases": found.nases[:_MOST_NASES],
        "more_nases": max(0, len(found.nases) - _MOST_NASES),
        "counts": found.standings,
        "lag": lag,
        "lag_is_long": lag is not None and lag.behind_s > _LAG_S,
        "happenings": found.happenings,
        "words": {"reasons": REASONS, "standings": STANDINGS, "drift": DRIFT, "deeds": DEEDS, "happenings": HAPPENINGS},
        "Standing": Standing,
    }

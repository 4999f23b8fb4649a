"""Maintenance: nothing is sent to a device while somebody works on it; of one device or of all of a site.

Next: guard.py
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from control_plane.access.permissions import Permission
from control_plane.interventions import begin_maintenance_of, end_maintenance_of
from control_plane.quantities import QuantityError, read_instant
from control_plane.store.interventions import load_maintenance, load_open
from control_plane.store.nas_list import NasNow, load_nases_now, load_sites
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, moment_shown, ngettext, zone
from web.marks import allowed
from web.navigation import Entry

pages = Blueprint("maintenance", __name__)
ENTRIES: Final = (Entry("network", lazy("Maintenance"), "maintenance.show", Permission.NETWORK_SEE, order=60),)
Answer = Response | str | tuple[str, int]
_ALL: Final = 100_000


class BeginForm(PageForm):
    """Of what, why and until when."""

    what = SelectField(lazy("Of what"), validate_choice=True)
    reason = StringField(lazy("Reason"), [DataRequired(REQUIRED), Length(max=500)])
    until = StringField(lazy("It ends by itself"))


@pages.get("/maintenance")
@allowed(Permission.NETWORK_SEE)
def show() -> str:
    """The devices in maintenance, until when, why, and what waits for them."""
    with transaction() as connection:
        found = load_maintenance(connection, datetime.now(UTC))
    return render_template("staff/maintenance/show.html", found=found)


@pages.route("/maintenance/begin", methods=["GET", "POST"])
@allowed(Permission.NETWORK_ACT)
def begin() -> Answer:
    """Begin one: first what would wait is shown."""
    now = datetime.now(UTC)
    with transaction() as connection:
        nases, sites = load_nases_now(connection, now=now, limit=_ALL), load_sites(connection)
    asked = f"nas {request.args['nas']}" if request.args.get("nas") else ""
    form = read_form(BeginForm, what=asked)
    form.what.choices = [
        SelectChoice("", ""),
        *(SelectChoice(f"site {site}", site, optgroup=gettext("All of a site")) for site in sites),
        *(SelectChoice(f"nas {nas.name}", nas.name, optgroup=gettext("One device")) for nas in nases),
    ]
    if was_sent(form):
        chosen = _chosen(form.what.data, nases)
        until = _until(form, now)
        if not chosen:
            refuse(form, "what", str(REQUIRED))
        if not form.errors:
            if request.form.get("confirmed"):
                return do_once(lambda connection: _begin(connection, chosen, form.reason.data, until))
            return _asked_first(form, chosen, until)
    return render_template("staff/maintenance/begin.html", form=form), status_of(form)


def _chosen(what: str, nases: list[NasNow]) -> list[NasNow]:
    kind, _, name = what.partition(" ")
    return [nas for nas in nases if name and name == (nas.site if kind == "site" else nas.name)]


def _until(form: BeginForm, now: datetime) -> datetime | None:
    if not form.until.data:
        return None
    try:
        until = read_instant(form.until.data.replace("T", " "), zone=zone(), now=now)
    except QuantityError:
        refuse(form, "until", gettext("Write it such as %(example)s.", example="2026-01-31 18:40"))
        return None
    if until <= now:
        refuse(form, "until", gettext("That is over."))
    return until


def _asked_first(form: BeginForm, chosen: list[NasNow], until: datetime | None) -> Answer:
    with transaction() as connection:
        waiting = [load_open(connection, nas.id) for nas in chosen]
    sessions = sum(nas.live_sessions for nas in chosen)
    does = [
        gettext("Nothing is sent to %(names)s: no cut, and no restored service either.", names=", ".join(nas.name for nas in chosen)),
        ngettext("%(num)s live session is not changed meanwhile. Logins go on.", "%(num)s live sessions are not changed meanwhile. Logins go on.", sessions),
        ngettext("%(num)s change that waits now goes on waiting.", "%(num)s changes that wait now go on waiting.", sum(one.milder + one.disruptive for one in waiting)),
        gettext("It ends by itself: %(moment)s.", moment=moment_shown(until)) if until else gettext("It ends when somebody ends it."),
    ]  # fmt: skip
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Begin maintenance?"),
        does=does,
        button=gettext("Begin maintenance"),
        tone="primary",
        fields={"what": [form.what.data], "until": [form.until.data or ""]},
        back=url_for("maintenance.show"),
    )


def _begin(connection: Connection, chosen: list[NasNow], reason: str, until: datetime | None) -> str:
    nases = [(nas.id, nas.name) for nas in chosen]
    begun = len(
        begin_maintenance_of(connection, nases, reason=reason, until=until, actor=person().name, now=datetime.now(UTC))
    )
    words = ngettext("%(num)s device is in maintenance.", "%(num)s devices are in maintenance.", begun)
    flash(words if begun else gettext("All of them were in maintenance already."), "good")
    return url_for("maintenance.show")


@pages.route("/maintenance/end", methods=["GET", "POST"])
@allowed(Permission.NETWORK_ACT)
def end() -> Answer:
    """Send again to a device, or to all of a site that are in maintenance: what waits goes first."""
    now = datetime.now(UTC)
    form = read_form(PageForm)
    asked = {"nas": request.values.get("nas"), "site": request.values.get("site")}
    with transaction() as connection:
        in_it = {one.nas: one for one in load_maintenance(connection, now)}
        nases = load_nases_now(connection, now=now, limit=_ALL)
    chosen = [
        nas
        for nas in nases
        if nas.name in in_it and (nas.name == asked["nas"] or (asked["site"] and nas.site == asked["site"]))
    ]
    if was_sent(form):
        # Sent a second time there is none in it any more, and it is led to where the first time led.
        return do_once(lambda connection: _end(connection, chosen))
    if not chosen:
        raise NotFound
    waiting = sum(in_it[nas.name].waiting for nas in chosen)
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("End the maintenance of %(names)s?", names=", ".join(nas.name for nas in chosen)),
        does=[
            ngettext("%(num)s change that waits is sent.", "%(num)s changes that wait are sent.", waiting),
            gettext("The guard still holds what is too much."),
        ],
        button=gettext("End maintenance"),
        tone="primary",
        fields={name: [value] for name, value in asked.items() if value},
        back=url_for("maintenance.show"),
    )


def _end(connection: Connection, chosen: list[NasNow]) -> str:
    nases = [(nas.id, nas.name) for nas in chosen]
    ended = len(end_maintenance_of(connection, nases, actor=person().name, now=datetime.now(UTC)))
    flash(ngettext("%(num)s device is sent to again.", "%(num)s devices are sent to again.", ended), "good")
    return url_for("maintenance.show")

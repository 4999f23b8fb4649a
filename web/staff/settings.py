"""The installation's settings as this process has them: read from a file, so they are changed there; of secrets only whether they are set.

How long staff stay signed in is set here: who notices that it is too long has no time for a file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, flash, g, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange

from control_plane.access.permissions import Permission
from control_plane.access.session_length import (
    LEAST_HOURS,
    LEAST_IDLE_MINUTES,
    MOST_HOURS,
    MOST_IDLE_MINUTES,
    IdleIsLongerError,
    change_session_length,
)
from control_plane.settings_shown import shown_secrets, shown_settings
from control_plane.store.staff_sessions import Session, SessionLength, hold_length, load_length
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import REQUIRED, PageForm, changed_meanwhile, fingerprint, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, ngettext, span_shown
from web.marks import allowed
from web.navigation import Entry
from web.staff_words import access_words
from web.surroundings import here

pages = Blueprint("settings", __name__)
ENTRIES: Final = (Entry("system", lazy("Settings"), "settings.show", Permission.SETTING_SEE, order=20),)
# What each section of the file is about, and which page has what of it is changed without the file.
SECTIONS: Final[dict[str, Any]] = {
    "operator": lazy("Who runs this network"),
    "database": lazy("Database"),
    "paths": lazy("Where state lives"),
    "radius": lazy("RADIUS servers"),
    "access": lazy("Logins"),
    "edge": lazy("The process beside FreeRADIUS"),
    "worker": lazy("The process that runs jobs"),
    "accounting": lazy("Accounting"),
    "retention": lazy("How long data is kept"),
    "guard": lazy("How much automation may cut"),
    "billing": lazy("Billing by itself"),
    "papers": lazy("What is printed"),
    "webhooks": lazy("Webhooks"),
    "gateways": lazy("Gateways"),
    "messages": lazy("When customers are written to"),
    "email": lazy("Mail server"),
    "mailbox": lazy("Mailbox of what comes back"),
    "push": lazy("Notices on devices"),
    "einvoice": lazy("E-invoices"),
    "web": lazy("Console and portal"),
    "garden": lazy("Where limited lines land"),
    "drivers": lazy("Devices of a vendor"),
}


class SessionsForm(PageForm):
    """How long who has signed in stays in."""

    idle_minutes = IntegerField(
        lazy("Without a click"), [InputRequired(REQUIRED), NumberRange(LEAST_IDLE_MINUTES, MOST_IDLE_MINUTES)]
    )
    most_hours = IntegerField(lazy("In any case"), [InputRequired(REQUIRED), NumberRange(LEAST_HOURS, MOST_HOURS)])


@pages.get("/settings")
@allowed(Permission.SETTING_SEE)
def show() -> str:
    """Section by section; what is not as usual is marked."""
    settings = here().settings
    with transaction() as connection:
        length = load_length(connection)
    return render_template(
        "staff/settings/show.html",
        source=settings.source_file,
        sections=[(one, SECTIONS[one.name.partition(".")[0]]) for one in shown_settings(settings)],
        secrets=shown_secrets(settings),
        length=length,
    )


@pages.route("/settings/sessions", methods=["GET", "POST"])
@allowed(Permission.SETTING_SEE, Permission.SETTING_CHANGE)
def sessions() -> Response | tuple[str, int]:
    """Set how long staff stay signed in, once it is known who is out by it."""
    with transaction() as connection:
        there = load_length(connection)
    form = read_form(SessionsForm, shown=there)
    if not form.seen.data:
        form.seen.data = fingerprint(there)
    back = url_for("settings.show")
    if was_sent(form):
        try:
            if not is_confirmed() and (does := _ends_by_it(form)):
                question = gettext("Sign out who has been in for longer?")
                return confirm_page(form, question, does, button=gettext("Set it and sign them out"), back=back), 200
            with transaction() as connection:
                if not changed_meanwhile(form, hold_length(connection)):
                    _change(connection, form)
                    flash(gettext("Kept. It holds for everybody who is signed in, too."), "good")
                    return redirect(back, 303)
        except IdleIsLongerError as refused:
            refuse(form, "idle_minutes", access_words(refused))
    return render_template("staff/settings/sessions.html", form=form, back=back), status_of(form)


def _ends_by_it(form: Any) -> list[str]:
    """What is told before it is done; empty where nobody is out by it."""
    with rehearsal() as connection:
        ended = _change(connection, form)
    if not ended:
        return []
    names = sorted({one.name for one in ended})
    does = [
        gettext(
            "Sessions end after %(idle)s without a click, and after %(most)s in any case.",
            idle=span_shown(form.idle_minutes.data * 60),
            most=span_shown(form.most_hours.data * 3600),
        ),
        ngettext(
            "%(num)s session ends now: of %(names)s.",
            "%(num)s sessions end now: of %(names)s.",
            len(ended),
            names=", ".join(names),
        ),
    ]
    if any(one.id == g.entered.session_id for one in ended):
        does.append(gettext("Yours is among them: you sign in again."))
    return does


def _change(connection: Connection, form: Any) -> list[Session]:
    length = SessionLength(form.idle_minutes.data, form.most_hours.data)
    return change_session_length(connection, length, actor=person().name, now=datetime.now(UTC))

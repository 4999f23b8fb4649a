"""Who had an address at a time; every look-up stands in the audit log with its reason."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, render_template, request
from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from control_plane.access.permissions import Permission
from control_plane.accounts.holders import LookedUp, Unknown, look_up
from web.acting import clock, person, transaction
from web.forms import REQUIRED, PageForm, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, moment_shown
from web.marks import allowed
from web.navigation import Entry
from web.staff.account_fields import HostField, MomentField
from web.surroundings import here

pages = Blueprint("who_had", __name__)
ENTRIES: Final = (Entry("network", lazy("Who had an address"), "who_had.ask", Permission.HOLDER_SEE, order=80),)
_MOST_PORT: Final = 65_535


class WhoHadForm(PageForm):
    """Which address, when, and why it is asked."""

    address = HostField(lazy("Address"), [InputRequired(REQUIRED)], example="198.51.100.7")
    at = MomentField(lazy("When"), [InputRequired(REQUIRED)])
    port = IntegerField(lazy("Source port"), [Optional(), NumberRange(0, _MOST_PORT)])
    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=500)])


@pages.route("/who-had", methods=["GET", "POST"])
@allowed(Permission.HOLDER_SEE)
def ask() -> tuple[str, int]:
    """Ask, and tell. An address in the question begins the form."""
    form = read_form(WhoHadForm)
    found: LookedUp | None = None
    if request.method == "GET" and request.args.get("address"):
        form.address.raw_data = [request.args["address"][:64]]
    if was_sent(form):
        with transaction() as connection:
            now = clock(connection)
            if form.at.data > now:
                refuse(form, "at", gettext("This is still to come."))
            else:
                found = look_up(
                    connection,
                    form.address.data.network_address,
                    at=form.at.data,
                    port=form.port.data,
                    reason=form.reason.data,
                    actor=person().name,
                    now=now,
                    kept_days=here().settings.retention.address_history_days,
                )
    if found is not None and found.shared:
        refuse(
            form,
            "port",
            gettext("%(number)s subscribers shared it then: give the source port.", number=len(found.holders)),
        )
    nobody = _nobody(found, form) if found is not None and not found.holders else ""
    shown = found.holders if found is not None and not found.shared else ()
    return render_template("staff/who_had.html", form=form, holders=shown, nobody=nobody), status_of(form)


def _nobody(found: LookedUp, form: Any) -> str:
    """That nobody had it, or why that is not known."""
    when = moment_shown(form.at.data)
    match found.unknown:
        case Unknown.NOT_KEPT:
            days = here().settings.retention.address_history_days
            return gettext(
                "The history of addresses is kept for %(days)s days: %(when)s is further back.", days=days, when=when
            )
        case Unknown.BEFORE_US:
            began = moment_shown(found.since)
            return gettext("Nothing is known of %(when)s: this database began at %(began)s.", when=when, began=began)
        case Unknown.MONTH_GONE:
            return gettext("The history of addresses of %(when)s is no longer kept.", when=when)
        case None:
            return gettext("Nobody had it at %(when)s.", when=when)

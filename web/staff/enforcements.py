"""Changes on their way to live sessions: where each stands, every packet of one, and one more try."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from control_plane.control_loop.enforcement import State
from control_plane.drift_deeds import NotSentAgainError, send_again
from control_plane.store.enforcement_list import load_enforcement, load_enforcements, load_packets
from control_plane.store.nas import load_nas
from web.acting import person, transaction
from web.database import Connection
from web.forms import PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.lists import FILE_ROWS, PAGE_ROWS, after, chosen, file_of, page_of
from web.marks import allowed
from web.navigation import Entry
from web.staff.change_words import CAUSES, CODES, METHODS, PROOFS, STATES, state_shown
from web.staff.network_words import LEVEL_TONES, LEVELS
from web.surroundings import here

pages = Blueprint("enforcements", __name__)
ENTRIES: Final = (Entry("network", lazy("Changes"), "enforcements.show_all", Permission.NETWORK_SEE, order=50),)

Answer = Response | str | tuple[str, int]
_WORDS: Final = {
    "causes": CAUSES,
    "codes": CODES,
    "methods": METHODS,
    "states": STATES,
    "levels": LEVELS,
    "level_tones": LEVEL_TONES,
    "state_shown": state_shown,
}


@pages.get("/enforcements")
@allowed(Permission.NETWORK_SEE)
def show_all() -> Answer:
    """The newest first, or those asked for."""
    which = chosen("which", ("open", "held", "alarms"))
    asked = {
        "username": request.args.get("user", "").strip() or None,
        "nas": request.args.get("nas", "").strip() or None,
        "state": chosen("state", [one.value for one in State]),
        "open_only": which == "open" or request.args.get("open") == "yes",
        "held_only": which == "held",
        "alarms": which == "alarms",
    }
    with transaction() as connection:
        if request.args.get("file"):
            rows = load_enforcements(connection, **asked, limit=FILE_ROWS)  # type: ignore[arg-type]  # one by one above
            columns = ("number", "wanted at", "username", "nas", "level", "reason", "state", "method", "tried", "error cause", "problem")  # fmt: skip
            lines = (
                (
                    row.id,
                    row.wanted_at,
                    row.username,
                    row.nas,
                    row.level,
                    row.reason,
                    row.state,
                    row.method,
                    row.attempt,
                    row.error_cause,
                    row.problem,
                )
                for row in rows
            )
            file = file_of("enforcements", columns, lines)
            assert file is not None
            return file
        begin = after()
        rows = load_enforcements(
            connection,
            **asked,  # type: ignore[arg-type]
            before=int(begin[0]) if begin else None,
            limit=PAGE_ROWS + 1,
        )
    return render_template(
        "staff/enforcements/list.html", page=page_of(rows, lambda row: (row.id,)), asked=any(asked.values()), **_WORDS
    )


@pages.get("/enforcements/<int:number>")
@allowed(Permission.NETWORK_SEE)
def show(number: int) -> str:
    """One: why, from what to what, each state with its time, every packet with its attributes."""
    with transaction() as connection:
        found = load_enforcement(connection, number)
        if found is None:
            raise NotFound
        packets = load_packets(connection, number)
        nas = load_nas(connection, found.nas)
    return render_template(
        "staff/enforcements/show.html",
        one=found,
        packets=packets,
        proof=PROOFS.get(nas.verification if nas else "none"),
        **_WORDS,
    )


@pages.route("/enforcements/<int:number>/retry", methods=["GET", "POST"])
@allowed(Permission.NETWORK_ACT)
def retry(number: int) -> Answer:
    """Send it now: one that waits becomes due, one that was given up is opened anew."""
    form = read_form(PageForm)
    if was_sent(form):
        try:
            return do_once(lambda connection: _retry(connection, number))
        except NotSentAgainError as error:
            refuse(
                form,
                "",
                gettext("It is on its way, or waits for its proof: there is nothing to send now.")
                if error.under_way
                else gettext("Its session is over, or has another change open."),
            )
    with transaction() as connection:
        found = load_enforcement(connection, number)
    if found is None:
        raise NotFound
    does = [
        gettext("It goes to %(nas)s, for %(username)s.", nas=found.nas, username=found.username),
        gettext("It takes something away: the session may end.")
        if found.disruptive
        else gettext("It takes nothing away."),
        gettext("The guard, maintenance and the stop still hold; nothing is sent that is no longer wanted."),
    ]
    page = render_template(
        "confirm.html",
        form=form,
        question=gettext("Send change %(number)s now?", number=number),
        does=does,
        button=gettext("Send it now"),
        tone="danger" if found.disruptive else "primary",
        fields={},
        back=url_for("enforcements.show", number=number),
    )
    return page, status_of(form)


def _retry(connection: Connection, number: int) -> str:
    found = load_enforcement(connection, number)
    if found is None:
        raise NotFound
    again = send_again(connection, here().settings, found, actor=person().name, now=datetime.now(UTC))
    flash(gettext("Change %(number)s is due now.", number=again), "good")
    return url_for("enforcements.show", number=again)

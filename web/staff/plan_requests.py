"""Requests of subscribers for another plan: answered here once the contract is changed, or with why it is not."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response
from wtforms import TextAreaField
from wtforms.validators import Length

from control_plane.access.permissions import Permission
from control_plane.plan_answers import answer_and_tell
from control_plane.store.plan_requests import load_open_requests, load_request
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import PageForm, do_once, read_form, status_of, was_sent
from web.language import gettext, lazy
from web.lists import after, page_of
from web.marks import allowed
from web.navigation import Entry

pages = Blueprint("plan_requests", __name__)
ENTRIES: Final = (Entry("customers", lazy("Plan requests"), "plan_requests.show_all", Permission.PORTAL_SEE, order=60),)
_ROWS: Final = 50
_LONGEST: Final = 1000


class AnswerForm(PageForm):
    """What the subscriber reads."""

    answer = TextAreaField(lazy("Answer"), [Length(max=_LONGEST)])


@pages.get("/plan-requests")
@allowed(Permission.PORTAL_SEE)
def show_all() -> str:
    """What waits for an answer, the oldest first."""
    key = after()
    with transaction() as connection:
        found = load_open_requests(connection, after=int(key[0]) if key else None, limit=_ROWS + 1)
    return render_template(
        "staff/plan_requests/list.html", page=page_of(found, lambda one: (one.id,), rows_a_page=_ROWS)
    )


@pages.route("/plan-requests/<int:number>/<any(accept, decline):verdict>", methods=["GET", "POST"])
@allowed(Permission.PORTAL_CHANGE)
def answer(number: int, verdict: str) -> Response | tuple[str, int]:
    """Say that the contract was changed, or why it is not."""
    with transaction() as connection:
        asked = load_request(connection, number) if number < 2**63 else None
    if asked is None:
        raise NotFound
    form = read_form(AnswerForm)
    if was_sent(form):
        return do_once(lambda connection: _answer(connection, number, verdict == "accept", form.answer.data or None))
    return render_template("staff/plan_requests/answer.html", form=form, asked=asked, verdict=verdict), status_of(form)


def _answer(connection: Connection, number: int, accepted: bool, words: str | None) -> str:
    now = clock(connection)
    if answer_and_tell(connection, number, accepted=accepted, answer=words, by=person().name, now=now) is None:
        raise Conflict(gettext("Somebody else has answered this request."))
    return url_for("plan_requests.show_all")

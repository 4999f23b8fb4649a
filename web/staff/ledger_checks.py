"""The check of the books: asked for here, done by the worker, and what it found kept; no page waits for it.

Next: ledger.py
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

from flask import Blueprint, abort, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField
from wtforms.fields.choices import SelectChoice

from billing.store import asked_checks as store
from control_plane.access.permissions import Permission
from control_plane.books_check import NAMES, ask
from web.acting import person, transaction
from web.check_words import ENSURES, place_of
from web.database import Connection
from web.forms import PageForm, do_once, read_form, status_of, was_sent
from web.language import chosen_language, lazy
from web.lists import FILE_ROWS, PAGE_ROWS, after, chosen, file_of, page_of
from web.live_parts import part
from web.marks import allowed
from web.navigation import Entry
from web.surroundings import here

pages = Blueprint("ledger_checks", __name__)
ENTRIES: Final = (Entry("books", lazy("Check"), "ledger_checks.list_", Permission.LEDGER_SEE, order=90),)
_LIVE_S: Final = 1.0
_GREATEST_ID: Final = 2**63 - 1
# Of each check, on the page of all of them.
_FIRST: Final = 5
_BEFORE_ALL: Final = (0, 0)


class WhichChecks(PageForm):
    """Which ones; none chosen are all."""

    only = SelectMultipleField(lazy("Only these"), choices=[SelectChoice(name, ENSURES[name]) for name in NAMES])


@pages.route("/ledger/checks", methods=["GET"])
@allowed(Permission.LEDGER_SEE)
def list_() -> str:
    """The checks that were asked for, the newest first."""
    begin = after()
    with transaction() as connection:
        rows = store.load_checks(connection, before=begin[0] if begin else _GREATEST_ID, limit=PAGE_ROWS + 1)
    form = read_form(WhichChecks)
    return render_template("staff/ledger_checks/list.html", page=page_of(rows, lambda one: (one.id,)), form=form)


@pages.route("/ledger/checks/new", methods=["GET", "POST"])
@allowed(Permission.LEDGER_POST)
def new() -> str | Response | tuple[str, int]:
    """Ask for one, of everything or of some checks alone; one that is under way is shown instead of a second."""
    form: WhichChecks = read_form(WhichChecks)
    if was_sent(form):
        return do_once(
            lambda own: url_for("ledger_checks.show", number=ask(own, form.only.data or [], by=person().name))
        )
    return render_template("staff/ledger_checks/new.html", form=form), status_of(form)


@pages.get("/ledger/checks/<int:number>")
@allowed(Permission.LEDGER_SEE)
def show(number: int) -> str:
    """One of them: how far it is, and what is wrong by kind."""
    with transaction() as connection:
        shown = _shown(connection, number)
    if shown["asked"] is None:
        abort(404)
    return render_template("staff/ledger_checks/show.html", **shown, form=read_form(WhichChecks))


@pages.get("/ledger/checks/<int:number>/live")
@allowed(Permission.LEDGER_SEE)
def live(number: int) -> Response:
    """The same while it goes on."""
    key = ("books check", chosen_language(), number)
    look = part("staff/ledger_checks/live.html", lambda connection: _shown(connection, number))
    return here().streams.stream(key, look, interval_s=_LIVE_S)


@pages.get("/ledger/checks/<int:number>/findings")
@allowed(Permission.LEDGER_SEE)
def findings(number: int) -> str | Response:
    """All that it found and kept, of one check or of all, as a page and as a file."""
    name, begin = chosen("check", NAMES), after()
    with transaction() as connection:
        asked = store.load_check(connection, number) if number <= _GREATEST_ID else None
        if asked is None:
            abort(404)
        rows = store.load_findings(connection, number, name=name, after=_BEFORE_ALL, limit=FILE_ROWS)
        made = file_of(
            f"books-check-{number}",
            ("check", "subject", "message"),
            ((one.name, one.subject, one.message) for one in rows),
        )
        if made is not None:
            return made
        rows = store.load_findings(
            connection, number, name=name, after=(begin[0], begin[1]) if begin else _BEFORE_ALL, limit=PAGE_ROWS + 1
        )
        results = [one for one in store.load_results(connection, number) if one.findings]
    return render_template(
        "staff/ledger_checks/findings.html",
        asked=asked,
        page=page_of(rows, lambda one: (one.place, one.number)),
        checks=[(one.name, ENSURES.get(one.name, one.name)) for one in results],
        place_of=place_of,
        ensures=ENSURES,
    )


def _shown(connection: Connection, number: int) -> dict[str, Any]:
    found = store.load_check(connection, number) if number <= _GREATEST_ID else None
    results = [] if found is None else store.load_results(connection, number)
    first = [] if found is None else store.load_first_findings(connection, number, each=_FIRST)
    return {
        "asked": found,
        "results": results,
        "at": next((one for one in results if one.begun_at and not one.ended_at), None),
        "first": {place: list(rows) for place, rows in groupby(first, key=lambda one: one.place)},
        "ensures": ENSURES,
        "place_of": place_of,
    }

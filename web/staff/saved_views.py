"""Lists as somebody likes to see them: a filter kept under a name, one of them as what the list opens with.

A list uses them by two lines: `first_look("online")` before all else leads to the kept view that is its first look, and
`views=views_of("online")` in its template gives `menu(views)` of parts/saved_views.html what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, abort, flash, redirect, request
from werkzeug.wrappers import Response
from wtforms.fields import BooleanField, HiddenField, StringField
from wtforms.validators import InputRequired, Length

from control_plane.store.saved_views import SavedView, delete_view, load_view, load_views, save_view, set_default
from web.acting import person, transaction
from web.addresses import own_address
from web.forms import PageForm, read_form, was_sent
from web.language import gettext, lazy
from web.marks import signed_in

pages = Blueprint("saved_views", __name__)

# The question that says that the list is wanted as it is, whatever it opens with else.
PLAIN: Final = "plain"
# Where on a list somebody is, and what is no part of how it looks.
_NOT_KEPT: Final = frozenset({"after", "file", PLAIN})
_MOST_LETTERS: Final = 2000


@dataclass(frozen=True, slots=True)
class Views:
    """What a list's menu of views shows: those that are kept, with their addresses, and what would be kept now."""

    page: str
    path: str
    query: str
    kept: tuple[tuple[SavedView, str, bool], ...]


class _Keep(PageForm):
    page = HiddenField()
    query = HiddenField(validators=[Length(max=_MOST_LETTERS)])
    name = StringField(lazy("Name"), [InputRequired(), Length(max=100)])
    default = BooleanField(lazy("Open the list with it"))


def first_look(page: str) -> Response | None:
    """Where a list that was opened without any question leads, if somebody keeps a view to open it with."""
    if request.args:
        return None
    with transaction() as connection:
        found = next((one for one in load_views(connection, person().id, page) if one.is_default), None)
    return redirect(f"{request.path}?{found.query}", 303) if found is not None and found.query else None


def views_of(page: str) -> Views:
    """What the menu of views of this list shows."""
    query = _query_of(request.query_string.decode("utf-8", "replace"))
    with transaction() as connection:
        found = load_views(connection, person().id, page)
    kept = tuple((one, f"{request.path}?{one.query or PLAIN + '=yes'}", one.query == query) for one in found)
    return Views(page, request.path, query, kept)


@pages.post("/views")
@signed_in()
def keep() -> Response:
    """Keep how a list looks now under a name."""
    back = own_address(request.form.get("back")) or "/"
    form = read_form(_Keep)
    name = " ".join((form.name.data or "").split())
    if not was_sent(form) or not name.isprintable():
        flash(gettext("A view needs a name of at most 100 letters."), "bad")
        return redirect(back, 303)
    with transaction() as connection:
        kept = save_view(
            connection,
            person().id,
            page=form.page.data,
            name=name,
            query=_query_of(form.query.data or ""),
            default=bool(form.default.data),
        )
    if kept:
        flash(gettext("Kept as %(name)s.", name=name), "good")
    else:
        flash(gettext("There are too many views of this list. Forget one first."), "bad")
    return redirect(back, 303)


@pages.post("/views/<int:number>/<any(default, plain, forget):deed>")
@signed_in()
def change(number: int, deed: str) -> Response:
    """Make a view what the list opens with, or not any more, or forget it."""
    with transaction() as connection:
        found = load_view(connection, person().id, number)
        if found is None:
            abort(404)
        if deed == "forget":
            delete_view(connection, person().id, number)
        else:
            set_default(connection, found, person().id, default=deed == "default")
    return redirect(own_address(request.form.get("back")) or "/", 303)


def _query_of(query: str) -> str:
    """What of an address's questions is how a list looks."""
    return urlencode([(name, value) for name, value in parse_qsl(query) if name not in _NOT_KEPT])

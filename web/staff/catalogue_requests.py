"""How far the worker is with a price change or a promotion that was confirmed for many contracts; no page waits for it.

Next: price_changes.py
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, render_template
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from billing.store.catalogue_requests import Act, CatalogueRequest, load_request
from control_plane.access.permissions import Permission
from web.acting import transaction
from web.database import Connection
from web.language import chosen_language, lazy, ngettext
from web.live_parts import part
from web.marks import allowed
from web.surroundings import here

pages = Blueprint("catalogue_requests", __name__)
_LIVE_S: Final = 1.0
_TITLES: Final = {
    Act.PRICE_CHANGE: lazy("Price change of %(name)s"),
    Act.PROMOTION: lazy("%(name)s is given"),
    Act.PROMOTION_UNDO: lazy("%(name)s is taken back"),
}
_BACK: Final = {Act.PRICE_CHANGE: "price_changes.new"}


@pages.get("/catalogue-requests/<int:number>")
@allowed(Permission.CATALOGUE_SEE)
def show(number: int) -> str:
    """How far one is, and what came of it."""
    with transaction() as connection:
        shown = _shown(connection, number)
    if shown["asked"] is None:
        raise NotFound
    return render_template("staff/catalogue_requests/show.html", **shown, title=title_of(shown["asked"]))


@pages.get("/catalogue-requests/<int:number>/live")
@allowed(Permission.CATALOGUE_SEE)
def live(number: int) -> Response:
    """The same while it changes."""
    key = ("catalogue request", chosen_language(), number)
    look = part("staff/catalogue_requests/live.html", lambda connection: _shown(connection, number))
    return here().streams.stream(key, look, interval_s=_LIVE_S)


@pages.app_template_global("catalogue_request_title")
def title_of(asked: CatalogueRequest) -> str:
    """What was asked for, in words."""
    return str(_TITLES[asked.act]) % {"name": asked.what["name"]}


def _shown(connection: Connection, number: int) -> dict[str, Any]:
    found = load_request(connection, number)
    return {
        "asked": found,
        "came": "" if found is None else _came(found),
        "back": "promotions.list_" if found is None else _BACK.get(found.act, "promotions.list_"),
    }


def _came(asked: CatalogueRequest) -> str:
    """What came of it so far."""
    if asked.act is Act.PRICE_CHANGE:
        return ngettext("%(num)s item has its new price.", "%(num)s items have their new price.", asked.changed)
    if asked.act is Act.PROMOTION:
        return ngettext("%(num)s contract has it now.", "%(num)s contracts have it now.", asked.changed)
    return ngettext("%(num)s contract has lost it.", "%(num)s contracts have lost it.", asked.changed)

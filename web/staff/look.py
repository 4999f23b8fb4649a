"""The switches that everybody has: the language of pages, for this browser."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, g, redirect, request
from werkzeug.wrappers import Response

from control_plane.access.own import change_own
from web.acting import transaction
from web.addresses import own_address
from web.language import COOKIE, LANGUAGES
from web.marks import public

pages = Blueprint("look", __name__)
_YEAR_S: Final = 365 * 86_400


@pages.post("/look")
@public("a choice of language tells nothing and is kept in the browser alone")
def choose() -> Response:
    """Keep the chosen language and lead back."""
    response = redirect(own_address(request.form.get("back")) or "/", 303)
    wanted = request.form.get("language")
    if wanted in LANGUAGES:
        staff = g.get("staff")
        if staff is not None and staff.language not in (None, wanted):
            # Their own choice counts more than the browser's, so it changes with it.
            with transaction() as connection:
                change_own(connection, staff.id, {"language": wanted})
        response.set_cookie(COOKIE, wanted, max_age=_YEAR_S, samesite="Lax", secure=request.is_secure, httponly=True)
    return response

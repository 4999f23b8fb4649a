"""The first page after signing in: what is asked of this person, then the network at a glance."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from control_plane.access.permissions import Permission
from web.acting import may
from web.language import lazy
from web.marks import allowed, signed_in
from web.navigation import Entry

pages = Blueprint("home", __name__)
ENTRIES: Final = (Entry("home", lazy("Home"), "home.show", Permission.NETWORK_SEE, order=0),)


@pages.get("/")
@signed_in()
def begin() -> Response:
    """Lead to the page that this person works with first."""
    if may(Permission.CASH_TAKE) and not may(Permission.CUSTOMER_SEE):
        return redirect("/field", 303)
    return redirect(url_for("home.show") if may(Permission.NETWORK_SEE) else "/me", 303)


@pages.get("/home")
@allowed(Permission.NETWORK_SEE)
def show() -> str:
    """The network now."""
    return render_template("staff/home.html")

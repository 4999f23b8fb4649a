"""Signing in and out, and the first password of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from control_plane.access.signing_in import Came, NeedsSecondFactor, Refused, SignedIn, sign_in
from web.acting import COOKIE, transaction
from web.addresses import own_address
from web.forms import REQUIRED, PageForm, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.marks import public
from web.surroundings import here

pages = Blueprint("sign_in", __name__)


class SignInForm(PageForm):
    """Name and password."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED)])
    password = PasswordField(lazy("Password"), [InputRequired(REQUIRED)])


@pages.route("/sign-in", methods=["GET", "POST"])
@public("this is where one signs in")
def ask() -> Response | tuple[str, int]:
    """Ask who it is, and lead to where they wanted to go."""
    form = read_form(SignInForm)
    back = own_address(request.args.get("back")) or "/"
    if was_sent(form):
        sealer = here().sealer
        if sealer is None:
            raise ServiceUnavailable(gettext("This process was given no key: see corrente check."))
        with transaction() as connection:
            came = Came(address=request.remote_addr, browser=request.headers.get("User-Agent", ""))
            result = sign_in(
                connection, sealer, name=form.name.data, password=form.password.data, came=came, now=datetime.now(UTC)
            )
        match result:
            case SignedIn():
                response = redirect(back, 303)
                response.set_cookie(COOKIE, result.token, httponly=True, secure=request.is_secure, samesite="Lax")
                return response
            case NeedsSecondFactor():
                refuse(form, "", gettext("A second factor is needed."))
            case Refused():
                refuse(form, "", gettext("The name or the password is wrong."))
            case other:
                assert_never(other)
    return render_template("sign_in/ask.html", form=form, back=back), status_of(form)


@pages.get("/sign-in/new-password")
@public("this is where one signs in")
def new_password() -> Response:
    """Where a one-time password is changed."""
    return redirect(url_for("sign_in.ask"), 303)

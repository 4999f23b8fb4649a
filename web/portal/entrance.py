"""Into the portal and out of it: a link by mail or in a letter, a password of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from werkzeug.exceptions import Gone
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from control_plane.access.own import BadPasswordError
from control_plane.access.passwords import LEAST_CHARACTERS
from control_plane.access.portal import (
    CameIn,
    ask_for_link,
    enter_by_link,
    is_link,
    set_password,
    sign_in,
    sign_out,
)
from control_plane.store.portal import MOST_S
from web.acting import PORTAL_COOKIE, subscriber, transaction
from web.addresses import own_address
from web.forms import REQUIRED, PageForm, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, span_shown
from web.marks import of_subscriber, public
from web.surroundings import here

pages = Blueprint("portal_entrance", __name__)
_LONGEST: Final = 254


class EnterForm(PageForm):
    """An address or number, and its password."""

    name = StringField(lazy("E-mail or customer number"), [InputRequired(REQUIRED), Length(max=_LONGEST)])
    password = PasswordField(lazy("Password"), [InputRequired(REQUIRED)])


class LinkForm(PageForm):
    """Where a link goes."""

    email = StringField(lazy("E-mail"), [InputRequired(REQUIRED), Length(max=_LONGEST)])


class PasswordForm(PageForm):
    """A password to come back with."""

    password = PasswordField(lazy("New password"), [InputRequired(REQUIRED)])
    again = PasswordField(
        lazy("Once more"), [InputRequired(REQUIRED), EqualTo("password", lazy("The two are not the same."))]
    )


@pages.route("/portal/sign-in", methods=["GET", "POST"])
@public("this is where subscribers come in")
def ask() -> Response | tuple[str, int]:
    """A password, or the way to a link by mail."""
    form = read_form(EnterForm)
    back = _portal_address(request.args.get("back"))
    if was_sent(form):
        with transaction() as connection:
            result = sign_in(
                connection,
                name=form.name.data,
                password=form.password.data,
                address=request.remote_addr,
                now=datetime.now(UTC),
            )
        if isinstance(result, CameIn):
            return _enter(result, back)
        if result.wait_s:
            words = gettext("Too many tries. Wait %(time)s, or have a link mailed.", time=span_shown(result.wait_s))
        else:
            words = gettext("The e-mail, the number or the password is wrong.")
        refuse(form, "", words)
    return render_template("portal/sign_in.html", form=form, link_form=read_form(LinkForm)), status_of(form)


@pages.route("/portal/link", methods=["GET", "POST"])
@public("this is where subscribers ask for a link; whether an address is known is not told")
def link() -> tuple[str, int]:
    """Mail a link to who has that address."""
    form = read_form(LinkForm)
    public_url = here().settings.messages.public_url.rstrip("/")
    if was_sent(form):
        if not public_url:
            refuse(form, "", gettext("Links can't be mailed yet. Ask the office for help."))
        else:
            with transaction() as connection:
                ask_for_link(
                    connection,
                    form.email.data,
                    address=request.remote_addr,
                    link=lambda token: public_url + url_for("portal_entrance.enter", token=token),
                    now=datetime.now(UTC),
                )
            return render_template("portal/link_sent.html", email=form.email.data), 200
    return render_template("portal/link.html", form=form), status_of(form)


@pages.route("/portal/enter/<token>", methods=["GET", "POST"])
@public("the address holds its own secret; a look uses nothing up")
def enter(token: str) -> Response | tuple[str, int]:
    """A button that lets in: mail scanners look at every link and press nothing."""
    now = datetime.now(UTC)
    with transaction() as connection:
        if request.method == "GET":
            return render_template("portal/enter.html", good=is_link(connection, token, now=now)), 200
        result = enter_by_link(connection, token, now=now)
    if result is None:
        raise Gone(gettext("This link was used before, or is too old. Have another one mailed."))
    # Who came by a letter has nothing to come back with but a password.
    return _enter(result, url_for("portal_entrance.password" if result.by_letter else "portal.show"))


@pages.route("/portal/password", methods=["GET", "POST"])
@of_subscriber()
def password() -> Response | tuple[str, int]:
    """Set a password, to come in without a mail the next time."""
    form = read_form(PasswordForm)
    if was_sent(form):
        try:
            with transaction() as connection:
                set_password(connection, subscriber(), form.password.data, now=datetime.now(UTC))
        except BadPasswordError:
            words = gettext(
                "At least %(least)s characters, not your name, and none that everybody uses.", least=LEAST_CHARACTERS
            )
            refuse(form, "password", words)
        else:
            flash(gettext("Your password is set."), "good")
            return redirect(url_for("portal.show"), 303)
    return render_template("portal/password.html", form=form), status_of(form)


@pages.post("/portal/sign-out")
@of_subscriber()
def leave() -> Response:
    """End this session."""
    with transaction() as connection:
        sign_out(connection, subscriber(), now=datetime.now(UTC))
    response = redirect(url_for("portal_entrance.ask"), 303)
    response.delete_cookie(PORTAL_COOKIE)
    return response


def _enter(result: CameIn, target: str) -> Response:
    """Lead in with the session's cookie. Another customer's session that this browser had ends, with what it asked for on this device."""
    if g.subscriber is not None and g.subscriber.customer_id != result.customer_id:
        with transaction() as connection:
            sign_out(connection, subscriber(), now=datetime.now(UTC))
    response = redirect(target, 303)
    response.set_cookie(
        PORTAL_COOKIE, result.token, max_age=MOST_S, httponly=True, secure=request.is_secure, samesite="Lax"
    )
    return response


def _portal_address(back: str | None) -> str:
    """Where somebody wanted to go, if it is a page of the portal."""
    wanted = own_address(back)
    return wanted if wanted is not None and wanted.startswith("/portal") else url_for("portal.show")

"""Passkeys: what the browser is asked, one's own added and removed, and signing in with one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response as AnyResponse
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from control_plane.access.back_off import line_of
from control_plane.access.passkeys import Asked, Site, add_new, ask_for_new, ask_to_enter, enter, remove_own
from control_plane.access.people import AccessError, TakenError
from control_plane.access.signing_in import SignedIn
from control_plane.store.sign_in_attempts import take_turn
from web.acting import transaction
from web.addresses import own_address
from web.coming import came, let_in, refusal_words, site
from web.forms import REQUIRED, PageForm, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.marks import public, signed_in
from web.staff.me import ProofForm, own, proof_of
from web.staff_words import access_words

pages = Blueprint("passkeys", __name__)
Answer = AnyResponse | tuple[str, int]
# What somebody who signs in needs; each leaves a row for five minutes.
_ASKED: Final = 60
_ASKED_PER_S: Final = 300


class NewPasskeyForm(ProofForm):
    """What the browser answered, and a name to tell it by."""

    name = StringField(lazy("Name to tell it by"), [InputRequired(REQUIRED), Length(max=100)])
    handle = HiddenField()
    answer = HiddenField()


class ShownForm(PageForm):
    """What the browser answered at the sign-in."""

    handle = HiddenField()
    answer = HiddenField()
    step = HiddenField()


@pages.post("/me/passkeys/options")
@signed_in(second=True)
def options() -> Response:
    """What the browser is asked to make."""
    with transaction() as connection:
        try:
            return _json(ask_for_new(connection, own(connection), site=_site(), now=datetime.now(UTC)))
        except AccessError as refused:
            raise TooManyRequests(access_words(refused)) from refused


@pages.route("/me/passkeys/new", methods=["GET", "POST"])
@signed_in(second=True)
def new() -> Answer:
    """Add a passkey."""
    form = read_form(NewPasskeyForm)
    if was_sent(form):
        with transaction() as connection:
            try:
                add_new(
                    connection,
                    proof_of(form),
                    own(connection),
                    handle=form.handle.data,
                    answer=form.answer.data,
                    name=form.name.data,
                    site=_site(),
                    now=datetime.now(UTC),
                )
                flash(gettext("The passkey is added. It lets you in without a password."), "good")
                return redirect(url_for("me.show"), 303)
            except TakenError as refused:
                refuse(form, "name", access_words(refused))
            except AccessError as refused:
                refuse(form, "", access_words(refused))
    form.handle.data = form.answer.data = ""
    alone = g.entered.lacks_second_factor
    return render_template("staff/me/passkey.html", form=form, site=site(), alone=alone), status_of(form)


@pages.route("/me/passkeys/<int:number>/remove", methods=["GET", "POST"])
@signed_in()
def remove(number: int) -> Answer:
    """Take one away."""
    form = read_form(ProofForm)
    if was_sent(form):
        with transaction() as connection:
            try:
                remove_own(connection, proof_of(form), own(connection), passkey_id=number, now=datetime.now(UTC))
                flash(gettext("The passkey is removed."), "good")
                return redirect(url_for("me.show"), 303)
            except AccessError as refused:
                refuse(form, "password", access_words(refused))
    said = gettext("It lets you in no more. What your device keeps of it you remove there.")
    title = gettext("Remove the passkey")
    return render_template("staff/me/prove.html", form=form, title=title, said=said), status_of(form)


@pages.post("/sign-in/passkey/options")
@public("this is where one signs in")
def options_to_enter() -> Response:
    """What the browser is asked to sign."""
    now = datetime.now(UTC)
    with transaction() as connection:
        line = line_of(came().address) or ""
        free = take_turn(connection, "passkey", line, limit=_ASKED, per_s=_ASKED_PER_S, now=now)
        asked = ask_to_enter(connection, site=_site(), now=now, step=request.form.get("step") or None) if free else None
    if asked is None:
        raise TooManyRequests(gettext("Too many tries have failed."))
    return _json(asked)


@pages.post("/sign-in/passkey")
@public("this is where one signs in")
def come_in() -> AnyResponse:
    """Let in who has shown one."""
    form = read_form(ShownForm)
    back = own_address(request.args.get("back")) or "/"
    with transaction() as connection:
        result = enter(
            connection,
            handle=form.handle.data or "",
            answer=form.answer.data or "",
            site=_site(),
            came=came(),
            now=datetime.now(UTC),
            step=form.step.data or None,
        )
    if isinstance(result, SignedIn):
        return let_in(result, back)
    flash(refusal_words(result), "bad")
    return redirect(url_for("sign_in.ask", back=back), 303)


def _json(asked: Asked) -> Response:
    return Response(f'{{"handle": "{asked.handle}", "options": {asked.options}}}', mimetype="application/json")


def _site() -> Site:
    found = site()
    if found is None:
        raise NotFound
    return found

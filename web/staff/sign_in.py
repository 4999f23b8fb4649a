"""Signing in and out: name and password, then a second factor where there is one, and the first password of one's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from control_plane.access.own import BadPasswordError, choose_first_password, sign_out
from control_plane.access.people import AccessError
from control_plane.access.signing_in import (
    NeedsSecondFactor,
    Refused,
    SignedIn,
    SignInReason,
    complete_sign_in,
    sign_in,
)
from control_plane.store.staff import load_person_of
from web.acting import COOKIE, person, transaction
from web.addresses import own_address
from web.coming import came, can_mail, let_in, password_words, refusal_words, site
from web.forms import REQUIRED, PageForm, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.marks import public, signed_in
from web.sealing import sealer

pages = Blueprint("sign_in", __name__)
Answer = Response | tuple[str, int]


class SignInForm(PageForm):
    """Name and password."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED)])
    password = PasswordField(lazy("Password"), [InputRequired(REQUIRED)])


class SecondForm(PageForm):
    """The second factor, and what stands for the password that was right."""

    step = HiddenField()
    code = StringField(lazy("Code"), [InputRequired(REQUIRED)])


class NewPasswordForm(PageForm):
    """A password, twice."""

    new = PasswordField(lazy("New password"), [InputRequired(REQUIRED)])
    again = PasswordField(lazy("The same again"), [InputRequired(REQUIRED)])


@pages.route("/sign-in", methods=["GET", "POST"])
@public("this is where one signs in")
def ask() -> Answer:
    """Ask who it is, and lead to where they wanted to go."""
    form = read_form(SignInForm)
    back = own_address(request.args.get("back")) or "/"
    if not was_sent(form):
        return render_template("sign_in/ask.html", form=form, site=site(), can_mail=can_mail(), back=back), status_of(
            form
        )
    now = datetime.now(UTC)
    with transaction() as connection:
        result = sign_in(connection, sealer(), name=form.name.data, password=form.password.data, came=came(), now=now)
    match result:
        case SignedIn():
            return let_in(result, back)
        case NeedsSecondFactor():
            asked = SecondForm(None, step=result.step)
            return render_template("sign_in/second.html", form=asked, site=site(), back=back), 200
        case Refused():
            refuse(form, "", refusal_words(result))
            status = 429 if result.reason is SignInReason.WAIT else 422
            return render_template("sign_in/ask.html", form=form, site=site(), can_mail=can_mail(), back=back), status
        case other:
            assert_never(other)


@pages.post("/sign-in/second")
@public("this is where one signs in")
def second() -> Answer:
    """Take the second factor."""
    form = read_form(SecondForm)
    back = own_address(request.args.get("back")) or "/"
    if was_sent(form):
        with transaction() as connection:
            result = complete_sign_in(
                connection, sealer(), step=form.step.data or "", code=form.code.data, came=came(), now=datetime.now(UTC)
            )
        if isinstance(result, SignedIn):
            return let_in(result, back)
        if result.reason is SignInReason.STEP_OVER:
            flash(refusal_words(result), "bad")
            return redirect(url_for("sign_in.ask", back=back), 303)
        refuse(form, "code", refusal_words(result))
    return render_template("sign_in/second.html", form=form, site=site(), back=back), status_of(form)


@pages.route("/sign-in/new-password", methods=["GET", "POST"])
@signed_in(first=True)
def new_password() -> Answer:
    """Choose a password of one's own instead of the one-time one."""
    if not g.entered.must_change_password:
        return redirect(url_for("me.password"), 303)
    form = read_form(NewPasswordForm)
    if was_sent(form) and same_twice(form):
        try:
            with transaction() as connection:
                choose_first_password(
                    connection, person().id, g.entered.session_id, new=form.new.data, now=datetime.now(UTC)
                )
            flash(gettext("Your password is changed."), "good")
            return redirect("/", 303)
        except BadPasswordError as refused:
            refuse(form, "new", password_words(refused.problem))
        except AccessError:
            return redirect("/", 303)
    return render_template("sign_in/new_password.html", form=form), status_of(form)


@pages.get("/sign-in/second-factor")
@signed_in(second=True)
def new_factor() -> Answer:
    """Lead who lacks the second factor that a role of theirs demands to where they make one."""
    if not g.entered.lacks_second_factor:
        return redirect("/", 303)
    with transaction() as connection:
        found = load_person_of(connection, person().id)
    roles = found.demanded_by if found else []
    return render_template("sign_in/new_factor.html", roles=roles, site=site()), 200


@pages.post("/sign-out")
@signed_in(first=True)
def out() -> Response:
    """End this session."""
    with transaction() as connection:
        sign_out(connection, g.entered.session_id, now=datetime.now(UTC))
    response = redirect(url_for("sign_in.ask"), 303)
    response.delete_cookie(COOKIE)
    return response


def same_twice(form: NewPasswordForm) -> bool:
    """Whether both fields have the same; the form says where not."""
    if form.new.data == form.again.data:
        return True
    refuse(form, "again", gettext("This is not the same as above."))
    return False

"""A forgotten password: ask for a link by mail, and set another one with it."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from control_plane.access.own import BadPasswordError
from control_plane.access.resetting import AskedTooOftenError, LinkOverError, ask_for_link, is_link_open, set_by_link
from web.acting import transaction
from web.coming import came, password_words
from web.forms import REQUIRED, PageForm, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.marks import public
from web.staff.sign_in import NewPasswordForm, same_twice

pages = Blueprint("forgotten", __name__, url_prefix="/sign-in")
Answer = Response | tuple[str, int]


class AskForm(PageForm):
    """Who it is."""

    name = StringField(lazy("Name or e-mail address"), [InputRequired(REQUIRED), Length(max=254)])


@pages.route("/forgotten", methods=["GET", "POST"])
@public("who has forgotten their password can't sign in")
def ask() -> Answer:
    """Have a link mailed; what is answered does not tell whether there is such a name."""
    form = read_form(AskForm)
    if was_sent(form):
        with transaction() as connection:
            try:
                ask_for_link(connection, form.name.data, came=came(), now=datetime.now(UTC))
                return render_template("sign_in/asked.html"), 200
            except AskedTooOftenError:
                refuse(form, "", gettext("Too many links were asked for. Try again in an hour."))
        return render_template("sign_in/forgotten.html", form=form), 429
    return render_template("sign_in/forgotten.html", form=form), status_of(form)


@pages.route("/reset/<token>", methods=["GET", "POST"])
@public("who has forgotten their password can't sign in")
def reset(token: str) -> Answer:
    """Set another password with the link that was mailed."""
    now = datetime.now(UTC)
    form = read_form(NewPasswordForm)
    with transaction() as connection:
        if not is_link_open(connection, token, now=now):
            return render_template("sign_in/link_over.html"), 404
    if was_sent(form) and same_twice(form):
        try:
            with transaction() as connection:
                set_by_link(connection, token, new=form.new.data, now=now)
            flash(gettext("Your password is changed. Sign in with it."), "good")
            return redirect(url_for("sign_in.ask"), 303)
        except BadPasswordError as refused:
            refuse(form, "new", password_words(refused.problem))
        except LinkOverError:
            return render_template("sign_in/link_over.html"), 404
    return render_template("sign_in/reset.html", form=form), status_of(form)

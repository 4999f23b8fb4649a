"""One's own page: language and look, password, second factors, where one is signed in, and tokens for programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from flask import Blueprint, flash, g, redirect, render_template, url_for
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from billing.papers.symbols import draw_symbol
from control_plane.access.api_tokens import make_api_token, revoke_api_token
from control_plane.access.own import (
    BadPasswordError,
    Proof,
    WrongCodeError,
    begin_totp,
    change_own,
    change_own_password,
    end_own_session,
    end_own_sessions,
    end_totp,
    make_recovery_codes,
)
from control_plane.access.people import AccessError
from control_plane.access.permissions import Permission
from control_plane.access.totp import is_secret, new_secret, provisioning_uri
from control_plane.store.staff import Person, load_person_of, permissions_of
from control_plane.store.staff_sessions import load_sessions
from control_plane.store.staff_tokens import load_api_tokens, load_passkeys
from web.acting import person, transaction
from web.coming import password_words
from web.database import Connection
from web.forms import REQUIRED, PageForm, choices_of, read_form, refuse, status_of, was_sent
from web.language import LANGUAGES, gettext, lazy, ngettext
from web.marks import signed_in
from web.sealing import sealer
from web.secret_words import tell_once
from web.staff.sign_in import NewPasswordForm, same_twice
from web.staff_words import access_words, actor, permissions_by_section
from web.surroundings import here

pages = Blueprint("me", __name__, url_prefix="/me")
Answer = Response | tuple[str, int]
_YEAR_S: Final = 365 * 86_400
_THEMES: Final = {"auto": lazy("As the device"), "light": lazy("Light"), "dark": lazy("Dark")}
_SPANS: Final = {"30": lazy("30 days"), "90": lazy("90 days"), "365": lazy("A year"), "": lazy("No end")}


class LookForm(PageForm):
    """How pages are shown."""

    language = SelectField(lazy("Language"))
    theme = SelectField(lazy("Light or dark"))


class ProofForm(PageForm):
    """The password, for what somebody at an unlocked computer must not do."""

    password = PasswordField(lazy("Your password"), [InputRequired(REQUIRED)])


class PasswordForm(NewPasswordForm, ProofForm):
    """Another password instead of the one there is."""


class AppForm(ProofForm):
    """An authenticator app that shows what it was given."""

    secret = HiddenField()
    code = StringField(lazy("Code that the app shows"), [InputRequired(REQUIRED)])


class TokenForm(PageForm):
    """A token for a program."""

    name = StringField(lazy("Which program"), [InputRequired(REQUIRED), Length(max=100)])
    days = SelectField(lazy("Valid for"), choices=choices_of(_SPANS), default="90")
    granted = SelectMultipleField(lazy("It may"))


@pages.get("")
@signed_in()
def show() -> str:
    """Everything at once."""
    return _overview(_look_form())[0]


@pages.post("/look")
@signed_in()
def look() -> Answer:
    """Keep language and light or dark."""
    form = _look_form()
    if not was_sent(form):
        return _overview(form)
    with transaction() as connection:
        change_own(connection, person().id, {"language": form.language.data or None, "theme": form.theme.data})
    g.staff = None
    response = redirect(url_for("me.show"), 303)
    # What was switched in this browser alone gives way to what was chosen here.
    response.delete_cookie("theme")
    response.delete_cookie("language")
    return response


@pages.route("/password", methods=["GET", "POST"])
@signed_in()
def password() -> Answer:
    """Choose another password."""
    form = read_form(PasswordForm)
    if was_sent(form) and same_twice(form):
        with transaction() as connection:
            try:
                change_own_password(connection, proof_of(form), new=form.new.data, now=datetime.now(UTC))
                flash(gettext("Your password is changed. You are signed out everywhere else."), "good")
                _tell_of_tokens(connection)
                return redirect(url_for("me.show"), 303)
            except BadPasswordError as refused:
                refuse(form, "new", password_words(refused.problem))
            except AccessError as refused:
                refuse(form, "password", access_words(refused))
    return render_template("staff/me/password.html", form=form), status_of(form)


@pages.route("/app", methods=["GET", "POST"])
@signed_in(second=True)
def app() -> Answer:
    """Add an authenticator app, or another one instead of it."""
    form = read_form(AppForm)
    secret = form.secret.data if is_secret(form.secret.data or "") else new_secret()
    form.secret.data = secret
    if was_sent(form):
        with transaction() as connection:
            try:
                begin_totp(
                    connection, sealer(), proof_of(form), secret=secret, code=form.code.data, now=datetime.now(UTC)
                )
                flash(gettext("From now on the app's code is asked for. Make recovery codes, too."), "good")
                return redirect(url_for("me.show"), 303)
            except AccessError as refused:
                refuse(form, *_place(refused))
    uri = provisioning_uri(secret, name=person().name, issuer=here().settings.operator.name)
    drawn = Markup(draw_symbol("qr", uri))  # noqa: S704 - of our own drawing: one path
    # Who may do nothing else yet is shown nothing else.
    alone = g.entered.lacks_second_factor
    return render_template("staff/me/app.html", form=form, drawn=drawn, secret=secret, alone=alone), status_of(form)


@pages.route("/app/end", methods=["GET", "POST"])
@signed_in()
def end_app() -> Answer:
    """Ask for the app's codes no more."""
    form = read_form(ProofForm)
    if was_sent(form):
        with transaction() as connection:
            try:
                end_totp(connection, proof_of(form), now=datetime.now(UTC))
                flash(gettext("The app's code is asked for no more."), "good")
                return redirect(url_for("me.show"), 303)
            except AccessError as refused:
                refuse(form, "password", access_words(refused))
    with transaction() as connection:
        said = _without_factor(own(connection))
    title = gettext("Remove the app")
    return render_template("staff/me/prove.html", form=form, title=title, said=said), status_of(form)


@pages.route("/recovery-codes", methods=["GET", "POST"])
@signed_in()
def recovery_codes() -> Answer:
    """Make new recovery codes, which the next page shows once."""
    form = read_form(ProofForm)
    if was_sent(form):
        with transaction() as connection:
            try:
                codes = make_recovery_codes(connection, proof_of(form), now=datetime.now(UTC))
                hint = gettext("Print them, or keep them where your telephone is not.")
                tell_once(gettext("Your recovery codes"), *codes, hint=hint)
                return redirect(url_for("me.show"), 303)
            except AccessError as refused:
                refuse(form, "password", access_words(refused))
    said = gettext(
        "Each lets you in once without your app or passkey. Codes that you made before are worth nothing then."
    )
    title = gettext("Make recovery codes")
    return render_template("staff/me/prove.html", form=form, title=title, said=said), status_of(form)


@pages.post("/sessions/<int:number>/end")
@signed_in()
def end_session(number: int) -> Response:
    """Sign out somewhere else."""
    with transaction() as connection:
        ended = end_own_session(connection, person().id, number, now=datetime.now(UTC))
    flash(gettext("That session is ended.") if ended else gettext("That session was over already."), "good")
    return redirect(url_for("me.show"), 303)


@pages.post("/sessions/end-others")
@signed_in()
def end_others() -> Response:
    """Sign out everywhere else."""
    with transaction() as connection:
        end_own_sessions(connection, person().id, but=g.entered.session_id, now=datetime.now(UTC))
    flash(gettext("You are signed out everywhere else."), "good")
    return redirect(url_for("me.show"), 303)


@pages.route("/tokens/new", methods=["GET", "POST"])
@signed_in()
def new_token() -> Answer:
    """Make a token, which the next page shows once."""
    form = read_form(TokenForm)
    form.granted.choices = choices_of({one.value: one.value for one in Permission if one in person().permissions})
    now = datetime.now(UTC)
    if was_sent(form):
        with transaction() as connection:
            try:
                made = make_api_token(
                    connection,
                    own(connection),
                    name=form.name.data,
                    permissions=permissions_of(form.granted.data),
                    expires_at=now + timedelta(days=int(form.days.data)) if form.days.data else None,
                    by=actor(),
                    now=now,
                )
                hint = gettext("Give it to the program as its bearer token.")
                tell_once(gettext("Token %(name)s", name=made.name), made.token, hint=hint)
                return redirect(url_for("me.show"), 303)
            except AccessError as refused:
                refuse(form, "", access_words(refused))
    sections = permissions_by_section(person().permissions)
    return render_template("staff/me/new_token.html", form=form, sections=sections), status_of(form)


@pages.post("/tokens/<int:number>/revoke")
@signed_in()
def revoke_token(number: int) -> Response:
    """Let a token open nothing from now on."""
    with transaction() as connection:
        try:
            revoke_api_token(connection, number, by=actor(), now=datetime.now(UTC), of=person().id)
        except AccessError as refused:
            raise NotFound from refused
    flash(gettext("The token is revoked."), "good")
    return redirect(url_for("me.show"), 303)


def _overview(form: LookForm) -> tuple[str, int]:
    now = datetime.now(UTC)
    with transaction() as connection:
        shown = own(connection)
        sessions = load_sessions(connection, now=now, staff_id=shown.id)
        tokens = load_api_tokens(connection, staff_id=shown.id)
        passkeys = load_passkeys(connection, shown.id)
    page = render_template(
        "staff/me/show.html",
        form=form,
        me=shown,
        sessions=sessions,
        tokens=tokens,
        passkeys=passkeys,
        this=g.entered.session_id,
        permissions=permissions_by_section(shown.permissions),
    )
    return page, status_of(form)


def _without_factor(one: Person) -> str:
    """What comes of having none any more."""
    if one.demanded_by:
        roles = ", ".join(one.demanded_by)
        return gettext(
            "Your roles demand a second factor (%(roles)s): without another one you make a new one at your next click, before anything else.",
            roles=roles,
        )
    return gettext("Without another second factor the password alone lets you in.")


def _look_form() -> LookForm:
    form: LookForm = read_form(LookForm, language=person().language or "", theme=person().theme)
    form.language.choices = choices_of(
        {"": gettext("As the browser asks"), **{str(code): name for code, name in LANGUAGES.items()}}
    )
    form.theme.choices = choices_of(_THEMES)
    return form


def own(connection: Connection) -> Person:
    """Who looks, as they stand now. Raises: NotFound."""
    found = load_person_of(connection, person().id)
    if found is None:
        raise NotFound
    return found


def _tell_of_tokens(connection: Connection) -> None:
    """Programs go on at a new password; whoever changes it because somebody else knew it is told where theirs may be among them."""
    left = len(load_api_tokens(connection, staff_id=person().id))
    if left:
        words = ngettext(
            "%(num)s token for programs still works: revoke it below if you do not know what uses it.",
            "%(num)s tokens for programs still work: revoke those below of which you do not know what uses them.",
            left,
        )
        flash(words, "calm")


def proof_of(form: ProofForm) -> Proof:
    """By which they show that it is still they."""
    return Proof(person().id, g.entered.session_id, form.password.data)


def _place(refused: AccessError) -> tuple[str, str]:
    """Beside which field, and the words."""
    return ("code" if isinstance(refused, WrongCodeError) else "password"), access_words(refused)

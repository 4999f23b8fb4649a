"""Staff administered: who there is, what they may, where they are signed in, and passwords given anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from billing.store.collectors import load_collectors
from billing.store.commissions import load_agents
from control_plane.access.people import (
    AccessError,
    add_person,
    change_person,
    drop_second_factors,
    end_all_sessions,
    end_session,
    give_one_time_password,
    unlock,
)
from control_plane.access.permissions import Permission
from control_plane.store.staff import Person, hold_grants, load_people, load_person, load_roles
from control_plane.store.staff_sessions import load_sessions
from control_plane.store.staff_tokens import load_api_tokens
from web.acting import person, transaction
from web.confirming import confirm_page
from web.database import Connection
from web.forms import (
    REQUIRED,
    PageForm,
    changed_meanwhile,
    choices_of,
    fingerprint,
    read_form,
    status_of,
    was_sent,
)
from web.language import LANGUAGES, gettext, lazy
from web.marks import allowed
from web.navigation import Entry
from web.secret_words import tell_once
from web.staff_words import access_words, actor, permissions_by_section, refusing

pages = Blueprint("people", __name__, url_prefix="/staff")
ENTRIES: Final = (Entry("system", lazy("Staff"), "people.show_all", Permission.STAFF_SEE, order=10),)
Answer = Response | tuple[str, int]


class PersonForm(PageForm):
    """Who somebody is and what they may."""

    full_name = StringField(lazy("Name that people use"), [InputRequired(REQUIRED), Length(max=200)])
    email = StringField(lazy("E-mail"), [Length(max=254)])
    language = SelectField(lazy("Language"))
    roles = SelectMultipleField(lazy("Roles"))
    collector_id = SelectField(lazy("Sees only what is of this collector"))
    agent_id = SelectField(lazy("Sees only what is of this agent"))
    enabled = BooleanField(lazy("May sign in"), default=True)


class NewPersonForm(PersonForm):
    """The same of somebody new."""

    name = StringField(lazy("Name to sign in with"), [InputRequired(REQUIRED), Length(max=64)])


@pages.get("")
@allowed(Permission.STAFF_SEE)
def show_all() -> str:
    """Everybody."""
    with transaction() as connection:
        people = load_people(connection)
    return render_template("staff/people/all.html", people=people)


@pages.route("/new", methods=["GET", "POST"])
@allowed(Permission.STAFF_CHANGE)
def new() -> Answer:
    """Add somebody; the password for their first sign-in is shown now and never again."""
    form = read_form(NewPersonForm)
    with transaction() as connection:
        _offer(connection, form)
    if was_sent(form):
        with refusing(form):
            with transaction() as connection:
                made = add_person(
                    connection,
                    form.name.data,
                    full_name=form.full_name.data,
                    roles=form.roles.data,
                    by=actor(),
                    now=datetime.now(UTC),
                    details=_details(form),
                )
            return _tell_password(made.name, made.password)
    return render_template("staff/people/new.html", form=form), status_of(form)


@pages.get("/people/<name>")
@allowed(Permission.STAFF_SEE)
def show(name: str) -> str:
    """One of them."""
    with transaction() as connection:
        found = _known(connection, name)
        sessions = load_sessions(connection, now=datetime.now(UTC), staff_id=found.id)
        tokens = load_api_tokens(connection, staff_id=found.id)
        form = PersonForm(None)
        _offer(connection, form)
    return render_template(
        "staff/people/show.html",
        one=found,
        sessions=sessions,
        tokens=tokens,
        permissions=permissions_by_section(found.permissions),
        collectors=dict((item.value, item.label) for item in form.collector_id.choices),
        agents=dict((item.value, item.label) for item in form.agent_id.choices),
    )


@pages.route("/people/<name>/change", methods=["GET", "POST"])
@allowed(Permission.STAFF_CHANGE)
def change(name: str) -> Answer:
    """Change who somebody is and what they may."""
    with transaction() as connection:
        found = _known(connection, name)
        form = read_form(PersonForm, **_as_shown(found))
        _offer(connection, form)
    if not form.seen.data:
        form.seen.data = fingerprint(_as_shown(found))
    if was_sent(form):
        with refusing(form), transaction() as connection:
            # Held before it is looked at: who saves at the same moment comes after this, and is told.
            hold_grants(connection)
            if not changed_meanwhile(form, _as_shown(_known(connection, name))):
                change_person(
                    connection,
                    name,
                    changes={**_details(form), "full_name": form.full_name.data, "enabled": form.enabled.data},
                    roles=form.roles.data,
                    by=actor(),
                    now=datetime.now(UTC),
                )
                flash(gettext("Kept. It holds from their next click on."), "good")
                return redirect(url_for("people.show", name=name), 303)
    return render_template("staff/people/change.html", form=form, one=found), status_of(form)


@pages.route("/people/<name>/password", methods=["GET", "POST"])
@allowed(Permission.STAFF_CHANGE)
def password(name: str) -> Answer:
    """Give somebody a password for one sign-in."""
    form = read_form(PageForm)
    if was_sent(form):
        with refusing(form):
            with transaction() as connection:
                made = give_one_time_password(connection, name, by=actor(), now=datetime.now(UTC))
            return _tell_password(name, made)
    does = [
        gettext("%(name)s gets a password for one sign-in, which you are shown.", name=name),
        gettext("The password they have is worth nothing, and they are signed out everywhere."),
        gettext("Their second factor stays."),
    ]
    return _confirm(form, name, gettext("New password for %(name)s", name=name), gettext("Give a new password"), does)


@pages.route("/people/<name>/drop-second-factors", methods=["GET", "POST"])
@allowed(Permission.STAFF_CHANGE)
def drop(name: str) -> Answer:
    """Let somebody in with the password alone, as when a telephone is lost."""
    form = read_form(PageForm)
    if was_sent(form):
        with refusing(form):
            with transaction() as connection:
                drop_second_factors(connection, name, by=actor(), now=datetime.now(UTC))
            flash(gettext("%(name)s signs in with the password alone now.", name=name), "good")
            return redirect(url_for("people.show", name=name), 303)
    does = [
        gettext("The app, passkeys and recovery codes of %(name)s count no more.", name=name),
        gettext("They are signed out everywhere, and sign in with the password alone until they add another."),
    ]
    title = gettext("Drop the second factors of %(name)s", name=name)
    return _confirm(form, name, title, gettext("Drop them"), does)


@pages.post("/people/<name>/unlock")
@allowed(Permission.STAFF_CHANGE)
def unlock_name(name: str) -> Response:
    """Let a name try again at once."""
    with transaction() as connection:
        _do(lambda: unlock(connection, name, by=actor(), now=datetime.now(UTC)), gettext("They may try again."))
    return redirect(url_for("people.show", name=name), 303)


@pages.post("/people/<name>/end-sessions")
@allowed(Permission.STAFF_CHANGE)
def end_sessions(name: str) -> Response:
    """Sign somebody out everywhere."""
    with transaction() as connection:
        said = gettext("They are signed out everywhere.")
        _do(lambda: end_all_sessions(connection, name, by=actor(), now=datetime.now(UTC)), said)
    return redirect(url_for("people.show", name=name), 303)


@pages.post("/people/<name>/sessions/<int:number>/end")
@allowed(Permission.STAFF_CHANGE)
def end_one(name: str, number: int) -> Response:
    """Sign somebody out in one place."""
    with transaction() as connection:
        said = gettext("That session is ended.")
        _do(lambda: end_session(connection, number, by=actor(), now=datetime.now(UTC)), said)
    return redirect(url_for("people.show", name=name), 303)


def _do(deed: Any, said: str) -> None:
    """Do it and say so, or say why not."""
    try:
        deed()
        flash(said, "good")
    except AccessError as refused:
        flash(access_words(refused), "bad")


def _known(connection: Connection, name: str) -> Person:
    found = load_person(connection, name)
    if found is None:
        raise NotFound
    return found


def _offer(connection: Connection, form: PersonForm) -> None:
    """Fill in what can be chosen. Roles that grant more than the one who looks has are not offered."""
    mine, kept = person().permissions, set(form.roles.data or ())
    roles = load_roles(connection)
    form.roles.choices = choices_of(
        {one.name: one.name for one in roles if one.permissions <= mine or one.name in kept}
    )
    form.language.choices = choices_of(
        {"": gettext("As the browser asks"), **{str(code): said for code, said in LANGUAGES.items()}}
    )
    nobody = {"": gettext("nobody")}
    form.collector_id.choices = choices_of(nobody | {str(one.id): one.name for one in load_collectors(connection)})
    form.agent_id.choices = choices_of(nobody | {str(one.id): one.name for one in load_agents(connection)})


def _details(form: PersonForm) -> dict[str, object]:
    return {
        "email": form.email.data or None,
        "language": form.language.data or None,
        "collector_id": int(form.collector_id.data) if form.collector_id.data else None,
        "agent_id": int(form.agent_id.data) if form.agent_id.data else None,
    }


def _as_shown(one: Person) -> dict[str, Any]:
    return {
        "full_name": one.full_name,
        "email": one.email or "",
        "language": one.language or "",
        "roles": one.roles,
        "collector_id": str(one.collector_id or ""),
        "agent_id": str(one.agent_id or ""),
        "enabled": one.enabled,
    }


def _tell_password(name: str, made: str) -> Response:
    title = gettext("Password for the first sign-in of %(name)s", name=name)
    tell_once(title, made, hint=gettext("At the first sign-in they choose another one."))
    return redirect(url_for("people.show", name=name), 303)


def _confirm(form: PageForm, name: str, question: str, button: str, does: list[str]) -> tuple[str, int]:
    with transaction() as connection:
        found = _known(connection, name)
    back = url_for("people.show", name=found.name)
    return confirm_page(form, question, does, button=button, back=back), status_of(form)

"""Roles administered: a matrix of sections and what may be done in each."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from control_plane.access.people import AccessError, add_role, change_role, remove_role
from control_plane.access.permissions import EVERYTHING, Permission
from control_plane.store.staff import Role, hold_grants, load_people, load_role, load_roles, permissions_of
from web.acting import transaction
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
from web.language import gettext, lazy
from web.marks import allowed
from web.navigation import Entry
from web.staff_words import access_words, actor, permissions_by_section, refusing

pages = Blueprint("roles", __name__, url_prefix="/roles")
ENTRIES: Final = (Entry("system", lazy("Roles"), "roles.show_all", Permission.STAFF_SEE, order=11),)
Answer = Response | tuple[str, int]


class RoleForm(PageForm):
    """What a role grants, and what it demands."""

    granted = SelectMultipleField(lazy("It grants"), choices=choices_of({one.value: one.value for one in Permission}))
    needs_second_factor = BooleanField(lazy("Demands a second factor"))


class NewRoleForm(RoleForm):
    """The same of a new one."""

    name = StringField(lazy("Name of the role"), [InputRequired(REQUIRED), Length(max=64)])


@pages.get("")
@allowed(Permission.STAFF_SEE)
def show_all() -> str:
    """All roles beside each other."""
    with transaction() as connection:
        roles = load_roles(connection)
    return render_template("staff/roles/all.html", roles=roles, sections=permissions_by_section(EVERYTHING))


@pages.route("/new", methods=["GET", "POST"])
@allowed(Permission.STAFF_CHANGE)
def new() -> Answer:
    """Add a role."""
    form = read_form(NewRoleForm)
    if was_sent(form):
        with refusing(form):
            with transaction() as connection:
                add_role(
                    connection,
                    form.name.data,
                    permissions=permissions_of(form.granted.data),
                    by=actor(),
                    needs_second_factor=form.needs_second_factor.data,
                )
            flash(gettext("The role is there. Give it to whom it is for, under Staff."), "good")
            return redirect(url_for("roles.show_all"), 303)
    return _page(form, None), status_of(form)


@pages.route("/of/<name>", methods=["GET", "POST"])
@allowed(Permission.STAFF_CHANGE)
def change(name: str) -> Answer:
    """Grant more with a role, or less."""
    with transaction() as connection:
        role = _known(connection, name)
    form = read_form(RoleForm, granted=sorted(role.permissions), needs_second_factor=role.needs_second_factor)
    if not form.seen.data:
        form.seen.data = fingerprint(role.changeable)
    if was_sent(form):
        with refusing(form), transaction() as connection:
            hold_grants(connection)
            if not changed_meanwhile(form, _known(connection, name).changeable):
                change_role(
                    connection,
                    name,
                    permissions=permissions_of(form.granted.data),
                    by=actor(),
                    needs_second_factor=form.needs_second_factor.data,
                )
                flash(gettext("Kept. It holds from everybody's next click on."), "good")
                return redirect(url_for("roles.show_all"), 303)
    return _page(form, role), status_of(form)


@pages.post("/of/<name>/remove")
@allowed(Permission.STAFF_CHANGE)
def remove(name: str) -> Response:
    """Take a role away that nobody has."""
    try:
        with transaction() as connection:
            remove_role(connection, name, by=actor())
        flash(gettext("The role is removed."), "good")
    except AccessError as refused:
        flash(access_words(refused), "bad")
    return redirect(url_for("roles.show_all"), 303)


def _page(form: RoleForm, role: Role | None) -> str:
    members = []
    if role is not None:
        with transaction() as connection:
            members = [one for one in load_people(connection) if role.name in one.roles]
    sections = permissions_by_section(EVERYTHING)
    return render_template("staff/roles/form.html", form=form, role=role, members=members, sections=sections)


def _known(connection: Connection, name: str) -> Role:
    role = load_role(connection, name)
    if role is None:
        raise NotFound
    return role

"""Profiles: what the network gives, what each vendor's devices would be told while one types, and whom a change concerns before it is saved.

Next: ../../control_plane/profiles.py
"""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp

from control_plane.access.permissions import Permission
from control_plane.policy.preview import VendorPreview
from control_plane.policy.profile import PROFILE_COLUMNS
from control_plane.profiles import (
    Concerned,
    ProfileNameTakenError,
    add_profile,
    change_profile,
    check_name,
    load_concerned,
    one_way,
    preview_of,
    values_of,
)
from control_plane.quantities import (
    read_device_policy,
    read_duration_s,
    read_octets,
    read_rate,
    typed_duration,
    typed_text,
)
from control_plane.store.plan import Profile, hold_profile, load_profiles
from web.acting import person, transaction
from web.database import Connection
from web.forms import (
    REQUIRED,
    PageForm,
    changed_meanwhile,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import gettext, lazy, ngettext
from web.marks import allowed
from web.navigation import Entry
from web.quantity_fields import QuantityField
from web.staff.change_words import METHODS
from web.staff.nas_words import vendor_shown
from web.surroundings import here

pages = Blueprint("profiles", __name__)
ENTRIES: Final = (Entry("network", lazy("Profiles"), "profiles.show_all", Permission.NETWORK_SEE, order=30),)
Answer = Response | str | tuple[str, int]
_COLUMNS: Final = (*PROFILE_COLUMNS, "quota_octets")
_NAME_WORDS: Final = lazy("Letters, digits, spaces and . _ - alone, 64 at most.")


def _rate(label: Any) -> QuantityField:
    return QuantityField(label, read=read_rate, show=typed_text, example="300M", decimal=True)


def _span(label: Any) -> QuantityField:
    return QuantityField(label, read=read_duration_s, show=typed_duration, example="90s, 10m, 30d")


class ProfileForm(PageForm):
    """A profile; what is empty is left to the device."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Regexp(r"^[A-Za-z0-9._ -]{1,64}$", message=_NAME_WORDS)])
    rate_down_bps = _rate(lazy("Down"))
    rate_up_bps = _rate(lazy("Up"))
    burst_down_bps = _rate(lazy("Burst down"))
    burst_up_bps = _rate(lazy("Burst up"))
    burst_threshold_down_bps = _rate(lazy("Threshold down"))
    burst_threshold_up_bps = _rate(lazy("Threshold up"))
    burst_time_s = _span(lazy("Burst time"))
    minimum_down_bps = _rate(lazy("Minimum down"))
    minimum_up_bps = _rate(lazy("Minimum up"))
    priority = IntegerField(lazy("Priority"), [Optional(), NumberRange(1, 8)])
    address_lists = StringField(lazy("Address lists"))
    ipv4_pool = StringField(lazy("IPv4 pool"), [Length(max=253)])
    ipv6_pool = StringField(lazy("IPv6 pool"), [Length(max=253)])
    delegated_ipv6_pool = StringField(lazy("Delegated IPv6 pool"), [Length(max=253)])
    filter = StringField(lazy("Filter"), [Length(max=253)])
    device_policy = QuantityField(lazy("Policy ready on the device"), read=read_device_policy, example="home-300")
    quota_octets = QuantityField(lazy("Quota a month"), read=read_octets, show=typed_text, example="500G", decimal=True)
    session_timeout_s = _span(lazy("Session timeout"))
    idle_timeout_s = _span(lazy("Idle timeout"))
    interim_interval_s = _span(lazy("Reports every"))

    def extra_validate(self) -> bool:
        """What no field can know alone: a rate has both directions."""
        for name in one_way(self.data):
            other = name.replace("_down_", "_up_") if "_down_" in name else name.replace("_up_", "_down_")
            if not self[name].errors and not self[other].errors:
                refuse(self, name, gettext("Both directions, or neither."))
        return not self.errors

    def columns(self) -> dict[str, Any]:
        """What was typed, as columns."""
        values = {name: self[name].data or None for name in _COLUMNS}
        return {**values, "address_lists": _lists(self.address_lists.data or "")}


def _lists(typed: str) -> list[str]:
    return [one for one in re.split(r"[,;]\s*", typed.strip()) if one]


@pages.get("/profiles")
@allowed(Permission.NETWORK_SEE)
def show_all() -> str:
    """All of them, by name."""
    with transaction() as connection:
        found = load_profiles(connection)
    return render_template("staff/profiles/list.html", profiles=found)


@pages.post("/profiles/preview")
@allowed(Permission.NETWORK_SEE)
def shown() -> str:
    """The part of the form's page that says what each vendor's devices would be told."""
    form = read_form(ProfileForm)
    form.validate()
    right = form.extra_validate() or set(form.errors) <= {"name"}
    before = request.args.get("of", type=int)
    with transaction() as connection:
        found = _preview(connection, form, before) if right else None
    return render_template("staff/profiles/_preview.html", found=found, vendor_shown=vendor_shown, methods=METHODS)


def _preview(connection: Connection, form: ProfileForm, before: int | None) -> list[VendorPreview] | None:
    try:
        return preview_of(connection, here().settings, form.columns(), instead_of=before)
    except ValueError:
        return None


@pages.route("/profiles/new", methods=["GET", "POST"])
@allowed(Permission.NETWORK_CHANGE)
def new() -> Answer:
    """Add one."""
    form = read_form(ProfileForm, interim_interval_s=600)
    if was_sent(form) and form.extra_validate():
        try:
            return do_once(lambda connection: _add(connection, form))
        except ProfileNameTakenError:
            refuse(form, "name", gettext("There is a profile of this name already."))
    return render_template("staff/profiles/form.html", form=form, profile=None), status_of(form)


def _add(connection: Connection, form: ProfileForm) -> str:
    check_name(connection, form.name.data)
    add_profile(connection, {"name": form.name.data, **form.columns()}, actor=person().name)
    flash(gettext("Added."), "good")
    return url_for("profiles.show_all")


@pages.route("/profiles/<int:number>/edit", methods=["GET", "POST"])
@allowed(Permission.NETWORK_CHANGE)
def edit(number: int) -> Answer:
    """Change one: whom it concerns is shown before it is saved."""
    with transaction() as connection:
        profile = _profile(connection, number)
    values = values_of(profile)
    form = read_form(ProfileForm, **{**values, "address_lists": ", ".join(profile.address_lists)})
    if request.method == "GET":
        form.seen.data = fingerprint(values)
    if was_sent(form) and form.extra_validate():
        try:
            if request.form.get("confirmed"):
                return do_once(lambda connection: _change(connection, form, number))
            with transaction() as connection:
                concerned = load_concerned(connection, _as_seen(connection, form, number))
            return _asked_first(form, profile, concerned)
        except ProfileNameTakenError:
            refuse(form, "name", gettext("There is a profile of this name already."))
        except _ChangedMeanwhileError:
            pass
    return render_template("staff/profiles/form.html", form=form, profile=profile), status_of(form)


class _ChangedMeanwhileError(Exception):
    """Somebody else was first; the form says so."""


def _as_seen(connection: Connection, form: ProfileForm, number: int) -> Profile:
    """The profile, held, which nobody has changed since it was shown. Raises: ProfileNameTakenError, _ChangedMeanwhileError."""
    hold_profile(connection, number)
    profile = _profile(connection, number)
    check_name(connection, form.name.data, besides=profile.id)
    if changed_meanwhile(form, values_of(profile)):
        raise _ChangedMeanwhileError
    return profile


def _profile(connection: Connection, number: int) -> Profile:
    found = next((one for one in load_profiles(connection) if one.id == number), None)
    if found is None:
        raise NotFound
    return found


def _changed(form: ProfileForm, profile: Profile) -> dict[str, Any]:
    wanted, there = {"name": form.name.data, **form.columns()}, values_of(profile)
    return {name: value for name, value in wanted.items() if value != there[name]}


def _asked_first(form: ProfileForm, profile: Profile, concerned: Concerned) -> Answer:
    changed = _changed(form, profile)
    labels = ", ".join(str(form[name].label.text) for name in changed)
    does = [
        gettext("Changed: %(what)s.", what=labels) if changed else gettext("Nothing is changed."),
        ngettext("%(num)s contract in service has a plan with it.", "%(num)s contracts in service have a plan with it.", concerned.contracts),
        ngettext("%(num)s live session should run under it and is told at once.", "%(num)s live sessions should run under it and are told at once.", concerned.live_sessions),
        gettext("What takes away waits for a person when it is more than the guard lets go."),
    ]  # fmt: skip
    fields = {
        name: values for name, values in request.form.lists() if name in form and name not in ("once_key", "seen")
    }
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Change profile %(name)s?", name=profile.name),
        does=does,
        button=gettext("Save"),
        tone="danger" if concerned.live_sessions else "primary",
        fields=fields,
        back=url_for("profiles.edit", number=profile.id),
    )


def _change(connection: Connection, form: ProfileForm, number: int) -> str:
    profile = _as_seen(connection, form, number)
    changed = _changed(form, profile)
    if changed:
        change_profile(connection, profile, changed, actor=person().name)
        flash(gettext("Changed."), "good")
    return url_for("profiles.show_all")

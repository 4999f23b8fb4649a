"""Plans: what each means on the network, at which hours and with which quota, and the product that sells it with its price and terms.

Next: products.py
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Regexp

from billing.store.catalogue import Product, load_product_page, load_products
from control_plane.access.permissions import Permission
from control_plane.catalogue import add_plan, change_plan, set_hours, set_quota_steps
from control_plane.store.plan import (
    Plan,
    Profile,
    hold_plan,
    load_live,
    load_plan,
    load_plan_ids,
    load_plans,
    load_profiles,
)
from web.acting import clock, person, transaction
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
from web.language import gettext, lazy, ngettext, number_shown
from web.marks import allowed
from web.navigation import Entry
from web.staff import _catalogue_words as words
from web.surroundings import here

pages = Blueprint("plans", __name__)
ENTRIES: Final = (Entry("offers", lazy("Plans"), "plans.list_", Permission.CATALOGUE_SEE, order=10),)
_CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_STEP: Final = re.compile(r"([1-9][0-9]{0,3})=(notice|throttle)")
_MOST_PERCENT: Final = 1000
_CLOCK_WORDS: Final = lazy("A time such as 22:00.")


class PlanForm(PageForm):
    """A plan's name and its three profiles."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED)])
    profile = SelectField(lazy("In full"), coerce=int)
    throttle = SelectField(lazy("Throttled"), coerce=int)
    walled = SelectField(lazy("In the walled garden"), coerce=int)


class HoursForm(PageForm):
    """Hours of every day at which a plan gives another profile."""

    begins = StringField(lazy("From"), [InputRequired(REQUIRED), Regexp(_CLOCK, message=_CLOCK_WORDS)])
    ends = StringField(lazy("Until"), [InputRequired(REQUIRED), Regexp(_CLOCK, message=_CLOCK_WORDS)])
    at_hours = SelectField(lazy("Profile"), coerce=int)


class QuotaForm(PageForm):
    """What happens at which share of the quota."""

    steps = StringField(lazy("Steps"))


@pages.get("/plans")
@allowed(Permission.CATALOGUE_SEE)
def list_() -> str:
    """All plans with what they give, cost and how many have them."""
    with transaction() as connection:
        day = today(connection)
        plans = load_plans(connection)
        sold = {one.plan: one for one in load_products(connection, day=day) if one.plan is not None}
        prices = {
            name: [price for price in load_product_page(connection, one).prices if words.in_force(price, day)]
            for name, one in sold.items()
        }
    return render_template("staff/plans/list.html", plans=plans, sold=sold, prices=prices, words=words)


@pages.get("/plans/<int:plan_id>")
@allowed(Permission.CATALOGUE_SEE)
def show(plan_id: int) -> str:
    """One plan: network, hours, quota, and how it is sold."""
    with transaction() as connection:
        return _page(connection, _known(connection, plan_id), read_form(HoursForm), read_form(QuotaForm))


@pages.route("/plans/new", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def new() -> str | Response | tuple[str, int]:
    """A new plan of three profiles; its product comes next."""
    with transaction() as connection:
        form, names = _form(connection), set(load_plan_ids(connection))
    if was_sent(form):
        if form.name.data in names:
            refuse(form, "name", gettext("There is one of this name already."))
        else:
            return do_once(lambda own: _add(own, form))
    return render_template("staff/plans/edit.html", form=form, plan=None), status_of(form)


@pages.route("/plans/<int:plan_id>/edit", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def edit(plan_id: int) -> str | Response | tuple[str, int]:
    """Change a plan, once the number of contracts and live sessions that it concerns has been seen."""
    with transaction() as connection:
        plan = _known(connection, plan_id)
        form = _form(connection, plan)
        # Counted for who is asked whether that is meant, not for each look at the form.
        live = load_live(connection, plan_id=plan_id) if was_sent(form) else 0
        taken = {name for name, number in load_plan_ids(connection).items() if number != plan_id}
        if request.method == "GET":
            form.seen.data = fingerprint(_seen(plan))
    if was_sent(form) and form.name.data in taken:
        refuse(form, "name", gettext("There is one of this name already."))
    elif was_sent(form):
        try:
            if "confirmed" in request.form:
                return do_once(lambda own: _change(own, plan_id, form))
            with transaction() as connection:
                plan = _as_seen(connection, plan_id, form)
            return _asked_first(plan, form, live)
        except _ChangedError as changed:
            plan = changed.plan
    return render_template("staff/plans/edit.html", form=form, plan=plan), status_of(form)


class _ChangedError(Exception):
    """Somebody else was faster; `plan` is what stands there now."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.id)
        self.plan = plan


def _as_seen(connection: Connection, plan_id: int, form: Any) -> Plan:
    """The plan, held, which nobody has changed since it was shown. Raises: _ChangedError."""
    hold_plan(connection, plan_id)
    plan = _known(connection, plan_id)
    if changed_meanwhile(form, _seen(plan)):
        raise _ChangedError(plan)
    return plan


def _asked_first(plan: Plan, form: Any, live: int) -> str:
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Change plan %(name)s?", name=plan.name),
        does=[
            ngettext(
                "%(num)s contract in service gets the change.",
                "%(num)s contracts in service get the change.",
                plan.contracts,
            ),
            ngettext(
                "%(num)s session that is online is changed where it is.",
                "%(num)s sessions that are online are changed where they are.",
                live,
            ),
        ],
        button=gettext("Change it"),
        tone="warning",
        back=url_for("plans.show", plan_id=plan.id),
        fields={name: [request.form.get(name, "")] for name in ("name", "profile", "throttle", "walled")},
    )


@pages.post("/plans/<int:plan_id>/hours")
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def hours(plan_id: int) -> str | Response | tuple[str, int]:
    """Another profile at some hours of every day, or no longer."""
    form = read_form(HoursForm)
    with transaction() as connection:
        plan = _known(connection, plan_id)
        profiles = {one.id: one for one in load_profiles(connection)}
        form.at_hours.choices = [SelectChoice(number, one.name) for number, one in profiles.items()]
        if "remove" in request.form:
            begins, _, ends = request.form["remove"].partition("-")
            return do_once(lambda own: _hours(own, plan, _time(begins), _time(ends)))
        if was_sent(form) and form.begins.data == form.ends.data:
            refuse(form, "ends", gettext("They end where they begin: what holds all day is the plan's own profile."))
        elif was_sent(form):
            begins, ends, given = form.begins.data, form.ends.data, form.at_hours.data
            return do_once(lambda own: _hours(own, plan, _time(begins), _time(ends), profiles[given]))
        return _page(connection, plan, form, read_form(QuotaForm)), status_of(form)


@pages.post("/plans/<int:plan_id>/quota")
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def quota(plan_id: int) -> str | Response | tuple[str, int]:
    """What happens at which share of the quota; nothing typed: the usual steps."""
    form = read_form(QuotaForm)
    read = [_STEP.fullmatch(text) for text in (form.steps.data or "").split()]
    steps = [(int(one[1]), one[2]) for one in read if one is not None and int(one[1]) <= _MOST_PERCENT]
    once = len({percent for percent, _ in steps}) == len(steps)
    if len(steps) != len(read):
        refuse(form, "steps", gettext("Write steps such as 80=notice 100=throttle."))
    elif not once or [action for _, action in steps].count("throttle") > 1:
        refuse(form, "steps", gettext("One step a share, and one throttle."))
    with transaction() as connection:
        plan = _known(connection, plan_id)
        if form.errors:
            return _page(connection, plan, read_form(HoursForm), form), 422
    return do_once(lambda own: _quota(own, plan, steps))


def today(connection: Connection) -> date:
    """The operator's day."""
    return clock(connection).astimezone(here().settings.zone).date()


def _known(connection: Connection, plan_id: int) -> Plan:
    found = load_plan(connection, plan_id)
    if found is None:
        raise NotFound
    return found


def _seen(plan: Plan) -> tuple[str, ...]:
    return plan.name, plan.profile, plan.throttle_profile, plan.walled_profile


def _form(connection: Connection, plan: Plan | None = None) -> Any:
    form = read_form(PlanForm)
    profiles = load_profiles(connection)
    ids = {one.name: one.id for one in profiles}
    for field in (form.profile, form.throttle, form.walled):
        field.choices = [SelectChoice(one.id, one.name) for one in profiles]
    if plan is not None and request.method == "GET":
        form.name.data, form.profile.data = plan.name, ids[plan.profile]
        form.throttle.data, form.walled.data = ids[plan.throttle_profile], ids[plan.walled_profile]
    return form


def _add(connection: Connection, form: Any) -> str:
    profiles = (form.profile.data, form.throttle.data, form.walled.data)
    add_plan(connection, form.name.data, profiles, actor=person().name)
    flash(gettext("Added. Now say what it costs."))
    return url_for("plans.show", plan_id=load_plan_ids(connection)[form.name.data])


def _change(connection: Connection, plan_id: int, form: Any) -> str:
    plan = _as_seen(connection, plan_id, form)
    columns = {
        "name": form.name.data,
        "profile_id": form.profile.data,
        "throttle_profile_id": form.throttle.data,
        "walled_profile_id": form.walled.data,
    }
    change_plan(connection, plan, columns, actor=person().name)
    flash(gettext("Changed. What is online follows within seconds."))
    return url_for("plans.show", plan_id=plan.id)


def _hours(connection: Connection, plan: Plan, begins: time, ends: time, profile: Profile | None = None) -> str:
    set_hours(connection, plan, (begins, ends), profile, actor=person().name)
    flash(gettext("Changed. What is online follows within seconds."))
    return url_for("plans.show", plan_id=plan.id)


def _quota(connection: Connection, plan: Plan, steps: list[tuple[int, str]]) -> str:
    set_quota_steps(connection, plan, steps, actor=person().name)
    flash(gettext("Changed. What is online follows within seconds."))
    return url_for("plans.show", plan_id=plan.id)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise NotFound from error


def _page(connection: Connection, plan: Plan, hours_form: Any, quota_form: Any) -> str:
    hours_form.at_hours.choices = [SelectChoice(one.id, one.name) for one in load_profiles(connection)]
    if "steps" not in request.form:
        quota_form.steps.data = " ".join(plan.quota_steps)
    product: Product | None = next(
        (one for one in load_products(connection, day=today(connection)) if one.plan == plan.name), None
    )
    return render_template(
        "staff/plans/show.html",
        plan=plan,
        hours=[one.partition(" ")[::2] for one in plan.hours],
        hours_form=hours_form,
        quota_form=quota_form,
        product=None if product is None else load_product_page(connection, product),
        day=today(connection),
        contracts=number_shown(plan.contracts),
        words=words,
    )

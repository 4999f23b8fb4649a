"""A new tax code, with a rate or with why it bears none; the end of a stamp duty. What is issued stays.

Next: tax_setup.py
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import psycopg
from flask import Blueprint, flash, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from billing.store.stamp_duties import StampDutyRow, load_stamp_duties
from control_plane.access.permissions import Permission
from control_plane.catalogue import add_code, end_duty
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed
from web.database import Connection
from web.forms import REQUIRED, DayField, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, price_shown
from web.marks import allowed
from web.refusal_words import database_words
from web.staff.customer_forms import countries
from web.staff.plans import today

pages = Blueprint("tax_codes", __name__)
Answer = Response | tuple[str, int] | str
_PERCENT: Final = Decimal(100)
_FIELDS: Final = {
    "tax_code_name_key": "name",
    "tax_code_nature_says_why": "law",
    "tax_code_stamp_is_untaxed": "bears_stamp",
}


class CodeForm(PageForm):
    """A tax code: a rate from a day on, or a nature with the law that says so."""

    name = StringField(
        lazy("Tax code"),
        [
            InputRequired(REQUIRED),
            Regexp(
                r"^[A-Za-z0-9._-]{1,40}$", message=lazy("Letters, digits, dots, dashes and underscores, 40 at most.")
            ),
        ],
    )
    percent = DecimalField(lazy("Percent"), [Optional()], least=Decimal(0))
    since = DayField(lazy("On documents from"), [Optional()])
    nature = StringField(
        lazy("Nature"),
        [Optional(), Regexp(r"^[A-Z0-9.]{1,10}$", message=lazy("Capitals, digits and dots, 10 at most."))],
    )
    law = StringField(lazy("Law"), [Length(max=100)])
    bears_stamp = BooleanField(lazy("Counts towards stamp duty"))


class EndForm(PageForm):
    """From which day on nothing is owed."""

    day = DayField(lazy("First day without it"), [InputRequired(REQUIRED)])


@pages.route("/taxes/codes/new", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def new() -> Answer:
    """Add a tax code, which nothing bears yet."""
    form = read_form(CodeForm)
    if was_sent(form) and _fits(form):
        try:
            return do_once(lambda connection: _added(connection, form))
        except psycopg.errors.IntegrityError as error:
            refuse(form, _FIELDS.get(error.diag.constraint_name or "", ""), database_words(error))
    return render_template("staff/taxes/code.html", form=form), status_of(form)


@pages.route("/taxes/duty/<country>/<currency>/end", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def end_of_duty(country: str, currency: str) -> Answer:
    """Let a stamp duty end on a day, once it was looked at."""
    with transaction() as connection:
        found = [one for one in load_stamp_duties(connection) if (one.country, one.currency) == (country, currency)]
        form = read_form(EndForm, day=today(connection))
    if not found:
        raise NotFound
    running = next((one for one in found if one.until is None), None)
    ready = was_sent(form)

    def end(connection: Connection) -> str:
        if end_duty(connection, country, currency, on=form.day.data, actor=person().name) is None:
            raise _NothingEndsError
        flash(
            gettext("Stamp duty of %(country)s ends on %(day)s.", country=country, day=day_shown(form.day.data)), "good"
        )
        return url_for("taxes.list_")

    if ready and is_confirmed():
        try:
            return do_once(end)
        except _NothingEndsError:
            _refuse_day(form, running)
    elif ready and running is not None and (running.since is None or form.day.data > running.since):
        does = [
            gettext(
                "Documents of %(country)s dated %(day)s or later owe no %(amount)s any more.",
                country=countries().get(country, country),
                day=day_shown(form.day.data),
                amount=price_shown(running.amount, currency),
            )
        ]
        question = gettext("End the stamp duty?")
        return confirm_page(form, question, does, button=gettext("End it"), back=url_for("taxes.list_"))
    elif ready:
        _refuse_day(form, running)
    return render_template("staff/taxes/duty_end.html", form=form, country=country, one=running), status_of(form)


class _NothingEndsError(Exception):
    """No duty without an end holds on that day."""


def _refuse_day(form: Any, running: StampDutyRow | None) -> None:
    if running is None or running.since is None:
        refuse(form, "day", gettext("No stamp duty holds on that day without an end."))
    else:
        refuse(form, "day", gettext("It is owed from %(day)s: give a later day.", day=day_shown(running.since)))


def _fits(form: Any) -> bool:
    rated = form.percent.data is not None
    if rated and form.percent.data > _PERCENT:
        refuse(form, "percent", gettext("At most 100."))
    if rated == bool(form.nature.data):
        refuse(form, "percent", gettext("Either a rate, or the nature and the law by which it bears none."))
    elif rated and form.since.data is None:
        refuse(form, "since", str(REQUIRED))
    elif not rated and not form.law.data:
        refuse(form, "law", str(REQUIRED))
    elif rated and form.bears_stamp.data:
        refuse(form, "bears_stamp", gettext("Only what bears no tax counts towards stamp duty."))
    return not form.errors


def _added(connection: Connection, form: Any) -> str:
    add_code(
        connection,
        form.name.data,
        nature=form.nature.data or None,
        law=form.law.data or None,
        bears_stamp=form.bears_stamp.data,
        rate=None if form.percent.data is None else (form.percent.data, form.since.data),
        actor=person().name,
    )
    flash(gettext("Tax code %(name)s is added.", name=form.name.data), "good")
    return url_for("taxes.list_")

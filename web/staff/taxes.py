"""Taxes: codes with their rates by date, fiscal positions, stamp duty; and the registers in which issuers number their documents.

Next: products.py
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Regexp

from billing.errors import BillingError
from billing.store.acting import acting
from billing.store.issuers import (
    add_register,
    load_issuer_registers,
    load_issuers,
    load_positions,
    load_tax_codes,
)
from billing.store.stamp_duties import load_stamp_duties
from control_plane.access.permissions import Permission
from control_plane.catalogue import add_tax_rate
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, percent_shown
from web.marks import allowed
from web.navigation import Entry
from web.staff import _catalogue_words as catalogue_words
from web.staff import _document_words as words
from web.staff.plans import today

pages = Blueprint("taxes", __name__)
ENTRIES: Final = (
    Entry("offers", lazy("Taxes"), "taxes.list_", Permission.CATALOGUE_SEE, order=70),
    Entry("offers", lazy("Registers"), "taxes.registers", Permission.CATALOGUE_SEE, order=80),
)
_PERCENT: Final = Decimal(100)
CUSTOMER_KINDS: Final = {
    "person": lazy("People"),
    "company": lazy("Companies"),
    "public_body": lazy("Public bodies"),
}
PURPOSES: Final = {"recurring": lazy("Of runs"), "manual": lazy("By hand")}


class RateForm(PageForm):
    """A rate from a day on; the one before ends there."""

    code = SelectField(lazy("Tax code"))
    percent = DecimalField(lazy("Percent"), [InputRequired(REQUIRED)], least=Decimal(0))
    since = DayField(lazy("On documents from"), [InputRequired(REQUIRED)])


class RegisterForm(PageForm):
    """One more series of numbers."""

    issuer = SelectField(lazy("Issuer"), coerce=int)
    code = StringField(
        lazy("Code"),
        [InputRequired(REQUIRED), Regexp(r"^[A-Z0-9]{1,6}$", message=lazy("Capital letters and digits, 6 at most."))],
    )
    kind = SelectField(lazy("Numbers"), choices=[SelectChoice(kind, said) for kind, said in words.KINDS.items()])
    name = StringField(lazy("Name"), [InputRequired(REQUIRED)])
    purpose = SelectField(
        lazy("Only documents"),
        choices=[SelectChoice("", lazy("All")), *(SelectChoice(key, said) for key, said in PURPOSES.items())],
    )


@pages.get("/taxes")
@allowed(Permission.CATALOGUE_SEE)
def list_() -> str:
    """Codes with their rates, positions, stamp duty."""
    with transaction() as connection:
        codes, positions, duties = load_tax_codes(connection), load_positions(connection), load_stamp_duties(connection)
    return render_template(
        "staff/taxes/list.html",
        codes=[(one, [rate_words(text) for text in one.rates]) for one in codes],
        positions=positions,
        duties=duties,
        kinds=CUSTOMER_KINDS,
        words=words,
        days=catalogue_words.days_words,
    )


@pages.route("/taxes/rate", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def rate() -> str | Response | tuple[str, int]:
    """A new rate of a code, once it is known what it ends."""
    form = read_form(RateForm)
    with transaction() as connection:
        # A code with a nature bears none.
        codes = {one.name: one for one in load_tax_codes(connection) if one.nature is None}
        form.code.choices = [SelectChoice(name, name) for name in codes]
        if request.method == "GET":
            form.since.data = today(connection)
    if was_sent(form) and form.percent.data > _PERCENT:
        refuse(form, "percent", gettext("At most 100."))
    elif was_sent(form):
        last = rate_days(codes[form.code.data].rates[-1])[0] if codes[form.code.data].rates else None
        if last is not None and form.since.data <= last:
            refuse(form, "since", gettext("A rate of this code begins on that day or later already."))
        elif "confirmed" in request.form:
            return do_once(lambda own: _rate(own, form))
        else:
            return _confirm_rate(form)
    return render_template("staff/taxes/rate.html", form=form), status_of(form)


@pages.get("/registers")
@allowed(Permission.CATALOGUE_SEE)
def registers() -> str:
    """Each issuer with its registers, and how far they have come."""
    with transaction() as connection:
        found = [(one, load_issuer_registers(connection, one.id)) for one in load_issuers(connection)]
    return render_template("staff/taxes/registers.html", found=found, words=words, purposes=PURPOSES)


@pages.route("/registers/new", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def new_register() -> str | Response | tuple[str, int]:
    """One more series of numbers of an issuer."""
    form = read_form(RegisterForm)
    with transaction() as connection:
        issuers = load_issuers(connection)
        form.issuer.choices = [SelectChoice(one.id, one.name) for one in issuers]
        taken = {(one.id, register.code) for one in issuers for register in load_issuer_registers(connection, one.id)}
    if was_sent(form) and (form.issuer.data, form.code.data) in taken:
        refuse(form, "code", gettext("There is one of this name already."))
    elif was_sent(form):
        try:
            return do_once(lambda own: _register(own, form))
        except BillingError:
            refuse(form, "code", gettext("Its numbers would be too long, or printed as another register's are."))
    return render_template("staff/taxes/register_new.html", form=form), status_of(form)


def rate_days(text: str) -> tuple[date, date | None]:
    """From when a rate holds, and the first day on which it doesn't, of its words in the store."""
    parts = text.split(" ")
    return date.fromisoformat(parts[2]), date.fromisoformat(parts[4]) if len(parts) > 4 else None


def rate_words(text: str) -> str:
    """A rate with its days, for the reader."""
    since, until = rate_days(text)
    return f"{percent_shown(Decimal(text.partition(' ')[0]))} {catalogue_words.days_words(since, until)}"


def _confirm_rate(form: Any) -> str:
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Change the rate of %(code)s?", code=form.code.data),
        does=[
            gettext(
                "Documents dated %(day)s or later bear %(percent)s.",
                day=day_shown(form.since.data),
                percent=percent_shown(form.percent.data),
            ),
            gettext("The rate before ends there. What is issued stays."),
        ],
        button=gettext("Change it"),
        tone="warning",
        back=url_for("taxes.list_"),
        fields={name: [request.form.get(name, "")] for name in ("code", "percent", "since")},
    )


def _rate(connection: Connection, form: Any) -> str:
    add_tax_rate(connection, form.code.data, form.percent.data, since=form.since.data, actor=person().name)
    flash(gettext("The new rate holds from that day."))
    return url_for("taxes.list_")


def _register(connection: Connection, form: Any) -> str:
    acting(connection, person().name)
    add_register(
        connection,
        form.issuer.data,
        form.code.data,
        kind=form.kind.data,
        name=form.name.data,
        purpose=form.purpose.data or None,
    )
    flash(gettext("Added. The most specific register that fits numbers a document."))
    return url_for("taxes.registers")

"""Stamp duty from a day on, and new fiscal positions: how customers of a kind and place are taxed. What is issued stays.

Next: taxes.py
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp

from billing.country_codes import country_fault
from billing.store.issuers import load_issuers, load_positions, load_tax_codes
from billing.store.stamp_duties import StampDutyRow, load_stamp_duties
from control_plane.access.permissions import Permission
from control_plane.catalogue import NewStampDuty, add_fiscal_position, set_stamp_duty
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed
from web.database import Connection
from web.forms import REQUIRED, DayField, MoneyField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, number_shown
from web.marks import allowed
from web.staff.customer_forms import countries
from web.staff.plans import today
from web.staff.taxes import CUSTOMER_KINDS

pages = Blueprint("tax_setup", __name__)
Answer = Response | tuple[str, int] | str
LIABILITIES: Final = {
    "immediate": lazy("at once"),
    "deferred": lazy("Owed when paid"),
    "split": lazy("Paid to the state by the customer"),
}
_PAIRS: Final = 4


class DutyForm(PageForm):
    """What documents owe from a day on."""

    country = SelectField(lazy("Country"), choices=[])
    currency = SelectField(lazy("Currency"), choices=[])
    amount = MoneyField(lazy("Amount"), [InputRequired(REQUIRED)], least=Decimal(0))
    above = MoneyField(lazy("Owed above"), [InputRequired(REQUIRED)], least=Decimal(0))
    since = DayField(lazy("On documents from"), [InputRequired(REQUIRED)])
    until = DayField(lazy("First day without it"))


class PositionForm(PageForm):
    """A way of being taxed."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Length(max=100)])
    priority = IntegerField(lazy("Tried as number"), [Optional(), NumberRange(1, 1000)])
    customer_kind = SelectField(
        lazy("Only for"),
        choices=[SelectChoice("", lazy("All")), *(SelectChoice(key, said) for key, said in CUSTOMER_KINDS.items())],
    )
    countries = StringField(
        lazy("Only in these countries"),
        [Regexp(r"^([A-Z]{2}( [A-Z]{2})*)?$", message=lazy("Two capitals each, with blanks between: IT SM."))],
    )
    postal_prefix = StringField(lazy("Only where postal codes begin with"), [Length(max=10)])
    issuer_id = SelectField(lazy("Only for this issuer"), choices=[])
    liability = SelectField(lazy("Tax is owed"), choices=[SelectChoice(key, said) for key, said in LIABILITIES.items()])


@pages.route("/taxes/duty", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def duty() -> Answer:
    """Another stamp duty, once it is known what it ends."""
    form = read_form(DutyForm)
    with transaction() as connection:
        issuers, duties = load_issuers(connection), load_stamp_duties(connection)
        if request.method == "GET":
            form.since.data = today(connection)
    names = countries()
    form.country.choices = [SelectChoice(one, names.get(one, one)) for one in sorted({one.country for one in issuers})]
    form.currency.choices = [SelectChoice(one, one) for one in sorted({one.currency for one in issuers})]
    form.amount.currency = form.above.currency = form.currency.data or "EUR"
    if was_sent(form) and _fits(form, duties):
        if is_confirmed():
            return do_once(lambda own: _set(own, form))
        return _confirm(form)
    return render_template("staff/taxes/duty.html", form=form), status_of(form)


@pages.route("/taxes/positions/new", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def new_position() -> Answer:
    """A fiscal position, with the tax codes that it puts in place of others."""
    form = read_form(PositionForm)
    with transaction() as connection:
        issuers, codes = load_issuers(connection), [one.name for one in load_tax_codes(connection)]
        taken = {one.name for one in load_positions(connection)}
    form.issuer_id.choices = [SelectChoice("", lazy("All")), *(SelectChoice(str(one.id), one.name) for one in issuers)]
    if was_sent(form):
        for code in form.countries.data.split():
            if country_fault(code) is not None:
                refuse(form, "countries", gettext("There is no country %(code)s.", code=code))
        if form.name.data in taken:
            refuse(form, "name", gettext("There is one of this name already."))
        pairs = _pairs(codes)
        if pairs is None:
            refuse(form, "", gettext("Each replacement names two tax codes, and each code once."))
        elif not form.errors:
            return do_once(lambda own: _added(own, form, pairs))
    typed = [(request.form.get(f"from_{one}", ""), request.form.get(f"to_{one}", "")) for one in range(_PAIRS)]
    return render_template("staff/taxes/position.html", form=form, codes=codes, typed=typed), status_of(form)


def _pairs(codes: list[str]) -> tuple[tuple[str, str], ...] | None:
    """The replacements that were chosen; None where one is of no use."""
    asked = [(request.form.get(f"from_{one}", ""), request.form.get(f"to_{one}", "")) for one in range(_PAIRS)]
    pairs = tuple(pair for pair in asked if any(pair))
    replaced = [before for before, _ in pairs]
    good = all(before in codes and after in codes and before != after for before, after in pairs)
    return pairs if good and len(set(replaced)) == len(replaced) else None


def _fits(form: Any, duties: list[StampDutyRow]) -> bool:
    """Whether its days are in order and behind those of the one before; what is wrong is said beside its field."""
    if form.until.data is not None and form.until.data <= form.since.data:
        refuse(form, "until", gettext("It ends after it begins."))
    if form.amount.data == 0:
        refuse(form, "amount", gettext("More than nothing."))
    of_these = [one for one in duties if (one.country, one.currency) == (form.country.data, form.currency.data)]
    if any((one.since is not None and form.since.data <= one.since) or (one.until is not None and form.since.data < one.until) for one in of_these):  # fmt: skip
        refuse(form, "since", gettext("Another one holds on that day or later, with its own end."))
    return not form.errors


def _confirm(form: Any) -> str:
    currency = form.currency.data
    does = [
        gettext(
            "Documents of %(country)s dated %(day)s or later owe %(amount)s %(currency)s above %(above)s %(currency)s.",
            country=countries().get(form.country.data, form.country.data),
            day=day_shown(form.since.data),
            amount=number_shown(form.amount.data),
            above=number_shown(form.above.data),
            currency=currency,
        ),
        gettext("What was owed before ends there. What is issued stays."),
    ]
    return confirm_page(
        form,
        gettext("Change the stamp duty?"),
        does,
        button=gettext("Change it"),
        back=url_for("taxes.list_"),
        tone="warning",
    )


def _set(connection: Connection, form: Any) -> str:
    told = NewStampDuty(
        form.country.data,
        form.currency.data,
        form.above.data,
        form.amount.data,
        form.since.data,
        form.until.data,
    )
    set_stamp_duty(connection, told, actor=person().name)
    flash(gettext("It is owed from that day."))
    return url_for("taxes.list_")


def _added(connection: Connection, form: Any, pairs: tuple[tuple[str, str], ...]) -> str:
    columns: dict[str, object] = {
        "name": form.name.data,
        "priority": form.priority.data,
        "customer_kind": form.customer_kind.data or None,
        "countries": form.countries.data.split(),
        "postal_prefix": form.postal_prefix.data or None,
        "issuer_id": int(form.issuer_id.data) if form.issuer_id.data else None,
        "liability": form.liability.data,
    }
    add_fiscal_position(connection, columns, pairs, actor=person().name)
    flash(gettext("Added."))
    return url_for("taxes.list_")

"""Price changes: a new price for contracts that there are, told to them before; counted and added up before it is asked for.

The worker gives it to the contracts: catalogue_requests.py shows how far that is.

Next: products.py
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from billing.errors import BillingError
from billing.price_changes import NOTICE, PriceChange, PriceTotal, Reach, check_day
from billing.store.catalogue import load_products
from billing.store.catalogue_requests import load_waiting
from billing.store.issuers import load_issuers
from billing.store.price_changes import load_price_totals
from control_plane.access.permissions import Permission
from control_plane.catalogue import ask_for_new_price
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, money_shown, ngettext
from web.marks import allowed
from web.navigation import Entry
from web.staff.plans import today

pages = Blueprint("price_changes", __name__)
ENTRIES: Final = (Entry("offers", lazy("Price changes"), "price_changes.new", Permission.CATALOGUE_CHANGE, order=40),)


class PriceChangeForm(PageForm):
    """A new price a month, or so many percent more."""

    product = SelectField(lazy("Product"))
    amount = DecimalField(lazy("New price a month"), least=Decimal(0))
    percent = DecimalField(lazy("Or more by percent"), least=Decimal(-100))
    currency = SelectField(lazy("Currency"))
    taxed = SelectField(
        lazy("The new price is"),
        choices=[SelectChoice("gross", lazy("with tax")), SelectChoice("net", lazy("without tax"))],
    )
    day = DayField(lazy("From each contract's next period after"), [InputRequired(REQUIRED)])


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be changed, and whose."""

    change: PriceChange
    reach: Reach


@pages.route("/price-changes", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def new() -> str | Response | tuple[str, int]:
    """Give a product another price for the contracts that have it."""
    form = read_form(PriceChangeForm)
    totals: list[PriceTotal] = []
    with transaction() as connection:
        day = today(connection)
        products = {one.name: one.id for one in load_products(connection, day=day) if one.kind in ("plan", "add_on")}
        form.product.choices = [SelectChoice(name, name) for name in products]
        form.currency.choices = [
            SelectChoice(one, one) for one in sorted({i.currency for i in load_issuers(connection)})
        ]
        if request.method == "GET":
            form.day.data = day + NOTICE
        plan = _plan(connection, form, products) if was_sent(form) else None
        if plan is not None and "confirmed" not in request.form:
            totals = load_price_totals(connection, plan.change, plan.reach)
        waiting = load_waiting(connection)
    if plan is None:
        return render_template("staff/taxes/price_change.html", form=form, waiting=waiting), status_of(form)
    if "confirmed" in request.form:
        return do_once(lambda own: _ask(own, form, products))
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Change the price of %(name)s?", name=form.product.data),
        does=_does(form, totals),
        button=gettext("Change it"),
        tone="warning",
        back=url_for("price_changes.new"),
        fields={
            name: [request.form.get(name, "")] for name in ("product", "amount", "percent", "currency", "taxed", "day")
        },
    )


def _plan(connection: Connection, form: Any, products: dict[str, int]) -> _Plan | None:
    """What is asked for; None and what is wrong with it beside its field."""
    if (form.amount.data is None) == (form.percent.data is None):
        refuse(form, "amount", gettext("A new price, or a percentage: one of the two."))
        return None
    try:
        check_day(form.day.data, today(connection))
        change = PriceChange(form.amount.data, form.percent.data)
    except BillingError:
        refuse(form, "day", gettext("Too soon: customers are told %(days)s days before.", days=NOTICE.days))
        return None
    amount = form.amount.data is not None
    currency = form.currency.data if amount else None
    reach = Reach(products[form.product.data], form.day.data, currency, amount and form.taxed.data == "gross")
    return _Plan(change, reach)


def _does(form: Any, totals: list[PriceTotal]) -> list[str]:
    said = [
        ngettext(
            "%(num)s contract's item: %(before)s a month now, %(after)s then.",
            "%(num)s contracts' items: %(before)s a month now, %(after)s then.",
            one.items,
            before=money_shown(one.before),
            after=money_shown(one.after),
        )
        for one in totals
    ]
    if not said:
        return [gettext("Nobody has it at another price: nothing is changed.")]
    told = day_shown(form.day.data - NOTICE)
    return [
        *said,
        gettext("Each is told by %(day)s at the latest, and may leave without cost.", day=told),
        gettext("Each item goes on at the new price from its own next period."),
    ]


def _ask(connection: Connection, form: Any, products: dict[str, int]) -> str:
    plan = _plan(connection, form, products)
    assert plan is not None, "it was looked at a moment ago"
    number = ask_for_new_price(connection, form.product.data, plan.change, plan.reach, actor=person().name)
    return url_for("catalogue_requests.show", number=number)

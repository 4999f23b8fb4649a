"""Products: what is sold, with words by language, prices by date and terms; what contracts agreed stays as it is.

Next: promotions.py
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional, Regexp

from billing.errors import BillingError
from billing.store.acting import acting
from billing.store.catalogue import (
    PriceSeries,
    Product,
    ProductPage,
    add_price,
    load_product_page,
    load_products,
    save_product,
    save_text,
)
from billing.store.issuers import load_issuers, load_tax_codes
from control_plane.access.permissions import Permission
from control_plane.store.plan import load_plan_ids
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy
from web.marks import allowed
from web.navigation import Entry
from web.staff import _catalogue_words as words
from web.staff.plans import today

pages = Blueprint("products", __name__)
ENTRIES: Final = (Entry("offers", lazy("Products"), "products.list_", Permission.CATALOGUE_SEE, order=20),)


class PriceForm(PageForm):
    """A price from a day on."""

    amount = DecimalField(lazy("Price"), [InputRequired(REQUIRED)])
    since = DayField(lazy("For contracts made from"), [InputRequired(REQUIRED)])
    months = IntegerField(lazy("Months a period"), [InputRequired(REQUIRED), NumberRange(1, 12, lazy("1 to 12."))])
    taxed = SelectField(
        lazy("Prices are"), choices=[SelectChoice("net", lazy("without tax")), SelectChoice("gross", lazy("with tax"))]
    )
    currency = SelectField(lazy("Currency"))


class ProductForm(PageForm):
    """A new product."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED)])
    kind = SelectField(lazy("Kind"), choices=[SelectChoice(kind, said) for kind, said in words.KINDS.items()])
    plan = SelectField(lazy("Sells the plan"))
    family = StringField(
        lazy("Family"),
        [InputRequired(REQUIRED), Regexp(r"^[a-z0-9_]{1,40}$", message=lazy("Small letters, digits and _ alone."))],
    )
    tax = SelectField(lazy("Tax"))
    minimum = IntegerField(lazy("Binds for, in months"), [Optional(), NumberRange(1, 120, lazy("1 to 120."))])
    renew = IntegerField(lazy("Goes on by, in months"), [Optional(), NumberRange(1, 120, lazy("1 to 120."))])
    notice = IntegerField(lazy("Notice, in days"), [Optional(), NumberRange(0, 365, lazy("0 to 365."))])
    offered_from = DayField(lazy("Offered from"), [Optional()])
    offered_until = DayField(lazy("No longer from"), [Optional()])


class TextForm(PageForm):
    """What stands on documents in a language."""

    language = SelectField(
        lazy("Language"),
        choices=[SelectChoice("it", "Italiano"), SelectChoice("en", "English"), SelectChoice("es", "Español")],
    )
    text = StringField(lazy("Words on the invoice"), [InputRequired(REQUIRED)])


@pages.get("/products")
@allowed(Permission.CATALOGUE_SEE)
def list_() -> str:
    """All products with the price in force."""
    with transaction() as connection:
        day = today(connection)
        found = [load_product_page(connection, one) for one in load_products(connection, day=day)]
    return render_template("staff/plans/products.html", found=found, day=day, words=words)


@pages.get("/products/<int:product_id>")
@allowed(Permission.CATALOGUE_SEE)
def show(product_id: int) -> str:
    """One product, whole."""
    with transaction() as connection:
        found = _known(connection, product_id)
        return _page(connection, found, _price_form(connection), read_form(TextForm))


@pages.route("/products/new", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def new() -> str | Response | tuple[str, int]:
    """A new product; a plan's asks which plan of the network it sells."""
    with transaction() as connection:
        form = read_form(ProductForm)
        products = load_products(connection, day=today(connection))
        sold = {one.plan for one in products}
        free = [name for name in load_plan_ids(connection) if name not in sold]
        form.plan.choices = [SelectChoice("", gettext("None")), *(SelectChoice(name, name) for name in free)]
        form.tax.choices = [SelectChoice(one.name, one.name) for one in load_tax_codes(connection)]
        if request.method == "GET" and request.args.get("plan") in free:
            form.kind.data, form.plan.data, form.name.data = "plan", request.args["plan"], request.args["plan"]
            form.family.data = "access"
    if was_sent(form) and _fits(form, {one.name for one in products}):
        return do_once(lambda own: _add(own, form))
    return render_template("staff/plans/product_new.html", form=form), status_of(form)


@pages.post("/products/<int:product_id>/price")
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def price(product_id: int) -> str | Response | tuple[str, int]:
    """A price from a day on: the one before ends there."""
    with transaction() as connection:
        found = _known(connection, product_id)
        form = _price_form(connection)
    if was_sent(form):
        try:
            return do_once(lambda own: _price(own, product_id, form))
        except BillingError:
            refuse(form, "since", gettext("A later price begins before that."))
    with transaction() as connection:
        return _page(connection, found, form, read_form(TextForm)), status_of(form)


@pages.post("/products/<int:product_id>/text")
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def text(product_id: int) -> str | Response | tuple[str, int]:
    """What stands on documents in a language."""
    form = read_form(TextForm)
    if was_sent(form):
        return do_once(lambda own: _text(own, product_id, form))
    with transaction() as connection:
        return _page(connection, _known(connection, product_id), _price_form(connection), form), status_of(form)


def _fits(form: Any, names: set[str]) -> bool:
    """Whether its parts go together; says beside the field what does not."""
    is_plan = form.kind.data == "plan"
    if form.name.data in names:
        refuse(form, "name", gettext("There is one of this name already."))
    if is_plan != bool(form.plan.data):
        refuse(form, "plan", gettext("A product of kind plan sells a plan that no other sells; no other kind has one."))
    if not is_plan and any(field.data is not None for field in (form.minimum, form.renew, form.notice)):
        refuse(form, "minimum", gettext("Only plans bind."))
    since, until = form.offered_from.data, form.offered_until.data
    if since is not None and until is not None and until <= since:
        refuse(form, "offered_until", gettext("It ends after it begins."))
    return not form.errors


def _add(connection: Connection, form: Any) -> str:
    acting(connection, person().name)
    terms = {"minimum_months": form.minimum.data, "renew_months": form.renew.data, "notice_days": form.notice.data}
    product_id = save_product(
        connection,
        {"name": form.name.data, "kind": form.kind.data, "family": form.family.data, **terms},
        tax_code=form.tax.data,
        plan=form.plan.data or None,
        offered=(form.offered_from.data, form.offered_until.data),
    )
    flash(gettext("Added. Now say what it costs."))
    return url_for("products.show", product_id=product_id)


def _price(connection: Connection, product_id: int, form: Any) -> str:
    acting(connection, person().name)
    series = PriceSeries(product_id, form.currency.data, form.months.data, form.taxed.data == "gross")
    add_price(connection, series, form.amount.data, since=form.since.data)
    flash(gettext("New contracts have this price from that day. Those that there are keep theirs."))
    return url_for("products.show", product_id=product_id)


def _text(connection: Connection, product_id: int, form: Any) -> str:
    acting(connection, person().name)
    save_text(connection, _known(connection, product_id).product.id, form.language.data, form.text.data)
    flash(gettext("It stands on documents from now on."))
    return url_for("products.show", product_id=product_id)


def _price_form(connection: Connection) -> Any:
    form = read_form(PriceForm)
    currencies = sorted({one.currency for one in load_issuers(connection)})
    form.currency.choices = [SelectChoice(one, one) for one in currencies]
    if request.method == "GET":
        form.since.data, form.months.data = today(connection), 1
    return form


def _known(connection: Connection, product_id: int) -> ProductPage:
    products: list[Product] = load_products(connection, day=today(connection))
    found = next((one for one in products if one.id == product_id), None)
    if found is None:
        raise NotFound
    return load_product_page(connection, found)


def _page(connection: Connection, found: ProductPage, prices: Any, texts: Any) -> str:
    sells = load_plan_ids(connection).get(found.product.plan or "")
    return render_template(
        "staff/plans/product.html",
        found=found,
        sells=sells,
        price_form=prices,
        text_form=texts,
        day=today(connection),
        words=words,
    )

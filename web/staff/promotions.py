"""Promotions: discounts that many contracts are given at once, each its own copy; who would get one is counted before.

The worker gives them and takes them back: catalogue_requests.py shows how far that is.

Next: plans.py
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional

from billing.store.acting import acting
from billing.store.catalogue import load_products
from billing.store.catalogue_requests import load_waiting
from billing.store.issuers import load_issuers
from billing.store.promotions import (
    Applied,
    Promotion,
    PromotionError,
    count_application,
    load_promotions,
    load_undoing,
    save_promotion,
)
from billing.store.selection import Selection
from control_plane.access.permissions import Permission
from control_plane.catalogue import ask_for_promotion, ask_to_take_back
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, ngettext
from web.marks import allowed
from web.navigation import Entry
from web.staff import _catalogue_words as words
from web.staff.plans import today

pages = Blueprint("promotions", __name__)
ENTRIES: Final = (Entry("offers", lazy("Promotions"), "promotions.list_", Permission.CATALOGUE_SEE, order=30),)


class PromotionForm(PageForm):
    """A new promotion; nobody has it yet."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED)])
    kind = SelectField(
        lazy("Takes off"),
        choices=[SelectChoice("percent", lazy("a percentage")), SelectChoice("fixed", lazy("an amount a period"))],
    )
    value = DecimalField(lazy("How much"), [InputRequired(REQUIRED)])
    family = StringField(lazy("Only off products of the family"))
    months = IntegerField(lazy("For so many months"), [Optional(), NumberRange(1, 120, lazy("1 to 120."))])
    priority = IntegerField(lazy("Order"), [InputRequired(REQUIRED), NumberRange(1, 1000, lazy("1 to 1000."))])
    since = DayField(lazy("Given from"), [InputRequired(REQUIRED)])
    until = DayField(lazy("No longer from"), [Optional()])


class ApplyForm(PageForm):
    """Which contracts are meant; all that is said must hold."""

    product = SelectField(lazy("Contracts with the product"))
    issuer = SelectField(lazy("Of the issuer"))
    city = StringField(lazy("Served in the city"))
    postal_prefix = StringField(lazy("Where postal codes begin with"))
    since = DayField(lazy("Not before"), [InputRequired(REQUIRED)])
    everybody = BooleanField(lazy("All contracts, whatever stands above is empty"))


@pages.get("/promotions")
@allowed(Permission.CATALOGUE_SEE)
def list_() -> str:
    """All of them, and how many contracts have each."""
    with transaction() as connection:
        found, day = load_promotions(connection), today(connection)
        waiting = load_waiting(connection)
    return render_template(
        "staff/promotions/list.html",
        found=found,
        waiting=waiting,
        given=lambda one: one.is_given(day),
        form=read_form(PageForm),
        words=words,
    )


@pages.route("/promotions/new", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def new() -> str | Response | tuple[str, int]:
    """A new promotion."""
    form = read_form(PromotionForm)
    with transaction() as connection:
        names = {one.name for one in load_promotions(connection)}
        if request.method == "GET":
            form.since.data, form.priority.data = today(connection), 100
    if was_sent(form) and _fits(form, names):
        return do_once(lambda own: _add(own, form))
    return render_template("staff/promotions/new.html", form=form), status_of(form)


@pages.route("/promotions/<int:promotion_id>/apply", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def apply(promotion_id: int) -> str | Response | tuple[str, int]:
    """Give it to contracts, once it is known how many get it."""
    with transaction() as connection:
        promotion = _known(connection, promotion_id)
        form = read_form(ApplyForm)
        form.product.choices = [SelectChoice("", gettext("All"))] + [
            SelectChoice(one.name, one.name) for one in load_products(connection, day=today(connection))
        ]
        form.issuer.choices = [SelectChoice("", gettext("All"))] + [
            SelectChoice(one.name, one.name) for one in load_issuers(connection)
        ]
        if request.method == "GET":
            form.since.data = today(connection)
        planned = None
        if was_sent(form):
            planned = _planned(connection, promotion, form)
    if planned is not None:
        if "confirmed" in request.form:
            return do_once(lambda own: _apply(own, promotion, form))
        hidden = {name: values for name, values in request.form.lists() if name not in ("csrf_token", "once_key")}
        return render_template(
            "confirm.html",
            form=form,
            question=gettext("Give %(name)s to these contracts?", name=promotion.name),
            does=_does(planned),
            button=gettext("Give it"),
            tone="warning",
            back=url_for("promotions.list_"),
            fields=hidden,
        )
    return render_template("staff/promotions/apply.html", form=form, promotion=promotion), status_of(form)


@pages.route("/promotions/<int:promotion_id>/undo", methods=["GET", "POST"])
@allowed(Permission.CATALOGUE_SEE, Permission.CATALOGUE_CHANGE)
def undo(promotion_id: int) -> str | Response | tuple[str, int]:
    """Take it back from whom no charge has counted it."""
    form = read_form(PageForm)
    with transaction() as connection:
        promotion = _known(connection, promotion_id)
        found, _ = load_undoing(connection, promotion_id, None)
    if was_sent(form):
        return do_once(lambda own: _undo(own, promotion))
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Take %(name)s back?", name=promotion.name),
        does=[
            ngettext("%(num)s contract loses it.", "%(num)s contracts lose it.", found.undone),
            ngettext(
                "%(num)s contract has been charged with it and keeps it.",
                "%(num)s contracts have been charged with it and keep it.",
                found.charged,
            ),
        ],
        button=gettext("Take the promotion back"),
        back=url_for("promotions.list_"),
        fields={},
    )


def _fits(form: Any, names: set[str]) -> bool:
    if form.name.data in names:
        refuse(form, "name", gettext("There is one of this name already."))
    if form.value.data <= 0 or (form.kind.data == "percent" and form.value.data > 100):
        refuse(form, "value", gettext("More than nothing, and of a percentage at most 100."))
    if form.until.data is not None and form.until.data <= form.since.data:
        refuse(form, "until", gettext("It ends after it begins."))
    return not form.errors


def _add(connection: Connection, form: Any) -> str:
    acting(connection, person().name)
    columns = {
        "name": form.name.data,
        "kind": form.kind.data,
        "value": form.value.data,
        "family": form.family.data or None,
        "months": form.months.data,
        "priority": form.priority.data,
    }
    promotion_id = save_promotion(connection, columns, offered=(form.since.data, form.until.data))
    flash(gettext("Added: nobody has it yet."))
    return url_for("promotions.apply", promotion_id=promotion_id)


def _planned(connection: Connection, promotion: Promotion, form: Any) -> Applied | None:
    """What giving it would come to; None and why not in the form."""
    selection = _selection(form)
    if selection.is_everything != bool(form.everybody.data):
        refuse(form, "", gettext("Say which contracts are meant, or that all are."))
        return None
    if not promotion.is_given(today(connection)):
        refuse(form, "", gettext("It is not given today."))
        return None
    try:
        return count_application(connection, promotion, selection, since=form.since.data)
    except PromotionError:
        refuse(form, "", gettext("An amount means something else in another currency or with tax: choose fewer."))
        return None


def _selection(form: Any) -> Selection:
    return Selection(
        issuer=form.issuer.data or None,
        product=form.product.data or None,
        city=form.city.data or None,
        postal_prefix=form.postal_prefix.data or None,
    )


def _does(planned: Applied) -> list[str]:
    return [
        ngettext("%(num)s contract gets it.", "%(num)s contracts get it.", planned.gets),
        ngettext("%(num)s contract has it already.", "%(num)s contracts have it already.", planned.had),
        ngettext(
            "%(num)s contract has nothing of its family.",
            "%(num)s contracts have nothing of its family.",
            planned.without_family,
        ),
    ]


def _apply(connection: Connection, promotion: Promotion, form: Any) -> str:
    number = ask_for_promotion(connection, promotion, _selection(form), since=form.since.data, actor=person().name)
    return url_for("catalogue_requests.show", number=number)


def _undo(connection: Connection, promotion: Promotion) -> str:
    number = ask_to_take_back(connection, promotion, actor=person().name)
    return url_for("catalogue_requests.show", number=number)


def _known(connection: Connection, promotion_id: int) -> Promotion:
    found = next((one for one in load_promotions(connection) if one.id == promotion_id), None)
    if found is None:
        raise NotFound
    return found

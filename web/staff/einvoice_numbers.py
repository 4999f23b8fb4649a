"""The numbers that a tax authority allows an account: how far they are used, and another range."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional

from billing.store.einvoice_desk import hold_series, load_series
from billing.store.einvoices import EinvoiceAccount, load_accounts
from control_plane.access.permissions import Permission
from control_plane.einvoice import office
from web.acting import person, transaction
from web.database import Connection
from web.forms import (
    REQUIRED,
    DayField,
    PageForm,
    changed_meanwhile,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import gettext, lazy
from web.marks import allowed

pages = Blueprint("einvoice_numbers", __name__)
KINDS: Final = {"invoice": lazy("Invoices"), "credit_note": lazy("Credit notes")}
_GREATEST: Final = 10**15


class RangeForm(PageForm):
    """A range of numbers, of which documents."""

    kind = SelectField(lazy("Of"), choices=[SelectChoice(kind, words) for kind, words in KINDS.items()])
    first = IntegerField(
        lazy("From"), [InputRequired(REQUIRED), NumberRange(1, _GREATEST, lazy("A number from 1 on."))]
    )
    last = IntegerField(
        lazy("Up to"), [InputRequired(REQUIRED), NumberRange(1, _GREATEST, lazy("A number from 1 on."))]
    )
    valid_to = DayField(lazy("To be used until"), [Optional()])


@pages.route("/einvoices/accounts/<name>/numbers", methods=["GET", "POST"])
@allowed(Permission.EINVOICE_ACT, Permission.SETTING_CHANGE)
def edit(name: str) -> Response | tuple[str, int]:
    """How far the account's numbers are used, and the range that the authority gave for what comes."""
    with transaction() as connection:
        account = account_named(connection, name)
        series = load_series(connection, account.id)
    form: RangeForm = read_form(RangeForm)
    if not form.seen.data:
        form.seen.data = fingerprint(series)
    if was_sent(form):
        if form.last.data < form.first.data:
            refuse(form, "last", gettext("It ends before it begins."))
        else:
            try:
                return do_once(lambda own: _allow(own, form, account))
            except office.UsedRangeError as error:
                refuse(form, "last", gettext("Numbers up to %(number)s are used already.", number=error.last_number))
            except _ChangedError:
                with transaction() as connection:
                    series = load_series(connection, account.id)
    page = render_template("staff/einvoices/numbers.html", form=form, account=account, series=series, kinds=KINDS)
    return page, status_of(form)


def account_named(connection: Connection, name: str) -> EinvoiceAccount:
    """The account of that name. Raises: NotFound."""
    found = next((one for one in load_accounts(connection) if one.name == name), None)
    if found is None:
        raise NotFound
    return found


class _ChangedError(Exception):
    """Somebody gave another range, or numbers were used, since the page was read."""


def _allow(connection: Connection, form: RangeForm, account: EinvoiceAccount) -> str:
    if changed_meanwhile(form, hold_series(connection, account.id)):
        raise _ChangedError
    given = office.NumberRange(form.kind.data, form.first.data, form.last.data, form.valid_to.data)
    office.allow_range(connection, account, given, by=person().name)
    flash(gettext("Documents are numbered within it from now on."))
    return url_for("einvoice_numbers.edit", name=account.name)

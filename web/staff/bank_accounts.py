"""Accounts at banks whose files are taken in: another one, and what one is called and how sure a match has to be.

Next: bank_layouts.py
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from billing.bank_account import WrongBankAccount
from billing.papers.spelling import known_currencies
from billing.store.bank_files import BankAccount, hold_bank_account, load_accounts_at_banks
from billing.store.issuers import Issuer, load_issuers
from billing.store.payments import load_methods
from control_plane import bank_accounts as office
from control_plane.access.permissions import Permission
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
from web.language import gettext, lazy
from web.marks import allowed

pages = Blueprint("bank_accounts", __name__)
Answer = Response | tuple[str, int] | str
_GREATEST_ID: Final = 2**63 - 1
_USUAL_METHOD: Final = "transfer"
_USUAL_SCORE: Final = 90


class UseForm(PageForm):
    """What an account is called and how it is used."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Length(max=100)])
    method = SelectField(lazy("What comes in was paid by"))
    automatic_from = IntegerField(
        lazy("Matched without a person from"),
        [InputRequired(REQUIRED), NumberRange(1, 101, lazy("A number from 1 to 101."))],
    )


class NewAccountForm(UseForm):
    """An account that is to be."""

    number = StringField(lazy("IBAN or number"), [InputRequired(REQUIRED), Length(max=60)])
    currency = StringField(lazy("Currency"), [Optional(), Length(max=3)])


@pages.get("/bank/accounts")
@allowed(Permission.PAYMENT_SEE)
def show_all() -> str:
    """The accounts whose files are taken in, and whether it is known how their banks write CSV."""
    with transaction() as connection:
        accounts = load_accounts_at_banks(connection)
        issuers = load_issuers(connection)
        methods = {one.id: {way.code: way.name for way in load_methods(connection, one.id)} for one in issuers}
    return render_template("staff/bank_accounts/all.html", accounts=accounts, issuers=issuers, methods=methods)


@pages.route("/bank/accounts/new", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_SEE, Permission.SETTING_CHANGE)
def new() -> Answer:
    """Another account: the only issuer's, or of the one that is chosen first."""
    with transaction() as connection:
        issuers = load_issuers(connection)
        asked = request.args.get("issuer", "")
        issuer = issuers[0] if len(issuers) == 1 else next((one for one in issuers if str(one.id) == asked), None)
        if issuer is None:
            return render_template("staff/bank_accounts/whose.html", issuers=issuers)
        ways = _ways(connection, issuer.id)
    usual = _USUAL_METHOD if any(one.value == _USUAL_METHOD for one in ways) else None
    form: NewAccountForm = read_form(
        NewAccountForm, method=usual, automatic_from=_USUAL_SCORE, currency=issuer.currency
    )
    form.method.choices = ways
    if was_sent(form):
        number = office.read_number(form.number.data)
        currency = (form.currency.data or issuer.currency).upper()
        if isinstance(number, WrongBankAccount):
            refuse(form, "number", gettext("This is no IBAN, nor another number of 4 to 34 letters and digits."))
        elif currency not in known_currencies():
            refuse(form, "currency", gettext("There is no such currency."))
        else:
            try:
                return do_once(lambda own: _added(own, form, issuer, number=number, currency=currency))
            except office.TakenError as error:
                _taken(form, error)
    page = render_template("staff/bank_accounts/edit.html", form=form, issuer=issuer, account=None)
    return page, status_of(form)


@pages.route("/bank/accounts/<int:number>/edit", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_SEE, Permission.SETTING_CHANGE)
def edit(number: int) -> Answer:
    """Another name, another way of being paid, and how sure a match has to be: for lines that come from now on."""
    with transaction() as connection:
        account = account_of(connection, number)
        ways = _ways(connection, account.issuer_id)
    form: UseForm = read_form(UseForm, shown=account)
    form.method.choices = ways
    form.seen.data = form.seen.data or fingerprint(account)
    if was_sent(form):
        try:
            return do_once(lambda own: _changed(own, form, number))
        except office.TakenError as error:
            _taken(form, error)
        except OvertakenError as overtaken:
            account = overtaken.account
    names = {one.value: one.label for one in ways}
    page = render_template("staff/bank_accounts/edit.html", form=form, account=account, issuer=None, names=names)
    return page, status_of(form)


class OvertakenError(Exception):
    """Somebody changed the account since the page was read."""

    def __init__(self, account: BankAccount) -> None:
        super().__init__()
        self.account = account


def account_of(connection: Connection, number: int) -> BankAccount:
    """The account of that number. Raises: NotFound."""
    found = next((one for one in load_accounts_at_banks(connection) if one.id == number), None)
    if found is None:
        raise NotFound
    return found


def held_account(connection: Connection, number: int, form: PageForm) -> BankAccount:
    """The account, held, as the form's sender saw it. Raises: NotFound, OvertakenError."""
    account = hold_bank_account(connection, number) if number <= _GREATEST_ID else None
    if account is None:
        raise NotFound
    if changed_meanwhile(form, account):
        raise OvertakenError(account)
    return account


def _ways(connection: Connection, issuer_id: int) -> list[SelectChoice]:
    return [SelectChoice(one.code, one.name) for one in load_methods(connection, issuer_id)]


def _taken(form: PageForm, error: office.TakenError) -> None:
    if error.field == "name":
        refuse(form, "name", gettext("There is one of this name already."))
    else:
        refuse(form, "number", gettext("Files of this account are taken in already."))


def _used(form: Any) -> office.Used:
    return office.Used(form.name.data, form.method.data, form.automatic_from.data)


def _added(connection: Connection, form: NewAccountForm, issuer: Issuer, *, number: str, currency: str) -> str:
    office.add(connection, _used(form), issuer_id=issuer.id, number=number, currency=currency, actor=person().name)
    flash(gettext("Its files can be taken in. Where the bank gives CSV, say how it writes that."))
    return url_for("bank_accounts.show_all")


def _changed(connection: Connection, form: UseForm, number: int) -> str:
    office.change(connection, held_account(connection, number, form), _used(form), actor=person().name)
    return url_for("bank_accounts.show_all")

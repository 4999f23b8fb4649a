"""Issuers: who invoices, with what stands on its papers, its numbers, how it is paid and how it looks; begun and changed.

Next: settings.py
"""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, render_template, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from billing.country_data import known_countries
from billing.issuer_data import next_number
from billing.papers.errors import PaperError
from billing.papers.own_files import logo_of, own_files
from billing.papers.paper import PaperKind
from billing.papers.press import own_folders
from billing.papers.samples import sample
from billing.papers.spelling import known_currencies
from billing.papers.wording import load_look
from billing.store.bank_files import load_accounts_at_banks
from billing.store.issuers import (
    Issuer,
    Register,
    Series,
    hold_issuer,
    load_issuer_registers,
    load_issuers,
    load_series,
)
from billing.store.payments import load_methods
from control_plane import issuers as office
from control_plane.access.permissions import Permission
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import (
    REQUIRED,
    MoneyField,
    PageForm,
    changed_meanwhile,
    choices_of,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.language import chosen_language, gettext, lazy
from web.lists import chosen
from web.marks import allowed
from web.money_words import KINDS as METHOD_KINDS
from web.money_words import error_words, words_of
from web.navigation import Entry
from web.papers import pdf_of
from web.staff import _document_words as words
from web.staff.customer_forms import countries
from web.staff.taxes import PURPOSES
from web.surroundings import here

pages = Blueprint("issuers", __name__)
ENTRIES: Final = (Entry("system", lazy("Issuers"), "issuers.show_all", Permission.SETTING_SEE, order=10),)
Answer = Response | tuple[str, int] | str
SERIES_KINDS: Final = {"receipt": lazy("Receipts"), "agent_settlement": lazy("Settlements of agents")}
# What of a row may be changed, in the order of the form: not its country, nor the currency of its books.
COLUMNS: Final = (
    "name", "vat_number", "tax_number", "street", "house_number", "postal_code", "city", "province", "email", "phone", "iban",
    "zone", "tax_regime", "bank_days", "confirm_hours", "minimum_document", "recharges_stamp", "mails_invoices",
)  # fmt: skip
SAMPLES: Final = {
    **words.KINDS,
    "statement": lazy("Statement"),
    "receipt": lazy("Receipt"),
    "reminder": lazy("Reminder"),
    "formal_notice": lazy("Formal notice"),
    "contract": lazy("Contract"),
    "portal_invitation": lazy("Invitation into the portal"),
    "cash_session": lazy("Cash hand-over"),
    "agent_settlement": lazy("Agent's settlement"),
}


class IssuerForm(PageForm):
    """What is told of an issuer."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Length(max=200)])
    vat_number = StringField(lazy("VAT number"), [Length(max=60)])
    tax_number = StringField(lazy("Tax number"), [Length(max=60)])
    street = StringField(lazy("Street"), [InputRequired(REQUIRED), Length(max=200)])
    house_number = StringField(lazy("House number"), [Length(max=60)])
    postal_code = StringField(lazy("Postal code"), [InputRequired(REQUIRED), Length(max=20)])
    city = StringField(lazy("City"), [InputRequired(REQUIRED), Length(max=200)])
    province = StringField(lazy("Province"), [Length(max=200)])
    email = StringField(lazy("E-mail"), [Length(max=200)])
    phone = StringField(lazy("Telephone"), [Length(max=60)])
    iban = StringField(lazy("IBAN"), [Length(max=60)])
    zone = StringField(lazy("Time zone"), [Length(max=60)])
    tax_regime = StringField(lazy("Tax regime"), [Length(max=60)])
    bank_days = StringField(lazy("Calendar of bank days"), [Length(max=60)])
    confirm_hours = IntegerField(lazy("Hours until a run issues by itself"), [Optional(), NumberRange(0, 720)])
    minimum_document = MoneyField(lazy("Smallest document"), [Optional()])
    recharges_stamp = BooleanField(lazy("Customers pay the stamp duty"))
    mails_invoices = BooleanField(lazy("Mail what a run invoices when it is done"), default=True)

    def told(self) -> dict[str, object]:
        """As the table has it; what is empty is None."""
        typed = {column: self[column].data for column in COLUMNS}
        return {column: None if value == "" else value for column, value in typed.items()}


class NewIssuerForm(IssuerForm):
    """With what stays as it began."""

    country = SelectField(lazy("Country"))
    currency = SelectField(lazy("Currency of its books"))


@pages.get("/issuers")
@allowed(Permission.SETTING_SEE)
def show_all() -> str:
    """Who invoices."""
    with transaction() as connection:
        found = load_issuers(connection)
    return render_template("staff/issuers/all.html", issuers=found, countries=countries())


@pages.get("/issuers/<int:number>")
@allowed(Permission.SETTING_SEE)
def show(number: int) -> str:
    """One: its letterhead, how it bills, what it numbers next, how it is paid, and what of its papers is its own."""
    folder = here().settings.papers_dir
    with transaction() as connection:
        issuer = known(connection, number)
        today = clock(connection).astimezone(ZoneInfo(issuer.zone)).date()
        registers, series = load_issuer_registers(connection, number), load_series(connection, number)
        methods = load_methods(connection, number)
        banks = [one for one in load_accounts_at_banks(connection) if one.issuer_id == number]

    def numbered(one: Register | Series) -> str:
        return next_number(one.pattern, one.code, year=one.year, last=one.last_number, today=today)

    look, problem = _look(number)
    return render_template(
        "staff/issuers/show.html",
        issuer=issuer,
        country=countries().get(issuer.country, issuer.country),
        registers=[(one, numbered(one)) for one in registers],
        series=[(one, numbered(one)) for one in series],
        methods=methods,
        banks=banks,
        folder=folder,
        own=own_files(folder, number),
        logo=logo_of(folder, number),
        look=look,
        problem=problem,
        samples=SAMPLES,
        words=words,
        purposes=PURPOSES,
        series_kinds=SERIES_KINDS,
        method_kinds=METHOD_KINDS,
    )


@pages.get("/issuers/<int:number>/logo")
@allowed(Permission.SETTING_SEE)
def logo(number: int) -> Response:
    """The logo that is printed."""
    with transaction() as connection:
        known(connection, number)
    file = logo_of(here().settings.papers_dir, number)
    if file is None:
        raise NotFound
    kind = {".svg": "image/svg+xml", ".png": "image/png"}.get(file.suffix, "image/jpeg")
    return Response(file.read_bytes(), content_type=kind)


@pages.get("/issuers/<int:number>/sample.pdf")
@allowed(Permission.SETTING_SEE)
def sample_paper(number: int) -> Response:
    """A made-up paper as the templates print it now, in the reader's language: an invoice, or `?kind=`."""
    kind = chosen("kind", SAMPLES) or str(PaperKind.INVOICE)
    with transaction() as connection:
        known(connection, number)
    try:
        return pdf_of(number, sample(PaperKind(kind), chosen_language()), f"sample-{kind}")
    except PaperError as error:
        raise Conflict(gettext("This can't be printed: %(why)s", why=error_words(error))) from error


@pages.route("/issuers/new", methods=["GET", "POST"])
@allowed(Permission.SETTING_SEE, Permission.SETTING_CHANGE)
def new() -> Answer:
    """One more, with accounts, registers, ways of being paid, and the taxes of its country."""
    form = read_form(NewIssuerForm)
    names = countries()
    form.country.choices = choices_of({code: names.get(code, code) for code in known_countries()})
    usual = {"": gettext("The country's")}
    form.currency.choices = choices_of(usual | {code: code for code in sorted(known_currencies())})
    if was_sent(form):
        try:
            return do_once(lambda connection: _begun(connection, form))
        except (office.WrongIssuerDataError, office.IssuerNameTakenError) as error:
            _say(form, error)
    return render_template("staff/issuers/edit.html", form=form, issuer=None), status_of(form)


@pages.route("/issuers/<int:number>/edit", methods=["GET", "POST"])
@allowed(Permission.SETTING_SEE, Permission.SETTING_CHANGE)
def edit(number: int) -> Answer:
    """What of it may be changed; what is issued stays as it was."""
    with transaction() as connection:
        issuer = known(connection, number)
    form = read_form(IssuerForm, shown=issuer)
    form.minimum_document.currency = issuer.currency
    form.seen.data = form.seen.data or fingerprint(issuer)
    if was_sent(form):
        try:
            return do_once(lambda connection: _changed(connection, number, form))
        except (office.WrongIssuerDataError, office.IssuerNameTakenError) as error:
            _say(form, error)
        except _OvertakenError as overtaken:
            issuer = overtaken.issuer
    return render_template("staff/issuers/edit.html", form=form, issuer=issuer), status_of(form)


def known(connection: Connection, number: int) -> Issuer:
    """The issuer of that number. Raises: NotFound."""
    found = next((one for one in load_issuers(connection) if one.id == number), None)
    if found is None:
        raise NotFound
    return found


class _OvertakenError(Exception):
    """Somebody else was quicker."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__()
        self.issuer = issuer


def _begun(connection: Connection, form: Any) -> str:
    given = {**form.told(), "currency": form.currency.data or None}
    begun = office.begin(connection, given, country=form.country.data, actor=person().name)
    flash(gettext("Begun with the accounts, registers and taxes of its country. Look them through with an accountant."))
    return url_for("issuers.show", number=begun.issuer_id)


def _changed(connection: Connection, number: int, form: Any) -> str:
    issuer = hold_issuer(connection, number)
    if issuer is None:
        raise NotFound
    if changed_meanwhile(form, issuer):
        raise _OvertakenError(issuer)
    changed = {column: value for column, value in form.told().items() if value != getattr(issuer, column)}
    # Without a zone there are no days, so an empty one is the one that is there.
    changed = {column: value for column, value in changed.items() if (column, value) != ("zone", None)}
    office.change(connection, issuer, changed, actor=person().name)
    return url_for("issuers.show", number=number)


def _say(form: Any, error: Exception) -> None:
    """Put what is wrong beside its fields."""
    if isinstance(error, office.WrongIssuerDataError):
        for one in error.wrong:
            refuse(form, one.column, words_of(one.why) + ".")
    else:
        refuse(form, "name", gettext("There is one of this name already."))


def _look(number: int) -> tuple[dict[str, Any], str]:
    """How its papers look, or why nothing can be printed."""
    try:
        return load_look(own_folders(here().settings.papers_dir, number)), ""
    except PaperError as error:
        return {}, error_words(error)

"""Quotes: written and numbered, sent, and answered; accepted, one becomes an order, a contract, or both.

Next: orders.py
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import FieldList, FormField, IntegerField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange

from billing.documents import DocumentKind, Draft
from billing.errors import BillingError
from billing.new_contract import NewTerms
from billing.operations.quotes import (
    Asked,
    AskedLine,
    NoReasonError,
    accept_quote,
    draft_quote,
    refuse_quote,
    send_quote,
)
from billing.shown import shown_draft
from billing.store.acting import acting
from billing.store.customers import Customer, load_customer
from billing.store.issuers import Issuer, load_issuers, load_tax_codes
from billing.store.quotes import load_contract_of, load_offer, load_order_of
from control_plane.access.permissions import Permission
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, money_shown
from web.marks import allowed
from web.navigation import Entry
from web.staff import _document_words as words
from web.staff._customer_meant import customer_meant
from web.staff._offers import issuer_day, offer_list, offer_of
from web.staff.new_invoices import MOST_LINES, LineForm, change_lines, fill_lines, read_line

pages = Blueprint("quotes", __name__)
ENTRIES: Final = (Entry("offers", lazy("Quotes"), "quotes.list_", Permission.DOCUMENT_SEE, order=50),)
STATES: Final = {
    "issued": lazy("Open"),
    "accepted": lazy("Accepted"),
    "refused": lazy("Refused"),
    "expired": lazy("Expired"),
}
_AT: Final = "/quotes/new"
# How long a quote holds that nobody says anything of.
_HOLDS: Final = timedelta(days=30)


class QuoteForm(PageForm):
    """A quote as it is typed."""

    issuer = SelectField(lazy("Issuer"), coerce=int)
    valid_until = DayField(lazy("Holds until"), [InputRequired(REQUIRED)])
    prices = SelectField(
        lazy("Prices are"),
        choices=[SelectChoice("net", lazy("without tax")), SelectChoice("gross", lazy("with tax"))],
        default="net",
    )
    why = StringField(lazy("Why another price"))
    lines = FieldList(FormField(LineForm), min_entries=1, max_entries=MOST_LINES)


class AcceptForm(PageForm):
    """The terms of the contract that it becomes."""

    months = IntegerField(lazy("Months a period"), [InputRequired(REQUIRED), NumberRange(1, 12, lazy("1 to 12."))])
    due_days = IntegerField(lazy("Days to pay"), [InputRequired(REQUIRED), NumberRange(0, 180, lazy("0 to 180."))])


class RefuseForm(PageForm):
    """Why the customer does not want it."""

    reason = StringField(lazy("Reason"))


@pages.get("/quotes")
@allowed(Permission.DOCUMENT_SEE)
def list_() -> str:
    """The newest ones."""
    return offer_list(DocumentKind.QUOTE, STATES)


@pages.get("/quotes/<int:number>")
@allowed(Permission.DOCUMENT_SEE)
def show(number: int) -> str:
    """One quote and what came of it."""
    with transaction() as connection:
        found, links = offer_of(connection, number, DocumentKind.QUOTE)
        offer = load_offer(connection, number)
        assert offer is not None, "it was there a moment ago"
        contract_id, order = load_contract_of(connection, offer), load_order_of(connection, number)
        day = issuer_day(connection, offer.issuer_id)
    return render_template(
        "staff/offers/quote.html",
        document=found,
        links=links,
        contract_id=contract_id,
        order=order,
        holds=found.state == "issued" and (offer.valid_until is None or offer.valid_until >= day),
        form=read_form(PageForm),
        words=words,
        states=STATES,
    )


@pages.route("/quotes/new", methods=["GET", "POST"])
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def new() -> str | Response | tuple[str, int]:
    """Write one: whose first, then its lines; looked at whole before it is numbered."""
    with transaction() as connection:
        desk = _desk(connection)
        if desk is None:
            return _ask_customer(connection)
        form = _form(connection, desk[0])
        if request.method == "POST" and "change" in request.form:
            change_lines(form)
            return _page(form, desk, None)
        draft = _planned(connection, form, desk[1]) if was_sent(form) else None
    if request.method == "POST" and draft is None and not form.errors:
        refuse(form, "", gettext("What is wrong stands beside the fields."))
    if draft is None or "again" in request.form:
        return _page(form, desk, draft)
    if "confirmed" not in request.form:
        return _preview(form, desk[1], draft)
    try:
        return do_once(lambda own: _send(own, form, desk[1]))
    except BillingError as error:
        refuse(form, "", words.refusal_words(error))
        return _page(form, desk, None)


@pages.post("/quotes/new/worked-out")
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def worked_out() -> str:
    """Taxes and totals of what is typed so far; nothing is written."""
    with transaction() as connection:
        desk = _desk(connection)
        if desk is None:
            raise NotFound
        form = _form(connection, desk[0])
        draft = _planned(connection, form, desk[1]) if form.validate() else None
    shown = None if draft is None else shown_draft(draft, made_by=person().name)
    return render_template("staff/documents/worked_out.html", document=shown, form=form, words=words)


@pages.post("/quotes/new/lines")
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def lines() -> str:
    """The lines with one more, or one less."""
    with transaction() as connection:
        desk = _desk(connection)
        if desk is None:
            raise NotFound
        form = _form(connection, desk[0])
    change_lines(form)
    return render_template("staff/documents/_lines.html", form=form, at=_AT)


@pages.route("/quotes/<int:number>/accept", methods=["GET", "POST"])
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE, Permission.CONTRACT_CHANGE)
def accept(number: int) -> str | Response | tuple[str, int]:
    """The customer agrees."""
    form = read_form(AcceptForm)
    with transaction() as connection:
        found, _ = offer_of(connection, number, DocumentKind.QUOTE)
        offer = load_offer(connection, number)
        assert offer is not None, "it was there a moment ago"
    if request.method == "GET":
        form.months.data, form.due_days.data = 1, 15
    if was_sent(form):
        try:
            return do_once(lambda own: _accept(own, number, form))
        except BillingError as error:
            refuse(form, "", words.refusal_words(error))
    kinds = {line.product_kind for line in offer.lines}
    page = render_template(
        "staff/offers/accept.html",
        form=form,
        document=found,
        contract="plan" in kinds,
        order=bool(kinds - {"plan", "add_on"}),
        words=words,
    )
    return page, status_of(form)


@pages.route("/quotes/<int:number>/refuse", methods=["GET", "POST"])
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def refuse_(number: int) -> str | Response | tuple[str, int]:
    """The customer does not want it."""
    form = read_form(RefuseForm)
    with transaction() as connection:
        found, _ = offer_of(connection, number, DocumentKind.QUOTE)
    if was_sent(form):
        try:
            return do_once(lambda own: _refuse(own, number, form.reason.data))
        except BillingError as error:
            refuse(form, "", words.refusal_words(error))
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Is quote %(number)s refused?", number=found.label),
        does=[gettext("It can't be accepted any more: another one is sent in its place.")],
        button=gettext("It is refused"),
        back=url_for("quotes.show", number=number),
        fields={},
    ), status_of(form)


def _desk(connection: Connection) -> tuple[list[Issuer], Customer] | None:
    named = request.values.get("customer", "")
    meant = customer_meant(connection, named) if named else None
    customer = None if meant is None or meant.id is None else load_customer(connection, meant.id)
    issuers = load_issuers(connection)
    return None if customer is None or not issuers else (issuers, customer)


def _ask_customer(connection: Connection) -> str:
    named = request.values.get("customer", "")
    return render_template(
        "staff/documents/whose.html",
        meant=customer_meant(connection, named) if named else None,
        issuers=load_issuers(connection),
        title=gettext("New quote"),
        back="/quotes",
    )


def _form(connection: Connection, issuers: list[Issuer]) -> Any:
    form = read_form(QuoteForm)
    form.issuer.choices = [SelectChoice(one.id, one.name) for one in issuers]
    today = clock(connection).astimezone(ZoneInfo(issuers[0].zone)).date()
    if request.method == "GET":
        form.valid_until.data = today + _HOLDS
    fill_lines(connection, form, today)
    return form


def _planned(connection: Connection, form: Any, customer: Customer) -> Draft | None:
    """The draft, or None and what is wrong with it in the form."""
    today = issuer_day(connection, form.issuer.data)
    asked = _asked(connection, form, customer, today)
    if asked is None:
        return None
    try:
        return draft_quote(connection, asked, today=today)
    except NoReasonError:
        refuse(form, "why", gettext("A product has another price here than in the catalogue: say why."))
        return None
    except BillingError as error:
        refuse(form, "", words.refusal_words(error))
        return None


def _asked(connection: Connection, form: Any, customer: Customer, today: date) -> Asked | None:
    typed = [read_line(entry.form) for entry in form.lines]
    if None in typed:
        return None
    if form.valid_until.data < today:
        refuse(form, "valid_until", gettext("That day is past."))
        return None
    codes = {one.name: one.id for one in load_tax_codes(connection)}
    return Asked(
        form.issuer.data,
        customer.id,
        tuple(
            AskedLine(
                one.product_id,
                one.quantity,
                one.unit_price,
                () if one.discount_percent is None else (one.discount_percent,),
                one.description,
                None if one.tax_code is None else codes[one.tax_code],
            )
            for one in typed
            if one is not None
        ),
        form.valid_until.data,
        form.prices.data == "gross",
        reason=form.why.data or None,
    )


def _send(connection: Connection, form: Any, customer: Customer) -> str:
    acting(connection, person().name)
    today = issuer_day(connection, form.issuer.data)
    asked = _asked(connection, form, customer, today)
    assert asked is not None, "it was looked at a moment ago"
    issued = send_quote(connection, draft_quote(connection, asked, today=today), asked=asked, actor=person().name)
    flash(gettext("Issued as %(number)s.", number=issued.label))
    return url_for("quotes.show", number=issued.id)


def _accept(connection: Connection, number: int, form: Any) -> str:
    acting(connection, person().name)
    found, _ = offer_of(connection, number, DocumentKind.QUOTE)
    terms = NewTerms(found.issuer_id, months=form.months.data, due_days=form.due_days.data)
    today = issuer_day(connection, found.issuer_id)
    made = accept_quote(connection, number, today=today, actor=person().name, terms=terms)
    flash(gettext("Accepted."))
    if made.contract_id is not None:
        return f"/contracts/{made.contract_id}"
    assert made.order is not None, "it became one of them"
    return url_for("orders.show", number=made.order.id)


def _refuse(connection: Connection, number: int, reason: str | None) -> str:
    acting(connection, person().name)
    refuse_quote(connection, number, actor=person().name, reason=reason or None)
    return url_for("quotes.show", number=number)


def _page(form: Any, desk: tuple[list[Issuer], Customer], draft: Draft | None) -> tuple[str, int]:
    shown = None if draft is None else shown_draft(draft, made_by=person().name)
    issuers, customer = desk
    page = render_template(
        "staff/offers/new.html", form=form, issuers=issuers, customer=customer, document=shown, words=words, at=_AT
    )
    return page, status_of(form)


def _preview(form: Any, customer: Customer, draft: Draft) -> str:
    hidden = {name: values for name, values in request.form.lists() if name not in ("csrf_token", "once_key")}
    return render_template(
        "staff/documents/confirm_draft.html",
        form=form,
        question=gettext("Send this quote?"),
        does=[
            gettext(
                "%(customer)s is offered %(amount)s.", customer=customer.name, amount=money_shown(draft.totals.payable)
            ),
            gettext("It takes a number, and its prices hold until its last day."),
        ],
        button=gettext("Number it"),
        tone="primary",
        back=url_for("quotes.new", customer=customer.id),
        fields=hidden,
        document=shown_draft(draft, made_by=person().name),
        legs=(),
        words=words,
    )

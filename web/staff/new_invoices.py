"""An invoice by hand: its lines typed while the product works out taxes and totals, looked at whole, then issued.

Next: credit_notes.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import FieldList, Form, FormField, IntegerField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional

from billing.documents import Draft
from billing.errors import BillingError
from billing.operations.invoices import (
    PlannedPosting,
    WantedInvoice,
    WantedLine,
    make_invoice,
    plan_invoice,
    plan_postings,
)
from billing.periods import Period
from billing.shown import shown_draft
from billing.store.acting import acting
from billing.store.catalogue import load_products
from billing.store.customers import Customer, load_customer
from billing.store.issuers import Issuer, load_issuers, load_tax_codes
from billing.store.parties import ContractParties, load_contract_parties, load_newest_parties
from control_plane.access.permissions import Permission
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, money_shown
from web.marks import allowed
from web.staff import _document_words as words
from web.staff._customer_meant import customer_meant

pages = Blueprint("new_invoices", __name__)
# More lines than anybody types; what is larger is a run's.
MOST_LINES: Final = 100
_AT: Final = "/documents/new"


class LineForm(Form):  # type: ignore[misc]  # WTForms carries no types
    """A line: a product, or words with a price and a tax."""

    Meta = PageForm.Meta

    product = SelectField(lazy("Product"), coerce=int, default=0)
    description = StringField(lazy("Words on the invoice"))
    quantity = DecimalField(lazy("Quantity"))
    price = DecimalField(lazy("Price"))
    discount = DecimalField(lazy("Discount %"))
    tax = SelectField(lazy("Tax"), default="")
    # Of no time, unless it is an invoice's.
    since: Any = None
    until: Any = None


class InvoiceLine(LineForm):
    """A line that may be of a time."""

    since = DayField(lazy("From"), [Optional()])
    until = DayField(lazy("Until"), [Optional()])


class InvoiceForm(PageForm):
    """An invoice as it is typed."""

    issuer = SelectField(lazy("Issuer"), coerce=int)
    day = DayField(lazy("Date"), [InputRequired(REQUIRED)])
    due_days = IntegerField(lazy("Days to pay"), [InputRequired(REQUIRED), NumberRange(0, 365, lazy("0 to 365."))])
    prices = SelectField(
        lazy("Prices are"),
        choices=[SelectChoice("net", lazy("without tax")), SelectChoice("gross", lazy("with tax"))],
        default="net",
    )
    printed_reason = StringField(lazy("Reason"))
    lines = FieldList(FormField(InvoiceLine), min_entries=1, max_entries=MOST_LINES)


@dataclass(frozen=True, slots=True)
class Desk:
    """What an invoice is written with."""

    issuers: tuple[Issuer, ...]
    customer: Customer
    contract_id: int | None
    agreed: ContractParties | None


@pages.route("/documents/new", methods=["GET", "POST"])
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def new() -> str | Response | tuple[str, int]:
    """Write one: whose first, then its lines; looked at whole before it is issued."""
    with transaction() as connection:
        desk = _desk(connection)
        if desk is None:
            return _ask_customer(connection)
        form = _form(connection, desk)
        if request.method == "POST" and "change" in request.form:
            change_lines(form)
            return _page(form, desk, None)
        draft, legs = _planned(connection, form, desk) if was_sent(form) else (None, ())
    if request.method == "POST" and draft is None and not form.errors:
        # The lines were found wrong after the form had been.
        refuse(form, "", gettext("What is wrong stands beside the fields."))
    if draft is None or "again" in request.form:
        return _page(form, desk, draft)
    if "confirmed" not in request.form:
        return _preview(form, desk, draft, legs)
    try:
        return do_once(lambda own: _issue(own, form, desk))
    except BillingError as error:
        refuse(form, "", words.refusal_words(error))
        return _page(form, desk, None)


@pages.post("/documents/new/worked-out")
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def worked_out() -> str:
    """Taxes and totals of what is typed so far, by the product's own rules; nothing is written."""
    with transaction() as connection:
        desk = _desk(connection)
        if desk is None:
            raise NotFound
        form = _form(connection, desk)
        draft, _ = _planned(connection, form, desk) if form.validate() else (None, ())
    shown = None if draft is None else shown_draft(draft, made_by=person().name)
    return render_template("staff/documents/worked_out.html", document=shown, form=form, words=words)


@pages.post("/documents/new/lines")
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def lines() -> str:
    """The lines with one more, or one less."""
    with transaction() as connection:
        desk = _desk(connection)
        if desk is None:
            raise NotFound
        form = _form(connection, desk)
    change_lines(form)
    return render_template("staff/documents/_lines.html", form=form, at=_AT)


def _desk(connection: Connection) -> Desk | None:
    """Whose invoice it is; None when nobody is named yet. Raises: NotFound."""
    contract_id = request.values.get("contract", type=int)
    issuers = tuple(load_issuers(connection))
    try:
        agreed = None if contract_id is None else load_contract_parties(connection, contract_id)
    except BillingError as error:
        raise NotFound from error
    if agreed is not None:
        payer = load_customer(connection, agreed.payer_id)
        assert payer is not None, "a contract's payer is there"
        return Desk(tuple(one for one in issuers if one.id == agreed.issuer_id), payer, contract_id, agreed)
    named = request.values.get("customer", "")
    meant = customer_meant(connection, named) if named else None
    customer = None if meant is None or meant.id is None else load_customer(connection, meant.id)
    return None if customer is None or not issuers else Desk(issuers, customer, None, None)


def _ask_customer(connection: Connection) -> str:
    named = request.values.get("customer", "")
    meant = customer_meant(connection, named) if named else None
    return render_template(
        "staff/documents/whose.html",
        meant=meant,
        issuers=load_issuers(connection),
        title=gettext("New invoice"),
        back="/documents",
    )


def _form(connection: Connection, desk: Desk) -> Any:
    today = clock(connection).astimezone(ZoneInfo(desk.issuers[0].zone)).date()
    form = read_form(InvoiceForm)
    form.issuer.choices = [SelectChoice(one.id, one.name) for one in desk.issuers]
    if request.method == "GET":
        form.day.data = today
        usual = desk.agreed or load_newest_parties(connection, desk.customer.id)
        form.due_days.data = usual.due_days if usual else 0
        form.prices.data = "gross" if usual and usual.includes_tax else "net"
    fill_lines(connection, form, today)
    return form


def fill_lines(connection: Connection, form: Any, today: date) -> None:
    """What the lines of a form may choose from."""
    products = [SelectChoice(one.id, one.name) for one in load_products(connection, day=today)]
    taxes = [SelectChoice(one.name, one.name) for one in load_tax_codes(connection)]
    for entry in form.lines:
        entry.form.product.choices = [SelectChoice(0, gettext("None: words of your own")), *products]
        entry.form.tax.choices = [SelectChoice("", gettext("The product's")), *taxes]


def change_lines(form: Any) -> None:
    """One line more at the end, or that of the number less."""
    wanted = request.form.get("change", "add")
    entries = list(form.lines.entries)
    choices = entries[0].form.product.choices, entries[0].form.tax.choices
    if wanted.isascii() and wanted.isdigit():
        kept = [entry.form.data for number, entry in enumerate(entries) if number != int(wanted)]
        while form.lines.entries:
            form.lines.pop_entry()
        for data in kept or [{}]:
            form.lines.append_entry(data)
    elif len(entries) < MOST_LINES:
        form.lines.append_entry()
    for entry in form.lines:
        entry.form.product.choices, entry.form.tax.choices = choices


def _planned(connection: Connection, form: Any, desk: Desk) -> tuple[Draft | None, tuple[PlannedPosting, ...]]:
    """The draft with its entry, or None and what is wrong with it in the form."""
    wanted = _wanted(form, desk)
    if wanted is None:
        return None, ()
    try:
        draft = plan_invoice(connection, wanted)
        return draft, plan_postings(connection, draft)
    except BillingError as error:
        refuse(form, "", words.refusal_words(error))
        return None, ()


def _wanted(form: Any, desk: Desk) -> WantedInvoice | None:
    """What is typed as the product's question; None and what is missing beside its field."""
    typed = [read_line(entry.form) for entry in form.lines]
    if None in typed:
        return None
    return WantedInvoice(
        lines=tuple(one for one in typed if one is not None),
        document_date=form.day.data,
        customer_id=None if desk.contract_id is not None else desk.customer.id,
        issuer_id=form.issuer.data,
        contract_id=desk.contract_id,
        includes_tax=form.prices.data == "gross",
        due_in_days=(form.due_days.data,),
        reason=form.printed_reason.data or None,
    )


def read_line(form: Any) -> WantedLine | None:
    """A line as it is typed; None and what is missing beside its field."""
    if not form.product.data:
        for field, words_of in (
            (form.description, lazy("A line without a product needs its words.")),
            (form.price, lazy("A line without a product needs a price.")),
            (form.tax, lazy("A line without a product needs a tax.")),
        ):
            if field.data in (None, ""):
                field.errors = [*field.errors, words_of]
    if form.quantity.data is not None and not form.quantity.data:
        form.quantity.errors = [*form.quantity.errors, gettext("Not zero.")]
    since, until = (field.data if field is not None else None for field in (form.since, form.until))
    if (since is None) != (until is None) or (since is not None and until < since):
        form.until.errors = [*form.until.errors, gettext("Give the first and the last day, or neither.")]
    if any(field.errors for field in form):
        return None
    return WantedLine(
        product_id=form.product.data or None,
        description=form.description.data or None,
        quantity=form.quantity.data if form.quantity.data is not None else Decimal(1),
        unit_price=form.price.data,
        discount_percent=form.discount.data,
        tax_code=form.tax.data or None,
        during=_period(since, until),
    )


def _period(since: date | None, until: date | None) -> Period | None:
    return None if since is None or until is None else Period(since, until + timedelta(days=1))


def _issue(connection: Connection, form: Any, desk: Desk) -> str:
    wanted = _wanted(form, desk)
    assert wanted is not None, "it was looked at a moment ago"
    acting(connection, person().name)
    issued = make_invoice(connection, wanted, actor=person().name)[1]
    flash(gettext("Issued as %(number)s.", number=issued.label))
    return url_for("documents.show", document_id=issued.id)


def _page(form: Any, desk: Desk, draft: Draft | None) -> tuple[str, int]:
    shown = None if draft is None else shown_draft(draft, made_by=person().name)
    page = render_template("staff/documents/new.html", form=form, desk=desk, document=shown, words=words, at=_AT)
    return page, status_of(form)


def _preview(form: Any, desk: Desk, draft: Draft, legs: tuple[PlannedPosting, ...]) -> str:
    """The whole of it, and what it writes into the books, before it takes its number."""
    hidden = {name: values for name, values in request.form.lists() if name not in ("csrf_token", "once_key")}
    return render_template(
        "staff/documents/confirm_draft.html",
        form=form,
        question=gettext("Issue this invoice?"),
        does=[
            gettext(
                "%(customer)s owes %(amount)s from then on.",
                customer=desk.customer.name,
                amount=money_shown(draft.totals.payable),
            ),
            gettext("It takes the next number of its register."),
            gettext("What is issued stays: it is corrected by credit notes alone."),
        ],
        button=gettext("Issue it"),
        tone="primary",
        back=url_for("new_invoices.new", customer=desk.customer.id, contract=desk.contract_id),
        fields=hidden,
        document=shown_draft(draft, made_by=person().name),
        legs=legs,
        words=words,
        change=True,
    )

"""Orders: what was agreed on, invoiced with or without advances, or cancelled.

Next: documents.py
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, NumberRange

from billing.documents import DocumentKind, Draft
from billing.errors import BillingError
from billing.operations.invoices import PlannedPosting, plan_postings
from billing.operations.orders import cancel_order, draft_advance, draft_final, invoice_advance, invoice_final
from billing.shown import shown_draft
from billing.store.acting import acting
from billing.store.quotes import load_invoices
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.database import Connection
from web.forms import REQUIRED, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, money_shown
from web.marks import allowed
from web.navigation import Entry
from web.staff import _document_words as words
from web.staff._offers import issuer_day, offer_list, offer_of

pages = Blueprint("orders", __name__)
ENTRIES: Final = (Entry("offers", lazy("Orders"), "orders.list_", Permission.DOCUMENT_SEE, order=60),)
STATES: Final = {"issued": lazy("Open"), "accepted": lazy("Invoiced"), "refused": lazy("Cancelled")}


class InvoiceOrderForm(PageForm):
    """An invoice of an order: a share of it before it is delivered, or without one all that is left."""

    percent = DecimalField(lazy("Advance, in percent"), least=Decimal("0.01"))
    due_days = IntegerField(lazy("Days to pay"), [InputRequired(REQUIRED), NumberRange(0, 180, lazy("0 to 180."))])


class CancelForm(PageForm):
    """Why it is not carried out."""

    printed_reason = StringField(lazy("Reason"), [InputRequired(REQUIRED)])


@pages.get("/orders")
@allowed(Permission.DOCUMENT_SEE)
def list_() -> str:
    """The newest ones."""
    return offer_list(DocumentKind.ORDER, STATES)


@pages.get("/orders/<int:number>")
@allowed(Permission.DOCUMENT_SEE)
def show(number: int) -> str:
    """One order and its invoices."""
    with transaction() as connection:
        found, links = offer_of(connection, number, DocumentKind.ORDER)
        invoices = load_invoices(connection, number)
    return render_template(
        "staff/offers/order.html", document=found, links=links, invoices=invoices, words=words, states=STATES
    )


@pages.route("/orders/<int:number>/invoice", methods=["GET", "POST"])
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def invoice(number: int) -> str | Response | tuple[str, int]:
    """Invoice an advance, or what is left of it; looked at before it is issued."""
    form = read_form(InvoiceOrderForm)
    if request.method == "GET":
        form.due_days.data = 15
    with transaction() as connection:
        found, _ = offer_of(connection, number, DocumentKind.ORDER)
        draft: Draft | None = None
        legs: tuple[PlannedPosting, ...] = ()
        if was_sent(form):
            try:
                draft = _draft(connection, number, found.issuer_id, form)
                legs = plan_postings(connection, draft)
            except BillingError as error:
                refuse(form, "percent" if form.percent.data is not None else "", words.refusal_words(error))
    if draft is None or "again" in request.form:
        return render_template("staff/offers/invoice.html", form=form, document=found, words=words), status_of(form)
    if "confirmed" in request.form:
        return do_once(lambda own: _invoice(own, number, found.issuer_id, form))
    return render_template(
        "staff/documents/confirm_draft.html",
        form=form,
        question=gettext("Issue this invoice?"),
        does=[
            gettext(
                "%(customer)s owes %(amount)s from then on.",
                customer=found.customer["name"],
                amount=money_shown(draft.totals.payable),
            ),
            gettext("It takes the next number of its register."),
            gettext("What is issued stays: it is corrected by credit notes alone."),
        ],
        button=gettext("Issue it"),
        tone="primary",
        back=url_for("orders.show", number=number),
        fields={name: [request.form.get(name, "")] for name in ("percent", "due_days")},
        document=shown_draft(draft, made_by=person().name),
        legs=legs,
        words=words,
    )


@pages.route("/orders/<int:number>/cancel", methods=["GET", "POST"])
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def cancel(number: int) -> str | Response | tuple[str, int]:
    """It is not carried out: its advances are given back."""
    form = read_form(CancelForm)
    with transaction() as connection:
        found, _ = offer_of(connection, number, DocumentKind.ORDER)
        advances = [one for one in load_invoices(connection, number) if one.is_advance]
    if was_sent(form):
        try:
            return do_once(lambda own: _cancel(own, number, found.issuer_id, form.printed_reason.data))
        except BillingError as error:
            refuse(form, "", words.refusal_words(error))
    page = render_template("staff/offers/cancel.html", form=form, document=found, advances=advances)
    return page, status_of(form)


def _draft(connection: Connection, number: int, issuer_id: int, form: Any) -> Draft:
    today = issuer_day(connection, issuer_id)
    due_on = [today + timedelta(days=form.due_days.data)]
    if form.percent.data is not None:
        return draft_advance(connection, number, today=today, due_on=due_on, percent=form.percent.data)
    return draft_final(connection, number, today=today, due_on=due_on)


def _invoice(connection: Connection, number: int, issuer_id: int, form: Any) -> str:
    acting(connection, person().name)
    draft = _draft(connection, number, issuer_id, form)
    issue = invoice_advance if draft.is_advance else invoice_final
    issued = issue(connection, draft, actor=person().name)
    flash(gettext("Issued as %(number)s.", number=issued.label))
    return url_for("documents.show", document_id=issued.id)


def _cancel(connection: Connection, number: int, issuer_id: int, reason: str) -> str:
    acting(connection, person().name)
    cancel_order(connection, number, today=issuer_day(connection, issuer_id), actor=person().name, reason=reason)
    return url_for("orders.show", number=number)

"""A credit note of an invoice: all that is left of it, or by line; looked at with its entry, then issued.

Next: documents.py
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from billing.credits import Creditable, left_of
from billing.documents import Draft
from billing.errors import BillingError
from billing.money import Money
from billing.operations.invoices import PlannedPosting, credit_document, plan_credit, plan_postings
from billing.shown import shown_draft
from billing.store.acting import acting
from billing.store.issued import NoDocumentError, load_creditable, load_parties_of
from billing.store.issuers import load_issuers
from control_plane.access.permissions import Permission
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import REQUIRED, DayField, DecimalField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, money_shown
from web.marks import allowed
from web.staff import _document_words as words

pages = Blueprint("credit_notes", __name__)


class CreditForm(PageForm):
    """What is given back, and why. A field for each line stands beside (`_form_of`)."""

    what = RadioField(
        lazy("What is given back"),
        choices=[
            SelectChoice("whole", lazy("All that is left of it")),
            SelectChoice("lines", lazy("Some lines, or parts of them")),
        ],
        default="whole",
    )
    day = DayField(lazy("Date"), [InputRequired(REQUIRED)])
    printed_reason = StringField(lazy("Reason"), [InputRequired(REQUIRED)])


class _RefusedError(Exception):
    """Nothing was written; the form says why."""


@pages.route("/documents/<int:document_id>/credit", methods=["GET", "POST"])
@allowed(Permission.DOCUMENT_SEE, Permission.DOCUMENT_ISSUE)
def credit(document_id: int) -> str | Response | tuple[str, int]:
    """Give an invoice back."""
    with transaction() as connection:
        try:
            invoice = load_creditable(connection, document_id)
        except NoDocumentError as error:
            raise NotFound from error
        left = left_of(invoice)
        form = read_form(_form_of(left))
        issuer_id, customer_id = load_parties_of(connection, document_id)
        if request.method == "GET":
            (issuer,) = (one for one in load_issuers(connection) if one.id == issuer_id)
            form.day.data = clock(connection).astimezone(ZoneInfo(issuer.zone)).date()
        sent = was_sent(form)
        sure = sent and "confirmed" in request.form and "again" not in request.form
        draft, legs = _planned(connection, form, invoice, left) if sent and not sure else (None, ())
    if sure:
        # Nothing is planned before: sent again, what is to be given back is given back already.
        try:
            return do_once(lambda own: _issue(own, form, invoice, left))
        except _RefusedError:
            return _page(form, invoice, left, customer_id)
        except BillingError as error:
            refuse(form, "", words.refusal_words(error))
            return _page(form, invoice, left, customer_id)
    if draft is None or "again" in request.form:
        return _page(form, invoice, left, customer_id)
    return _preview(form, invoice, draft, legs)


def _form_of(left: dict[int, Money]) -> type[CreditForm]:
    """The form with a box and an amount for each line that has something left."""
    fields: dict[str, Any] = {}
    for number, amount in left.items():
        if amount.minor:
            fields[f"give_{number}"] = BooleanField(lazy("Give back"))
            fields[f"amount_{number}"] = DecimalField(lazy("Amount"), least=Decimal("0.001"))
    return type("CreditFormOfInvoice", (CreditForm,), fields)


def _amounts(form: Any, left: dict[int, Money]) -> dict[int, Decimal | None] | None:
    """What of which lines; None for all that is left of the invoice."""
    return None if form.what.data == "whole" else _chosen(form, left)


def _chosen(form: Any, left: dict[int, Money]) -> dict[int, Decimal | None]:
    """The lines that are ticked or have an amount."""
    return {
        number: form[f"amount_{number}"].data
        for number in left
        if f"give_{number}" in form and (form[f"give_{number}"].data or form[f"amount_{number}"].data is not None)
    }


def _planned(
    connection: Connection, form: Any, invoice: Creditable, left: dict[int, Money]
) -> tuple[Draft | None, tuple[PlannedPosting, ...]]:
    """The draft with its entry, or None and what is wrong with it in the form."""
    amounts = _amounts(form, left)
    if amounts is None and _chosen(form, left):
        refuse(form, "what", gettext("Lines or amounts are chosen below: say that some are given back, or clear them."))
        return None, ()
    if amounts is not None and not amounts:
        refuse(form, "", gettext("Say which lines are given back."))
        return None, ()
    wrong = False
    for number, amount in (amounts or {}).items():
        if amount is not None and amount > left[number].amount:
            refuse(form, f"amount_{number}", gettext("At most %(amount)s is left.", amount=money_shown(left[number])))
            wrong = True
    if wrong:
        return None, ()
    try:
        draft = plan_credit(
            connection, invoice.id, amounts, document_date=form.day.data, reason=form.printed_reason.data
        )
        return draft, plan_postings(connection, draft)
    except BillingError as error:
        refuse(form, "", words.refusal_words(error))
        return None, ()


def _issue(connection: Connection, form: Any, invoice: Creditable, left: dict[int, Money]) -> str:
    if _planned(connection, form, invoice, left)[0] is None:
        raise _RefusedError
    acting(connection, person().name)
    issued = credit_document(
        connection,
        invoice.id,
        _amounts(form, left),
        document_date=form.day.data,
        reason=form.printed_reason.data,
        actor=person().name,
    )[1]
    flash(gettext("Issued as %(number)s.", number=issued.label))
    return url_for("documents.show", document_id=issued.id)


def _page(form: Any, invoice: Creditable, left: dict[int, Money], customer_id: int) -> tuple[str, int]:
    page = render_template(
        "staff/documents/credit.html", form=form, invoice=invoice, left=left, customer_id=customer_id, words=words
    )
    return page, status_of(form)


def _preview(form: Any, invoice: Creditable, draft: Draft, legs: tuple[PlannedPosting, ...]) -> str:
    hidden = {name: values for name, values in request.form.lists() if name not in ("csrf_token", "once_key")}
    return render_template(
        "staff/documents/confirm_draft.html",
        form=form,
        question=gettext("Issue this credit note?"),
        does=[
            gettext(
                "%(amount)s of invoice %(number)s are given back.",
                amount=money_shown(draft.totals.payable),
                number=invoice.label,
            ),
            gettext("It settles the invoice as far as that is open; the rest is credit of the customer's."),
            gettext("What is issued stays. What it gives back is billed again only by hand."),
        ],
        button=gettext("Issue it"),
        tone="warning",
        back=url_for("documents.show", document_id=invoice.id),
        fields=hidden,
        document=shown_draft(draft, made_by=person().name, corrects=invoice.label),
        legs=legs,
        words=words,
        change=True,
    )

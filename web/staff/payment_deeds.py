"""What is done to a payment that is there: its receipt, whose it is, what it settles, giving back, taking back.

What moves money is first done, read and rolled back, and the page says what would come of it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file
from werkzeug.wrappers import Response
from wtforms import BooleanField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from billing.allocation import Choice
from billing.calendar import billing_day
from billing.errors import BillingError
from billing.money import Money
from billing.operations.collecting import give_receipt
from billing.operations.giving_back import refund_payment
from billing.operations.payment_effects import load_effects
from billing.operations.payment_messages import send_receipt
from billing.operations.printing import PrintShop, load_receipt_paper
from billing.operations.receiving import Recorded, choose, match_payment, reverse_payment, withdraw_all
from billing.papers.errors import PaperError
from billing.payments import Happening, NotDone
from billing.store.allocations import load_open_invoices
from billing.store.fees import load_return_fee
from billing.store.issuers import load_issuers
from billing.store.payment_list import load_settles
from billing.store.payments import KnownPayment, load_methods, load_payment, load_settled
from control_plane.access.permissions import Permission
from web.acting import clock, person, transaction
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import REQUIRED, DayField, MoneyField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, money_shown
from web.marks import allowed
from web.money_words import error_words, words_of
from web.staff.payment_new import typed_customer
from web.surroundings import here

pages = Blueprint("payment_deeds", __name__)
_GREATEST_ID: Final = 2**63 - 1
_SIZES: Final = ("80mm", "58mm", "a4")
Answer = Response | tuple[str, int] | str
Outcome = TypeVar("Outcome")


class ReasonForm(PageForm):
    """Why."""

    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=300)])


class MatchForm(ReasonForm):
    """Whose a payment is."""

    who = StringField(lazy("Customer"))
    customer_id = HiddenField()
    nobody = BooleanField(lazy("It is nobody's again"))


class ChooseForm(PageForm):
    """Which invoices a payment settles; nothing ticked: what fell due first."""


class RefundForm(ReasonForm):
    """How much goes back, and how."""

    amount = MoneyField(lazy("Amount"), [InputRequired(REQUIRED)], least=Decimal("0.001"))
    method = SelectField(lazy("Method"), validate_choice=False)
    day = DayField(lazy("Day"), [InputRequired(REQUIRED)])
    reference = StringField(lazy("Reference"), [Length(max=200)])


class ReverseForm(ReasonForm):
    """That a payment came back, or never was."""

    day = DayField(lazy("Day"), [InputRequired(REQUIRED)])
    code = StringField(lazy("Code"), [Length(max=35)])
    reference = StringField(lazy("Reference"), [Length(max=200)])
    with_fee = BooleanField(lazy("The next invoice bears what the method charges"))


@dataclass(frozen=True, slots=True)
class _Subject:
    """The payment that a page is about, and what day it is for its issuer."""

    payment: KnownPayment
    today: date
    address: str


class _RefusedError(Exception):
    """Nothing was written."""

    def __init__(self, why: NotDone) -> None:
        super().__init__(why.message)
        self.why = why


@pages.post("/payments/<int:number>/receipt")
@allowed(Permission.PAYMENT_RECORD)
def receipt(number: int) -> Response:
    """Give a payment its receipt's number, where it has none, and lead to the paper."""
    with transaction() as connection:
        subject = _subject(connection, number)
        given = give_receipt(connection, number, today=subject.today, actor=person().name)
    if isinstance(given, NotDone):
        flash(words_of(given), "bad")
        return redirect(subject.address, 303)
    return redirect(f"{subject.address}/receipt.pdf", 303)


@pages.get("/payments/<int:number>/receipt.pdf")
@allowed(Permission.PAYMENT_SEE)
def receipt_paper(number: int) -> Response:
    """The receipt as PDF: `?size=a4`, or a roll of 80mm or 58mm."""
    size = request.args.get("size", _SIZES[0])
    if size not in _SIZES:
        abort(400)
    with transaction() as connection:
        try:
            issuer_id, paper = load_receipt_paper(connection, number, size=size)
        except BillingError:
            abort(404)
    with PrintShop(here().settings.papers_dir) as shop:
        try:
            printed = shop.press(issuer_id).print(paper)
        except PaperError as error:
            abort(409, error_words(error))
    return send_file(io.BytesIO(printed), mimetype="application/pdf", download_name=f"receipt-{number}.pdf")


@pages.post("/payments/<int:number>/send")
@allowed(Permission.PAYMENT_RECORD)
def send(number: int) -> Response:
    """Mail the receipt to the customer."""

    def sent(connection: Connection) -> str:
        subject = _subject(connection, number)
        settled = [(one.document_id, one.amount) for one in load_settles(connection, number)]
        done = send_receipt(connection, subject.payment, settled, made_by=person().name)
        words = gettext("The receipt is on its way.") if done else gettext("This customer has no e-mail address.")
        flash(words, "good" if done else "bad")
        return subject.address

    return do_once(sent)


@pages.route("/payments/<int:number>/match", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_GIVE_BACK)
def match(number: int) -> Answer:
    """Say whose a payment is, also where it was said wrong."""
    form: MatchForm = read_form(MatchForm)
    with transaction() as connection:
        subject = _subject(connection, number)
        customer = typed_customer(connection, form.customer_id.data)
    if was_sent(form) and customer is None and not form.nobody.data:
        refuse(form, "who", gettext("Choose who paid: type, then Enter on the right line."))
    elif was_sent(form):
        whose = None if form.nobody.data or customer is None else customer.id

        def matched(connection: Connection) -> Recorded:
            return _done(
                match_payment(
                    connection, number, whose, reason=form.reason.data, today=subject.today, actor=person().name
                )
            )

        name = gettext("nobody") if whose is None or customer is None else customer.name
        said = [gettext("Payment %(number)s becomes %(name)s's.", number=number, name=name)]
        answer = _confirmed(form, subject, matched, gettext("Whose is payment %(number)s?", number=number), said)
        if not form.form_errors:
            return answer
    return render_template("staff/payments/match.html", form=form, subject=subject, customer=customer), status_of(form)


@pages.route("/payments/<int:number>/choose", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_GIVE_BACK)
def choose_(number: int) -> Answer:
    """Lay a payment on other invoices than those it settles."""
    form: ChooseForm = read_form(ChooseForm)
    chosen = request.form.getlist("invoices")
    if was_sent(form):
        with transaction() as connection:
            subject = _subject(connection, number)
        wanted = tuple(Choice(int(one)) for one in dict.fromkeys(chosen) if one.isascii() and one.isdigit())

        def laid(connection: Connection) -> Recorded:
            return _done(choose(connection, number, wanted, actor=person().name))

        question = gettext("Lay payment %(number)s on other invoices?", number=number)
        answer = _confirmed(form, subject, laid, question, [])
        if not form.form_errors:
            return answer
    with rehearsal() as connection:
        subject = _subject(connection, number)
        if subject.payment.customer_id is None or subject.payment.reversed_on is not None:
            abort(409, gettext("Only a payment that is somebody's settles invoices."))
        now = load_settles(connection, number)
        # What is open without it.
        withdraw_all(connection, number)
        key = (subject.payment.customer_id, subject.payment.issuer_id, subject.payment.money.currency)
        invoices = load_open_invoices(connection, [key[0]]).get(key, [])
    return render_template(
        "staff/payments/choose.html",
        form=form,
        subject=subject,
        invoices=sorted(invoices, key=lambda one: (one.parts[0].due_on, one.number)),
        chosen={int(one) for one in chosen if one.isascii() and one.isdigit()} or {one.document_id for one in now},
    ), status_of(form)


@pages.route("/payments/<int:number>/refund", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_GIVE_BACK)
def refund(number: int) -> Answer:
    """Give back what of a payment settles nothing."""
    with transaction() as connection:
        subject = _subject(connection, number)
        methods = [one for one in load_methods(connection, subject.payment.issuer_id) if one.offered]
    form: RefundForm = read_form(RefundForm, day=subject.today, amount=subject.payment.open.amount, method="transfer")
    form.method.choices = [(one.code, one.name) for one in methods]
    form.amount.currency = subject.payment.money.currency
    method = next((one for one in methods if one.code == form.method.data), None)
    if was_sent(form) and method is None:
        refuse(form, "method", gettext("Choose one of these."))
    elif was_sent(form) and method is not None:
        amount = form.amount.money()
        assert amount is not None, "the field is required"
        assert form.day.data is not None, "the field is required"
        why = Happening(form.day.data, form.reason.data, reference=form.reference.data or "")

        def given(connection: Connection) -> int:
            return _done(
                refund_payment(connection, number, amount, method, why, today=subject.today, actor=person().name)
            )

        said = [
            gettext("%(amount)s go back by %(method)s.", amount=money_shown(amount), method=method.name),
            gettext("The money itself is sent by you; this writes it into the books."),
        ]
        question = gettext("Give back %(amount)s of payment %(number)s?", amount=money_shown(amount), number=number)
        answer = _confirmed(form, subject, given, question, said)
        if not form.form_errors:
            return answer
    return render_template("staff/payments/refund.html", form=form, subject=subject), status_of(form)


@pages.route("/payments/<int:number>/reverse", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_GIVE_BACK)
def reverse(number: int) -> Answer:
    """Take back a payment that came back, or never was."""
    with transaction() as connection:
        subject = _subject(connection, number)
        fee = load_return_fee(connection, subject.payment.method_id)
    form: ReverseForm = read_form(ReverseForm, day=subject.today)
    if was_sent(form):
        assert form.day.data is not None, "the field is required"
        why = Happening(form.day.data, form.reason.data, reference=form.reference.data or "")

        def reversed_(connection: Connection) -> Recorded:
            return _done(
                reverse_payment(
                    connection,
                    number,
                    why,
                    code=form.code.data or None,
                    with_fee=bool(form.with_fee.data),
                    today=subject.today,
                    actor=person().name,
                )
            )

        question = gettext(
            "Take back payment %(number)s of %(amount)s?", number=number, amount=money_shown(subject.payment.money)
        )
        answer = _confirmed(form, subject, reversed_, question, [])
        if not form.form_errors:
            return answer
    return render_template("staff/payments/reverse.html", form=form, subject=subject, fee=fee), status_of(form)


def _confirmed(
    form: PageForm, subject: _Subject, do: Callable[[Connection], Any], question: str, said: list[str]
) -> Answer:
    """First the page that says what it does, then the deed; a refusal stands above the form, which is shown again."""
    try:
        if is_confirmed():

            def done(connection: Connection) -> str:
                do(connection)
                return subject.address

            return do_once(done)
        with rehearsal() as connection:
            before = load_settled(connection, subject.payment.id)
            does = [*said, *_came_of(connection, subject, before, do(connection))]
    except _RefusedError as refused:
        refuse(form, "", words_of(refused.why))
        page = confirm_page(form, question, said, button=gettext("Do it"), back=subject.address)
        return page, 422
    return confirm_page(form, question, does, button=gettext("Do it"), back=subject.address)


def _came_of(connection: Connection, subject: _Subject, before: list[tuple[str, Money]], done: Any) -> list[str]:
    """What stands in the books after it, beside what stood there."""
    effects = load_effects(connection, subject.payment, before)
    words = []
    for one in effects.opened:
        if one.due_on is not None:
            words.append(
                gettext(
                    "%(label)s is open with %(amount)s, due on %(day)s.",
                    label=one.label,
                    amount=money_shown(one.open),
                    day=day_shown(one.due_on),
                )
            )
        else:
            words.append(gettext("%(label)s stays settled by other credit.", label=one.label))
    words += [
        gettext("It settles %(amount)s of %(label)s.", amount=money_shown(amount), label=label)
        for label, amount in effects.settles
    ]
    if effects.left is not None:
        words.append(gettext("%(amount)s of it settle nothing.", amount=money_shown(effects.left)))
    if isinstance(done, Recorded) and done.fee is not None:
        words.append(gettext("The next invoice bears %(amount)s for it.", amount=money_shown(done.fee)))
    if isinstance(done, Recorded) and done.again:
        words.append(gettext("It was done before: nothing more happens."))
    return words or [gettext("Nothing else changes.")]


def _done(outcome: Outcome | NotDone) -> Outcome:
    if isinstance(outcome, NotDone):
        raise _RefusedError(outcome)
    return outcome


def _subject(connection: Connection, number: int) -> _Subject:
    known = load_payment(connection, number) if number <= _GREATEST_ID else None
    if known is None:
        abort(404)
    zone = next(one.zone for one in load_issuers(connection) if one.id == known.issuer_id)
    return _Subject(known, billing_day(clock(connection), ZoneInfo(zone)), f"/payments/{number}")

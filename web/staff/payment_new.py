"""Recording payments one after another by keyboard: who paid is found by a name, a number or an amount; the amount is what is open.

Each recorded payment leads back to the empty form, with what was recorded above it. A payment like one that is there is recorded only
when the person says that it is another one.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, HiddenField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length

from billing.allocation import Choice, OpenInvoice
from billing.customer_search import search_patterns
from billing.money import Money, currency_places, read_money
from billing.operations.receiving import record_payment
from billing.payments import Method, NewPayment, NotDone, PaymentSource
from billing.store.allocations import load_open_invoices
from billing.store.customer_search import load_likely
from billing.store.customers import Customer, load_customer
from billing.store.payment_list import find_owing, load_owed, load_own, load_settles
from billing.store.payments import find_twin, hold_customers, load_let_go, load_methods, load_payment
from control_plane.access.permissions import Permission
from web.acting import may, person, transaction
from web.database import Connection
from web.forms import (
    REQUIRED,
    DayField,
    MoneyField,
    PageForm,
    do_once,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.issuing import Books, books_of
from web.language import gettext, lazy, number_typed, read_number
from web.marks import allowed
from web.money_words import words_of
from web.navigation import Entry

pages = Blueprint("payment_new", __name__)
ENTRIES: Final = (Entry("money", lazy("Record payments"), "payment_new.new", Permission.PAYMENT_RECORD, order=20),)
# More than these nobody reads: the next letter narrows them down.
_FOUND: Final = 8
_LAST: Final = 15
_LONGEST: Final = 1000
_GREATEST_ID: Final = 2**63 - 1
Answer = Response | tuple[str, int] | str


class PaymentForm(PageForm):
    """What a payment is recorded from."""

    who = StringField(lazy("Who paid"))
    customer_id = HiddenField()
    amount = MoneyField(lazy("Amount"), [InputRequired(REQUIRED)], least=Decimal("0.001"))
    method = SelectField(lazy("Method"), validate_choice=False)
    day = DayField(lazy("Value day"), [InputRequired(REQUIRED)])
    invoices = SelectMultipleField(validate_choice=False)
    reference = StringField(lazy("Reference"), [Length(max=200)])
    note = StringField(lazy("Note"), [Length(max=_LONGEST)])
    payer = StringField(lazy("Payer's name, if it is another one"), [Length(max=300)])
    nobody = BooleanField(lazy("Nobody knows yet whose it is"))
    again = BooleanField(lazy("This is another payment: record it too"))


class NotRecordedError(Exception):
    """Nothing was written; beside which field that is said."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field, self.words = field, words


@pages.route("/payments/new", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_RECORD)
def new() -> Answer:
    """Record payments, one after another."""
    with transaction() as connection:
        books = books_of(connection)
        methods = [one for one in load_methods(connection, books.issuer.id) if one.offered]
        kept_day = _day_of(request.args.get("day")) or books.today
        form: PaymentForm = read_form(PaymentForm, day=kept_day, method=_usual(methods, request.args.get("method")))
        form.method.choices = [(one.code, one.name) for one in methods]
        form.amount.currency = books.issuer.currency
        if request.method == "GET" and request.args.get("customer"):
            _fill_in(connection, books, form, request.args["customer"])
    if was_sent(form):
        try:
            return do_once(lambda connection: _record(connection, form, books, methods))
        except NotRecordedError as refused:
            refuse(form, refused.field, refused.words)
    with transaction() as connection:
        customer = typed_customer(connection, form.customer_id.data)
        done = _done(connection, request.args.get("done", ""))
        own = load_own(connection, person().name, since=books.now - timedelta(hours=16), limit=_LAST)
        return render_template(
            "staff/payments/new.html",
            form=form,
            books=books,
            customer=customer,
            owed=None if customer is None else _owed_part(connection, books, customer.id, form.invoices.data or ()),
            done=done,
            own=own,
            see=may(Permission.PAYMENT_SEE),
        ), status_of(form)


@pages.get("/payments/new/found")
@allowed(Permission.PAYMENT_RECORD)
def found() -> str:
    """Who may be meant by what was typed: a part of the list under the field."""
    typed = request.args.get("who", "").strip()
    with transaction() as connection:
        books = books_of(connection)
        people = _found(connection, books, typed) if typed else []
    return render_template("staff/payments/found.html", people=people, typed=typed)


@pages.get("/payments/new/owed")
@allowed(Permission.PAYMENT_RECORD)
def owed() -> str | tuple[str, int]:
    """What a customer has open, and the amount that is suggested: a part of the form."""
    with transaction() as connection:
        books = books_of(connection)
        customer = typed_customer(connection, request.args.get("customer"))
        if customer is None:
            return "", 404
        chosen = [one for one in request.args.getlist("invoice") if one]
        return _owed_part(connection, books, customer.id, chosen)


def _record(connection: Connection, form: PaymentForm, books: Books, methods: list[Method]) -> str:
    """Write it; the address of the form for the next one."""
    method = next((one for one in methods if one.code == form.method.data), None)
    if method is None:
        raise NotRecordedError("method", gettext("Choose one of these."))
    customer = typed_customer(connection, form.customer_id.data)
    if customer is None and not form.nobody.data:
        raise NotRecordedError("who", gettext("Choose who paid: type, then Enter on the right line."))
    money = form.amount.money()
    day = form.day.data
    assert money is not None
    assert day is not None, "the fields are required"
    payment = NewPayment(
        method=method,
        amount=money,
        value_on=day,
        source=PaymentSource.MANUAL,
        reference=form.reference.data or "",
        customer_id=None if customer is None or form.nobody.data else customer.id,
        payer=form.payer.data or None,
        note=form.note.data or None,
        choices=() if form.nobody.data else _choices(form.invoices.data or ()),
    )
    if payment.customer_id is not None and not form.again.data:
        # Held first: who records the same at this moment is seen, or sees this one.
        hold_customers(connection, [payment.customer_id])
        twin = find_twin(connection, payment)
        if twin is not None:
            raise NotRecordedError("again", _twin_words(twin))
    recorded = record_payment(connection, payment, today=books.today, actor=person().name)
    if isinstance(recorded, NotDone):
        raise NotRecordedError("", words_of(recorded))
    return url_for(
        "payment_new.new",
        done=recorded.payment.id,
        issuer=books.issuer.id if books.others else None,
        method=method.code,
        day=None if day == books.today else day.isoformat(),
    )


def _twin_words(twin: int) -> str:
    return gettext(
        "Payment %(number)s is of the same customer, method, amount and day. If this is another one, tick the box and send again.",
        number=twin,
    )


def _choices(chosen: Any) -> tuple[Choice, ...]:
    numbers = [int(one) for one in chosen if one.isascii() and one.isdigit() and int(one) <= _GREATEST_ID]
    return tuple(Choice(one) for one in dict.fromkeys(numbers))


def _found(connection: Connection, books: Books, typed: str) -> list[dict[str, Any]]:
    """Customers by what is known of them, and by the invoices that they have open."""
    amount = _amount(typed)
    by_invoice = find_owing(connection, books.issuer.id, amount=amount, label=typed)
    people: list[dict[str, Any]] = [
        {"id": one.customer_id, "name": one.customer, "invoice": one, "place": None} for one in by_invoice
    ]
    patterns = search_patterns(typed)
    known = load_likely(connection, patterns, limit=_FOUND) if patterns else []
    if typed.isascii() and typed.isdigit() and (whole := typed_customer(connection, typed)) is not None:
        people.insert(0, {"id": whole.id, "name": whole.name, "invoice": None, "place": None})
    there = {one["id"] for one in people}
    people += [
        {"id": one.id, "name": one.name, "invoice": None, "place": one.place} for one in known if one.id not in there
    ]
    shown = people[:_FOUND]
    open_ = load_owed(
        connection, books.issuer.id, [one["id"] for one in shown], currency=books.issuer.currency, today=books.today
    )
    return [{**one, "owed": open_.get(one["id"])} for one in shown]


def _owed_part(connection: Connection, books: Books, customer_id: int, chosen: Any) -> str:
    invoices = _open_of(connection, books, customer_id)
    marked = {str(one) for one in chosen}
    suggested = _suggested(books, [one for one in invoices if str(one.id) in marked] or invoices)
    return render_template(
        "staff/payments/owed.html",
        invoices=invoices,
        marked=marked,
        suggested=suggested,
        typed=None if suggested is None else number_typed(suggested.amount, places=currency_places(suggested.currency)),
        today=books.today,
    )


def _open_of(connection: Connection, books: Books, customer_id: int) -> list[OpenInvoice]:
    key = (customer_id, books.issuer.id, books.issuer.currency)
    found = load_open_invoices(connection, [customer_id]).get(key, [])
    return sorted(found, key=lambda one: (one.parts[0].due_on, one.number))


def _suggested(books: Books, invoices: list[OpenInvoice]) -> Money | None:
    """What is due by now; where nothing is, all that is open."""
    if not invoices:
        return None
    nothing = read_money(Decimal(0), books.issuer.currency)
    due = sum((part.amount for one in invoices for part in one.parts if part.due_on <= books.today), nothing)
    return due if due.minor > 0 else sum((one.open for one in invoices), nothing)


def _fill_in(connection: Connection, books: Books, form: PaymentForm, customer: str) -> None:
    """The form as a link to a customer asks for it: `?customer=17&invoice=4`."""
    whose = typed_customer(connection, customer)
    if whose is None:
        return
    form.customer_id.data, form.who.data = str(whose.id), whose.name
    chosen = request.args.getlist("invoice")
    form.invoices.data = chosen
    invoices = _open_of(connection, books, whose.id)
    suggested = _suggested(books, [one for one in invoices if str(one.id) in chosen] or invoices)
    if suggested is not None:
        form.amount.data = suggested.amount


def typed_customer(connection: Connection, typed: str | None) -> Customer | None:
    """The customer of the number that is typed; None where nobody has it."""
    text = typed or ""
    if not (text.isascii() and text.isdigit() and int(text) <= _GREATEST_ID):
        return None
    return load_customer(connection, int(text))


def _amount(typed: str) -> Decimal | None:
    try:
        return read_number(typed)
    except ValueError:
        return None


def _usual(methods: list[Method], wanted: str | None) -> str:
    codes = [one.code for one in methods]
    return next((one for one in (wanted, "transfer", *codes) if one in codes), "")


def _day_of(text: str | None) -> date | None:
    try:
        return None if not text else datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 # a day has no zone
    except ValueError:
        return None


def _done(connection: Connection, number: str) -> dict[str, Any] | None:
    """What the page before this one recorded."""
    if not (number.isascii() and number.isdigit() and int(number) <= _GREATEST_ID):
        return None
    known = load_payment(connection, int(number))
    if known is None:
        return None
    return {
        "payment": known,
        "customer": None if known.customer_id is None else load_customer(connection, known.customer_id),
        "settles": load_settles(connection, known.id),
        "let_go": load_let_go(connection, known.id),
    }

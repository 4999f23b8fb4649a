"""Many payments at once: lines pasted from a sheet, shown with what each would settle, recorded all or none.

The sum is typed by who has the money in hand, so that a line too many or too few is seen. The same lines again record nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, flash, render_template
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField, TextAreaField
from wtforms.validators import InputRequired, Length

from billing.bulk_payments import COLUMNS, BulkRow, read_bulk
from billing.errors import BillingError
from billing.money import Money, read_money
from billing.operations.receiving_many import NotTold, Told, record_many
from billing.payments import Method, NewPayment, PaymentSource
from billing.store.customer_named import NobodyMeant, find_meant
from billing.store.customers import load_names
from billing.store.payments import find_payment, load_methods
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.confirming import is_confirmed, rehearsal
from web.database import Connection
from web.forms import REQUIRED, DayField, MoneyField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.issuing import Books, books_of
from web.language import gettext, lazy, locale, ngettext
from web.marks import allowed
from web.money_words import error_words, words_of

pages = Blueprint("payment_many", __name__)
_LONGEST: Final = 500_000
# What one transaction of a page holds; longer lists are given to `corrente payment bulk`.
_MOST_ROWS: Final = 1_000
_USUAL: Final = ("customer", "amount", "date", "method", "reference", "note")
Answer = Response | tuple[str, int] | str


class ManyForm(PageForm):
    """Lines, and what holds where a line does not say."""

    lines = TextAreaField(lazy("Lines"), [InputRequired(REQUIRED), Length(max=_LONGEST)])
    method = SelectField(lazy("Method"), validate_choice=False)
    day = DayField(lazy("Value day"), [InputRequired(REQUIRED)])
    together = MoneyField(lazy("What they come to together"))
    again = BooleanField(lazy("Take lines like a payment that is there, too"))


class _RefusedError(Exception):
    """Nothing was written: what is wrong, a line each."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@pages.route("/payments/many", methods=["GET", "POST"])
@allowed(Permission.PAYMENT_RECORD)
def many() -> Answer:
    """Paste lines, look at them, type what they come to, record them."""
    with transaction() as connection:
        books = books_of(connection)
        methods = [one for one in load_methods(connection, books.issuer.id) if one.offered]
    usual = "transfer" if any(one.code == "transfer" for one in methods) else ""
    form: ManyForm = read_form(ManyForm, day=books.today, method=usual)
    form.method.choices = [(one.code, one.name) for one in methods]
    form.together.currency = books.issuer.currency
    told: list[Told] = []
    if was_sent(form):
        try:
            if is_confirmed():
                return do_once(lambda connection: _write(connection, form, books, methods))
        except _RefusedError as refused:
            refuse(form, "together", refused.reasons[0])
        try:
            with rehearsal() as connection:
                told = _record(connection, form, books, methods)
        except _RefusedError as refused:
            for reason in refused.reasons[:40]:
                refuse(form, "lines", reason)
    with transaction() as connection:
        people = [one.payment.customer_id for one in told if one.payment.customer_id is not None]
        names = load_names(connection, people)
    return render_template(
        "staff/payments/many.html", form=form, told=told, names=names, books=books, columns=", ".join(COLUMNS)
    ), status_of(form)


def _write(connection: Connection, form: ManyForm, books: Books, methods: list[Method]) -> str:
    told = _record(connection, form, books, methods)
    news = [one.payment.amount for one in told if not one.recorded.again]
    # Who has the money in hand counts it; nothing is recorded where that is another sum.
    if form.together.money() != sum(news, Money(0, books.issuer.currency)):
        raise _RefusedError([gettext("They come to another sum. Look at the lines.")])
    flash(ngettext("%(num)s payment is recorded.", "%(num)s payments are recorded.", len(news)), "good")
    return "/payments"


def _record(connection: Connection, form: ManyForm, books: Books, methods: list[Method]) -> list[Told]:
    """Record all of them in the caller's transaction. Raises: _RefusedError, and then the caller rolls back."""
    payments = _payments(connection, form, books, methods)
    told = record_many(connection, payments, with_twins=bool(form.again.data), today=books.today, actor=person().name)
    refused = [one for one in told if isinstance(one, NotTold)]
    if refused:
        raise _RefusedError([_said(one.line, _why(one)) for one in refused])
    return [one for one in told if isinstance(one, Told)]


def _why(refused: NotTold) -> str:
    if refused.why is not None:
        return words_of(refused.why)
    return gettext("payment %(number)s is of the same customer, method, amount and day.", number=refused.twin)


def _payments(
    connection: Connection, form: ManyForm, books: Books, methods: list[Method]
) -> list[tuple[int, NewPayment]]:
    rows, first = _rows(form.lines.data or "")
    codes = {one.code: one for one in methods}
    found, wrong = [], []
    for row in rows:
        line = row.line - first
        whose = find_meant(connection, row.customer)
        method = codes.get(row.method or form.method.data)
        if isinstance(whose, NobodyMeant):
            words = gettext("Several are called %(name)s: give the number.", name=row.customer)
            nobody = gettext("There is no customer %(a)s.", a=row.customer)
            wrong.append(_said(line, words if whose.same else nobody))
        elif method is None:
            wrong.append(_said(line, gettext("There is no method %(name)s.", name=row.method or "")))
        else:
            known = None if row.reference else find_payment(connection, PaymentSource.MANUAL, row.key)
            day = row.day or (known.value_on if known else None) or form.day.data or books.today
            try:
                amount = read_money(row.amount, books.issuer.currency)
            except BillingError as error:
                wrong.append(_said(line, error_words(error)))
                continue
            payment = NewPayment(
                method=method,
                amount=amount,
                value_on=day,
                source=PaymentSource.MANUAL,
                reference=row.reference or row.key,
                customer_id=whose.id,
                payer=row.payer,
                note=row.note,
            )
            found.append((line, payment))
    if wrong:
        raise _RefusedError(wrong)
    return found


def _rows(text: str) -> tuple[list[BulkRow], int]:
    """The lines as they are told, and how many lines were put before them. Raises: _RefusedError."""
    plain = text.replace("\r\n", "\n").replace("\t", ";").strip()
    head = plain.partition("\n")[0].lower().replace(",", ";").split(";")
    named = "customer" in [one.strip() for one in head]
    if not named:
        width = max((line.count(";") for line in plain.split("\n")), default=1) + 1
        plain = ";".join(_USUAL[: max(width, 2)]) + "\n" + plain
    decimal = "," if str(locale().language) in ("it", "es") else "."
    try:
        rows, refused = read_bulk(plain.encode(), decimal=decimal)
    except BillingError as error:
        raise _RefusedError([error_words(error)]) from error
    first = 0 if named else 1
    if refused:
        raise _RefusedError([_said(one.line - first, one.reason) for one in refused])
    if not rows or len(rows) > _MOST_ROWS:
        raise _RefusedError([gettext("Between 1 and %(most)s lines.", most=_MOST_ROWS)])
    return rows, first


def _said(line: int, words: Any) -> str:
    return gettext("Line %(number)s: %(words)s", number=line, words=words)

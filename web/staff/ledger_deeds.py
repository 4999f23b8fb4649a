"""What a person writes into the books: an entry by hand, one that takes another back, the closing of days."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired, Length

from billing.chart import NotTaken
from billing.ledger import HandEntry, Unfinished, Wish, decide_correction, decide_entry
from billing.store import books as book_store
from billing.store.customers import load_customer
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import REQUIRED, DayField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.issuing import Books, books_of
from web.language import day_shown, gettext, lazy, read_number
from web.marks import allowed
from web.money_words import part_of, words_of
from web.navigation import Entry

pages = Blueprint("ledger_deeds", __name__)
ENTRIES: Final = (
    Entry("books", lazy("New entry"), "ledger_deeds.new", Permission.LEDGER_POST, order=70),
    Entry("books", lazy("Periods"), "ledger_deeds.periods", Permission.LEDGER_SEE, order=80),
)
_LINES: Final = 12
_GREATEST_ID: Final = 2**63 - 1
Answer = Response | tuple[str, int] | str


class EntryForm(PageForm):
    """What an entry by hand says; its lines are read by their own names."""

    day = DayField(lazy("Day"), [InputRequired(REQUIRED)])
    text = StringField(lazy("Text"), [InputRequired(REQUIRED), Length(max=300)])
    evidence = StringField(lazy("Evidence"), [Length(max=300)])


class CorrectForm(PageForm):
    """Why an entry is taken back."""

    day = DayField(lazy("Day"), [InputRequired(REQUIRED)])
    text = StringField(lazy("Why"), [InputRequired(REQUIRED), Length(max=300)])


class CloseForm(PageForm):
    """Up to which day."""

    through = DayField(lazy("Up to and with"), [InputRequired(REQUIRED)])
    despite = BooleanField(lazy("Although something still waits"))


class _NotTakenError(Exception):
    """The books do not take it."""

    def __init__(self, refused: NotTaken) -> None:
        super().__init__(refused.message)
        self.why = refused.why


@pages.route("/ledger/entries/new", methods=["GET", "POST"])
@allowed(Permission.LEDGER_POST)
def new() -> Answer:
    """Write an entry by hand: debits and credits are equal, which the page shows while one types."""
    with transaction() as connection:
        books = books_of(connection)
        chart = book_store.load_chart(connection, books.issuer.id)
    form: EntryForm = read_form(EntryForm, day=books.today)
    lines = _typed()
    if was_sent(form):
        try:
            wishes = _wishes(lines)
            return do_once(lambda connection: _write(connection, form, books, wishes))
        except _NotTakenError as refused:
            refuse(form, "", words_of(refused.why))
        except ValueError as error:
            refuse(form, "", str(error))
    shown = lines + [{"account": "", "customer": "", "debit": "", "credit": ""}] * max(4 - len(lines), 1)
    return render_template(
        "staff/ledger/new.html", form=form, lines=shown[:_LINES], chart=chart, books=books
    ), status_of(form)


@pages.route("/ledger/entries/<int:number>/correct", methods=["GET", "POST"])
@allowed(Permission.LEDGER_POST)
def correct(number: int) -> Answer:
    """Take an entry back, whole, by another one."""
    with transaction() as connection:
        found = book_store.load_entry(connection, number) if number <= _GREATEST_ID else None
        if found is None:
            abort(404)
        books = books_of(connection, found.issuer_id)
    form: CorrectForm = read_form(CorrectForm, day=books.today)
    if was_sent(form):

        def corrected(connection: Connection) -> str:
            booked = book_store.load_booked(connection, books.issuer.id, number)
            assert booked is not None, "it was found"
            closed = book_store.load_closed(connection, books.issuer.id)
            assert form.day.data is not None, "the field is required"
            wanted = _taken(
                decide_correction(booked, dated=form.day.data, note=form.text.data, closed=closed, today=books.today)
            )
            made = book_store.write_entry(connection, books.issuer.id, wanted, made_by=person().name)
            return f"/ledger/entries/{made}"

        try:
            return do_once(corrected)
        except _NotTakenError as refused:
            refuse(form, "", words_of(refused.why))
    return render_template("staff/ledger/correct.html", form=form, entry=found), status_of(form)


@pages.route("/ledger/periods", methods=["GET", "POST"])
@allowed(Permission.LEDGER_SEE)
def periods() -> Answer:
    """The days that are closed, and closing more of them after what is unfinished was shown."""
    with transaction() as connection:
        books = books_of(connection)
        closed = book_store.load_closed(connection, books.issuer.id)
    usual = books.today.replace(day=1) - timedelta(days=1)
    form: CloseForm = read_form(CloseForm, through=usual)
    if request.method == "POST" and not person().may(Permission.LEDGER_POST):
        abort(403)
    if was_sent(form):
        through = form.through.data
        assert through is not None, "the field is required"

        def close(connection: Connection) -> str:
            done = book_store.close_through(
                connection,
                books.issuer.id,
                through,
                today=books.today,
                closed_by=person().name,
                despite_unfinished=bool(form.despite.data),
            )
            if isinstance(done, NotTaken):
                raise _NotTakenError(done)
            return day_shown(done.start)

        try:
            if is_confirmed():
                return do_once(lambda connection: (close(connection), "/ledger/periods")[1])
            with rehearsal() as connection:
                unfinished = book_store.load_unfinished(connection, books.issuer.id, through)
                since = close(connection)
            does = [
                gettext(
                    "The days from %(since)s to %(until)s are closed for good.", since=since, until=day_shown(through)
                ),
                gettext("Nothing is posted on them any more; it can't be undone."),
                *map(_left_words, unfinished),
            ]
            question = gettext("Close the books up to %(day)s?", day=day_shown(through))
            return confirm_page(form, question, does, button=gettext("Close"), back="/ledger/periods")
        except _NotTakenError as refused:
            refuse(form, "through", words_of(refused.why))
    return render_template(
        "staff/ledger/periods.html",
        form=form,
        books=books,
        closed=[(one.start, book_store.last_day(one)) for one in reversed(closed)],
    ), status_of(form)


def _left_words(one: Unfinished) -> str:
    return gettext("Unfinished: %(what)s, %(count)s.", what=part_of(one.what), count=one.count)


def _write(connection: Connection, form: EntryForm, books: Books, wishes: list[Wish]) -> str:
    for wish in wishes:
        if wish.customer_id is not None and load_customer(connection, wish.customer_id) is None:
            raise ValueError(gettext("There is no customer %(a)s.", a=wish.customer_id))
    assert form.day.data is not None, "the field is required"
    wanted = _taken(
        decide_entry(
            wishes,
            {one.code: one for one in book_store.load_chart(connection, books.issuer.id)},
            dated=form.day.data,
            currency=books.issuer.currency,
            note=form.text.data,
            closed=book_store.load_closed(connection, books.issuer.id),
            today=books.today,
            evidence=form.evidence.data or None,
        )
    )
    number = book_store.write_entry(connection, books.issuer.id, wanted, made_by=person().name)
    return f"/ledger/entries/{number}"


def _taken(outcome: HandEntry | NotTaken) -> HandEntry:
    if isinstance(outcome, NotTaken):
        raise _NotTakenError(outcome)
    return outcome


def _typed() -> list[dict[str, str]]:
    """The lines as they were typed; empty ones are left out."""
    names = ("account", "customer", "debit", "credit")
    columns = [request.form.getlist(f"line_{name}")[:_LINES] for name in names]
    rows = [dict(zip(names, (one.strip() for one in row), strict=True)) for row in zip(*columns, strict=False)]
    return [one for one in rows if any(one.values())]


def _wishes(lines: list[dict[str, str]]) -> list[Wish]:
    """The legs of the lines. Raises: ValueError with the words for the page."""
    wishes = []
    for number, line in enumerate(lines, start=1):
        if bool(line["debit"]) == bool(line["credit"]):
            raise ValueError(gettext("Line %(number)s: a debit or a credit.", number=number))
        amount: Decimal = read_number(line["debit"] or line["credit"])
        if amount <= 0:
            raise ValueError(gettext("Line %(number)s: an amount above zero.", number=number))
        customer = line["customer"]
        if customer and not (customer.isascii() and customer.isdigit() and int(customer) <= _GREATEST_ID):
            raise ValueError(gettext("Line %(number)s: a customer's number.", number=number))
        sign = 1 if line["debit"] else -1
        wishes.append(Wish(line["account"], sign * amount, int(customer) if customer else None))
    return wishes

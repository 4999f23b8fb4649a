"""A collector's round: whom to go to, what each owes, and a payment taken in three taps.

The form's key is the payment's own, too: what was sent twice because the network went away is one payment (I17). Who opens the page
anew after such a loss is shown what was taken today, and has to say that a second one of the same amount is another one.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from billing.allocation import Choice
from billing.cash import refuse_more_cash
from billing.money import Money, zero
from billing.operations.collecting import Taking, take_payment
from billing.payments import Method, MethodKind, NotDone
from billing.store.cash import load_sessions
from billing.store.collector_rounds import (
    ORDERS,
    find_collectable_people,
    find_taken_today,
    load_round,
    load_taken_today,
)
from billing.store.collectors import Collectable
from billing.store.payments import hold_customers
from control_plane.access.permissions import Permission
from web.acting import may, person, transaction
from web.collector.bound import Bound, own_collector, own_customer, own_methods
from web.database import Connection
from web.forms import REQUIRED, MoneyField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import gettext, lazy, money_shown
from web.lists import after, chosen, page_of
from web.marks import allowed
from web.money_words import part_of
from web.navigation import Entry

pages = Blueprint("field", __name__)
ENTRIES: Final = (
    Entry("field", lazy("My round"), "field.show", Permission.CASH_TAKE, order=0, bound_to="collector_id"),
)
_STOPS: Final = 40
_PEOPLE: Final = 10
_MOST_WORDS: Final = 8
_LONGEST_NOTE: Final = 200


class TakeForm(PageForm):
    """A payment at the door."""

    amount = MoneyField(lazy("Amount"), [InputRequired(REQUIRED)])
    method = SelectField(lazy("Paid by"), coerce=int)
    note = StringField(lazy("Note"), [Length(max=_LONGEST_NOTE)])
    another = BooleanField(lazy("This is another payment, not the same one again"))


class NotTakenError(Exception):
    """Nothing was taken; `field` is the one it lies at."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field
        self.words = words


@pages.get("/field")
@allowed(Permission.CASH_TAKE)
def show() -> str | Response:
    """The round: who owes, by name, by day or by the way."""
    if person().collector_id is None and may(Permission.CASH_MANAGE):
        return redirect(url_for("cash_sessions.show_all"), 303)
    words = request.args.get("q", "").split()[:_MOST_WORDS]
    order = chosen("by", ORDERS) or "due"
    key = after()
    with transaction() as connection:
        bound = own_collector(connection)
        found = load_round(
            connection,
            bound.collector.id,
            today=bound.today,
            words=words,
            only_overdue=chosen("due", ("yes",)) is not None,
            order=order,
            after=None if key is None or len(key) != 3 else (key[0], int(key[1]), str(key[2])),
            limit=_STOPS + 1,
        )
        # Who finds more than a page of those who owe goes on typing.
        alone = bool(words) and key is None and len(found.stops) <= _STOPS
        people = find_collectable_people(connection, bound.collector.id, words, limit=_PEOPLE) if alone else []
    owing = {one.customer_id for one in found.stops}
    page = page_of(
        found.stops,
        lambda one: (getattr(one, ORDERS[order][0]), one.customer_id, one.open.currency),
        rows_a_page=_STOPS,
    )
    others = [one for one in people if one[0] not in owing]
    return render_template(
        "collector/round.html", page=page, sums=found.sums, others=others, order=order, today=bound.today
    )


@pages.route("/field/customers/<int:customer_id>", methods=["GET", "POST"])
@allowed(Permission.CASH_TAKE)
def customer(customer_id: int) -> Response | tuple[str, int]:
    """What a customer owes, and the payment."""
    with transaction() as connection:
        bound, name, owed = own_customer(connection, customer_id)
        methods = own_methods(connection, bound)
        taken = load_taken_today(connection, bound.collector.id, customer_id, today=bound.today)
    picked = _picked(owed)
    suggested = _suggested(owed, picked, bound)
    shown = suggested.amount if suggested.minor > 0 else None
    form = read_form(TakeForm, amount=shown)
    form.amount.currency = suggested.currency
    form.method.choices = [SelectChoice(one.id, one.name) for one in methods]
    form.method.default = methods[0].id if methods else None
    if was_sent(form):
        try:
            return do_once(lambda connection: _take(connection, form, customer_id, picked))
        except NotTakenError as refused:
            refuse(form, refused.field, refused.words)
    page = render_template(
        "collector/take.html",
        form=form,
        customer_id=customer_id,
        name=name,
        owed=owed,
        picked=picked,
        due=_sum([one.open for one in owed if one.due_on <= bound.today], suggested.currency),
        open=_sum([one.open for one in owed], suggested.currency),
        taken=taken,
        today=bound.today,
        phone=owed[0].phone if owed else None,
        address=owed[0].address if owed else None,
    )
    return page, status_of(form)


def _picked(owed: list[Collectable]) -> Collectable | None:
    """The one invoice that is to be paid, where the customer wants only that."""
    wanted = request.args.get("document", type=int)
    return next((one for one in owed if one.document_id == wanted), None)


def _suggested(owed: list[Collectable], picked: Collectable | None, bound: Bound) -> Money:
    """What is due, or all that is open where nothing is due yet; of one invoice what it has open."""
    if picked is not None:
        return picked.open
    currency = owed[0].open.currency if owed else bound.issuer.currency
    mine = [one for one in owed if one.open.currency == currency]
    due = [one.open for one in mine if one.due_on <= bound.today]
    wants_all = request.args.get("all") == "yes" or not due
    return _sum([one.open for one in mine] if wants_all else due, currency)


def _sum(amounts: list[Money], currency: str) -> Money:
    return sum((one for one in amounts if one.currency == currency), zero(currency))


def _take(connection: Connection, form: TakeForm, customer_id: int, picked: Collectable | None) -> str:
    """Take it, and where its receipt is. Raises: NotTakenError."""
    # Two at once for the same customer: the second sees what the first one took.
    hold_customers(connection, [customer_id])
    bound, _, _ = own_customer(connection, customer_id)
    amount = form.amount.money()
    method = next((one for one in own_methods(connection, bound) if one.id == form.method.data), None)
    assert amount is not None, "the form has looked"
    assert method is not None, "the form has looked"
    _refuse_taking(connection, bound, customer_id, amount=amount, method=method, another=form.another.data)
    choices = () if picked is None else (Choice(picked.document_id, label=picked.label),)
    taking = Taking(
        bound.collector.id,
        customer_id,
        amount,
        method,
        key=form.once_key.data,
        value_on=bound.today,
        choices=choices,
        note=form.note.data or None,
    )
    taken = take_payment(connection, taking, today=bound.today, actor=person().name)
    if isinstance(taken, NotDone):
        raise NotTakenError("", gettext("This payment can't be taken: %(why)s", why=part_of(taken)))
    return url_for("field_receipts.show", payment_id=taken.payment.id)


def _refuse_taking(
    connection: Connection, bound: Bound, customer_id: int, *, amount: Money, method: Method, another: bool
) -> None:
    if amount.minor <= 0:
        raise NotTakenError("amount", gettext("Give an amount above zero."))
    twin = find_taken_today(connection, bound.collector.id, customer_id, amount=amount, today=bound.today)
    if twin is not None and not another:
        words = gettext(
            "You have taken %(amount)s of this customer today: receipt %(receipt)s. If this is another payment, say so below.",
            amount=money_shown(amount),
            receipt=twin.label,
        )
        raise NotTakenError("another", words)
    most = bound.collector.most_cash
    if method.kind is MethodKind.CASH and most is not None and most.currency == amount.currency:
        session = load_sessions(connection, collector_id=bound.collector.id, only_open=True)
        in_hand = next((one.takings for one in session if one.currency == amount.currency), None)
        over = amount > most if in_hand is None else refuse_more_cash(amount, in_hand, most) is not None
        if over:
            words = gettext("You may carry %(most)s in cash: hand over before you take this.", most=money_shown(most))
            raise NotTakenError("amount", words)

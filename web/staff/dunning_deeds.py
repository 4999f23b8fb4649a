"""What people say to dunning: who is left alone, what is in dispute, instalments, promises, notices that came; and the lists of them.

What changes a customer's line is done, read and rolled back first, and the page says what would come of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response
from wtforms import HiddenField, IntegerField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange

from billing.documents import Due
from billing.dunning.promise import RefusedPromise
from billing.dunning.words import say
from billing.money import Money, read_money
from billing.operations.holding_back import (
    NewExclusion,
    NewPlan,
    agree_plan,
    close_dispute,
    end_exclusion,
    end_plan,
    exclude,
    moment_of,
    notice_delivered,
    open_dispute,
)
from billing.operations.promising import Taken, review_promise, take_promise
from billing.payments import NotDone
from billing.store.allocations import load_open_invoices
from billing.store.customers import load_customer
from billing.store.dunning_policies import load_limited
from billing.store.holding_back import (
    load_disputes,
    load_exclusions,
    load_notices,
    load_open_invoice,
    load_plans,
)
from billing.store.promises import load_promise_list
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.dunning_words import EXCLUSIONS, PROMISES
from web.forms import REQUIRED, DayField, MoneyField, PageForm, do_once, new_key, read_form, refuse, status_of, was_sent
from web.issuing import Books, books_of
from web.language import chosen_language, day_shown, gettext, lazy, moment_shown, money_shown, read_number
from web.marks import allowed
from web.message_words import CHANNELS
from web.money_words import words_of
from web.navigation import Entry
from web.staff.dunning import names_of

pages = Blueprint("dunning_deeds", __name__)
ENTRIES: Final = (Entry("dunning", lazy("Held back"), "dunning_deeds.held", Permission.DUNNING_SEE, order=30),)
_SHOWN: Final = 200
_GREATEST_ID: Final = 2**63 - 1
_MOST_PARTS: Final = 60
Answer = Response | tuple[str, int] | str


class ExcludeForm(PageForm):
    """Who is left alone, how, and until when."""

    who = StringField(lazy("Customer"))
    customer_id = HiddenField()
    contract_id = StringField(lazy("One contract alone"))
    kind = RadioField(lazy("How"), default="whitelist")
    since = DayField(lazy("From"), [InputRequired(REQUIRED)])
    until = DayField(lazy("Until, without this day"))
    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=300)])


class DisputeForm(PageForm):
    """What of an invoice is contested."""

    amount = MoneyField(lazy("Amount in dispute"), least=Decimal("0.001"))
    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=300)])


class PlanForm(PageForm):
    """Instalments, a line each."""

    parts = TextAreaField(lazy("Instalments"), [InputRequired(REQUIRED), Length(max=4000)])
    grace_days = IntegerField(lazy("Broken when so many days late"), [NumberRange(0, 60)], default=5)
    reason = StringField(lazy("Reason"), [InputRequired(REQUIRED), Length(max=300)])


class _RefusedError(Exception):
    """Nothing was written, and why in the reader's words."""


@pages.get("/dunning/held")
@allowed(Permission.DUNNING_SEE)
def held() -> str:
    """Who is left alone, what is in dispute, instalments, promises, notices under way."""
    with transaction() as connection:
        books = books_of(connection)
        promises = load_promise_list(connection, customer_id=None, to_review=False, only_open=True, limit=_SHOWN)
        review = load_promise_list(connection, customer_id=None, to_review=True, only_open=False, limit=_SHOWN)
        names = names_of(connection, (one.key[0] for one in (*promises, *review)))
        return render_template(
            "staff/dunning/held.html",
            exclusions=load_exclusions(connection, ended=False, today=books.today, limit=_SHOWN),
            disputes=load_disputes(connection, closed=False, limit=_SHOWN),
            plans=load_plans(connection, ended=False, limit=_SHOWN),
            notices=load_notices(connection, delivered=False, limit=_SHOWN),
            promises=list({one.id: one for one in (*review, *promises)}.values()),
            names=names,
            kinds=EXCLUSIONS,
            states=PROMISES,
            channels=CHANNELS,
            today=books.today,
            new_key=new_key,
            money_of=lambda amount, currency: money_shown(read_money(amount, currency)),
        )


@pages.route("/dunning/exclude", methods=["GET", "POST"])
@allowed(Permission.DUNNING_ACT)
def exclude_() -> Answer:
    """Leave a customer or a contract alone: what dunning limits there is open at once."""
    with transaction() as connection:
        books = books_of(connection)
        form: ExcludeForm = read_form(ExcludeForm, since=books.today)
        form.kind.choices = list(EXCLUSIONS.items())
        if request.method == "GET":
            form.customer_id.data = request.args.get("customer", "")
            form.contract_id.data = request.args.get("contract", "")
        customer = _customer(connection, form.customer_id.data)
        if customer is not None and not form.who.data:
            form.who.data = customer.name
    contract = _number(form.contract_id.data)
    if was_sent(form) and (customer is None) == (contract is None):
        refuse(form, "who", gettext("Either a customer or one contract."))
    elif was_sent(form):
        assert form.since.data is not None, "the field is required"
        wanted = NewExclusion(
            kind=form.kind.data,
            reason=form.reason.data,
            since=form.since.data,
            until=form.until.data,
            customer_id=None if customer is None else customer.id,
            contract_id=contract,
        )
        whose = customer.name if customer is not None else gettext("contract %(number)s", number=contract)
        until = gettext("for good") if wanted.until is None else gettext("until %(day)s", day=day_shown(wanted.until))
        said = [f"{EXCLUSIONS[wanted.kind]}: {until}."]
        answer = _confirmed(
            form,
            lambda connection: exclude(connection, wanted, now=books.now, actor=person().name),
            gettext("Leave %(name)s alone?", name=whose),
            said,
            lead="/dunning/held",
        )
        if not form.form_errors:
            return answer
    return render_template("staff/dunning/exclude.html", form=form, customer=customer), status_of(form)


@pages.route("/dunning/dispute/<int:invoice>", methods=["GET", "POST"])
@allowed(Permission.DUNNING_ACT)
def dispute(invoice: int) -> Answer:
    """The invoice is contested: that much is no debt until it is closed."""
    with transaction() as connection:
        books = books_of(connection)
        known = load_open_invoice(connection, invoice) if invoice <= _GREATEST_ID else None
    if known is None:
        raise BadRequest(gettext("This invoice has nothing open."))
    form: DisputeForm = read_form(DisputeForm)
    form.amount.currency = known.open.currency
    if was_sent(form):
        amount = form.amount.money()
        said = [
            gettext(
                "%(amount)s of %(label)s are no debt until the dispute is closed.",
                amount=money_shown(amount or known.open),
                label=known.label,
            )
        ]
        answer = _confirmed(
            form,
            lambda connection: open_dispute(
                connection, invoice, amount, reason=form.reason.data, now=books.now, actor=person().name
            ),
            gettext("Open a dispute on %(label)s?", label=known.label),
            said,
            lead="/dunning/held",
        )
        if not form.form_errors:
            return answer
    return render_template("staff/dunning/dispute.html", form=form, known=known, invoice=invoice), status_of(form)


@pages.route("/dunning/plan/<int:customer>", methods=["GET", "POST"])
@allowed(Permission.DUNNING_ACT)
def plan(customer: int) -> Answer:
    """Instalments for all that a customer has open: their days count in the place of the invoices' own."""
    with transaction() as connection:
        books = books_of(connection)
        whose = _customer(connection, str(customer))
        key = (customer, books.issuer.id, books.issuer.currency)
        invoices = load_open_invoices(connection, [customer]).get(key, [])
    if whose is None or not invoices:
        raise BadRequest(gettext("This customer has nothing open."))
    together = sum((one.open for one in invoices), Money(0, books.issuer.currency))
    form: PlanForm = read_form(PlanForm)
    if was_sent(form):
        parts = _parts(form, books)
        if parts is not None:
            wanted = NewPlan(tuple(one.id for one in invoices), parts, form.reason.data, int(form.grace_days.data or 0))
            said = [f"{day_shown(one.due_on)}: {money_shown(one.amount)}" for one in parts]
            answer = _confirmed(
                form,
                lambda connection: agree_plan(connection, wanted, now=books.now, actor=person().name),
                gettext("Agree on instalments with %(name)s?", name=whose.name),
                said,
                lead="/dunning/held",
            )
            if not form.form_errors:
                return answer
    return render_template(
        "staff/dunning/plan.html", form=form, customer=whose, invoices=invoices, together=together, today=books.today
    ), status_of(form)


@pages.route("/dunning/promise/<int:customer>", methods=["GET", "POST"])
@allowed(Permission.DUNNING_ACT)
def promise(customer: int) -> Answer:
    """The customer promises to pay: the lines are open for the hours of the policy, within its limits."""
    form: PageForm = read_form(PageForm)
    with transaction() as connection:
        books = books_of(connection)
        whose = _customer(connection, str(customer))
    if whose is None:
        raise BadRequest(gettext("There is no customer %(a)s.", a=customer))
    key = (customer, books.issuer.id, request.args.get("currency", books.issuer.currency)[:3])
    back = f"/dunning/customers/{customer}"

    def promised(connection: Connection) -> Taken:
        return _promised(connection, key, books)

    question = gettext("Take a promise of %(name)s to pay?", name=whose.name)
    try:
        if request.method == "POST" and is_confirmed():

            def done(connection: Connection) -> str:
                promised(connection)
                flash(gettext("The promise is taken."), "good")
                return back

            return do_once(done)
        with rehearsal() as connection:
            taken = promised(connection)
    except _RefusedError as refused:
        refuse(form, "", str(refused))
        return confirm_page(form, question, [], button=gettext("Take the promise"), back=back, tone="primary"), 422
    does = _promise_words(taken)
    return confirm_page(form, question, does, button=gettext("Take the promise"), back=back, tone="primary")


def _promised(connection: Connection, key: tuple[int, int, str], books: Books) -> Taken:
    taken = take_promise(connection, key, now=books.now, asked_by="operator", actor=person().name)
    if isinstance(taken, NotDone):
        raise _RefusedError(words_of(taken))
    if isinstance(taken, RefusedPromise):
        words = say(taken.reason, chosen_language(), ZoneInfo(books.issuer.zone))
        again = (
            gettext("The same is taken from %(moment)s on.", moment=moment_shown(taken.until)) if taken.until else ""
        )
        raise _RefusedError(f"{words}. {again}".strip())
    return taken


def _promise_words(taken: Taken) -> list[str]:
    kept = taken.known.promise
    until = moment_shown(kept.until)
    opened = (
        gettext("Lines that open for it: %(number)s.", number=taken.reliefs)
        if taken.reliefs
        else gettext(
            "No line is limited now, and none will be before %(moment)s.", moment=moment_shown(kept.respite_until)
        )
    )
    return [gettext("%(amount)s are promised until %(moment)s.", amount=money_shown(kept.amount), moment=until), opened]


@pages.post("/dunning/promises/<int:number>/review")
@allowed(Permission.DUNNING_ACT)
def review(number: int) -> Response:
    """Say what the proof of a promise is worth."""
    valid = request.form.get("verdict") == "valid"

    def done(connection: Connection) -> Any:
        return review_promise(connection, number, valid=valid, now=books_of(connection).now, actor=person().name)

    return _short(done)


@pages.post("/dunning/exclusions/<int:number>/end")
@allowed(Permission.DUNNING_ACT)
def include(number: int) -> Response:
    """End an exclusion: from the next pass on debts are pursued again."""
    return _short(
        lambda connection: end_exclusion(
            connection, number, reason=_reason(), now=books_of(connection).now, actor=person().name
        ),
        needs_reason=True,
    )


@pages.post("/dunning/disputes/<int:number>/close")
@allowed(Permission.DUNNING_ACT)
def resolve(number: int) -> Response:
    """Close a dispute: what is still open of it is debt again."""
    return _short(
        lambda connection: close_dispute(
            connection, number, outcome=_reason(), now=books_of(connection).now, actor=person().name
        ),
        needs_reason=True,
    )


@pages.post("/dunning/plans/<int:number>/end")
@allowed(Permission.DUNNING_ACT)
def end_plan_(number: int) -> Response:
    """End a plan: the invoices' own days count again."""

    def done(connection: Connection) -> NotDone | None:
        books = books_of(connection)
        return end_plan(connection, number, reason=_reason(), today=books.today, now=books.now, actor=person().name)

    return _short(done, needs_reason=True)


@pages.post("/dunning/notices/<int:number>/delivered")
@allowed(Permission.DUNNING_ACT)
def delivered(number: int) -> Response:
    """A formal notice came: from that day the law's days count."""
    typed = request.form.get("day", "")

    def done(connection: Connection) -> NotDone | None:
        books = books_of(connection)
        zone = ZoneInfo(books.issuer.zone)
        try:
            day = date.fromisoformat(typed)
        except ValueError:
            return NotDone(gettext("Write a day such as %(example)s.", example="2026-01-31"))
        came = moment_of(day, now=books.now, zone=zone)
        return notice_delivered(connection, [number], delivered_at=came, now=books.now, actor=person().name)

    return _short(done)


def _short(do: Callable[[Connection], Any], *, needs_reason: bool = False) -> Response:
    """A deed of one button; a refusal is told on the page that it leads back to."""
    if needs_reason and not _reason():
        flash(gettext("Say why."), "bad")
        return redirect("/dunning/held", 303)

    def done(connection: Connection) -> str:
        outcome = do(connection)
        if isinstance(outcome, NotDone):
            flash(words_of(outcome), "bad")
        return "/dunning/held"

    return do_once(done)


def _confirmed(form: PageForm, do: Callable[[Connection], Any], question: str, said: list[str], *, lead: str) -> Answer:
    """First the page that says what it does, then the deed."""

    def done(connection: Connection) -> str:
        outcome = do(connection)
        if isinstance(outcome, NotDone):
            raise _RefusedError(words_of(outcome))
        return lead

    try:
        if is_confirmed():
            return do_once(done)
        with rehearsal() as connection:
            before = load_limited(connection)
            done(connection)
            let_go = before - load_limited(connection)
    except _RefusedError as refused:
        refuse(form, "", str(refused))
        return "", 422
    numbers = ", ".join(map(str, sorted(let_go)))
    more = [gettext("Contracts that it lets go: %(numbers)s.", numbers=numbers)] if let_go else []
    return confirm_page(form, question, [*said, *more], button=gettext("Do it"), back=lead, tone="primary")


def _parts(form: PlanForm, books: Books) -> tuple[Due, ...] | None:
    """The instalments that were typed, or None with what is wrong beside the field."""
    found = []
    for line in (form.parts.data or "").splitlines():
        words = line.split()
        if not words:
            continue
        try:
            day, amount = date.fromisoformat(words[0]), read_number("".join(words[1:]))
        except (ValueError, IndexError):
            refuse(
                form, "parts", gettext("%(line)s: write a day and an amount, such as 2026-04-01 50.00", line=line[:60])
            )
            return None
        found.append(Due(day, read_money(amount, books.issuer.currency)))
    if not found or len(found) > _MOST_PARTS:
        refuse(form, "parts", gettext("Between 1 and %(most)s instalments.", most=_MOST_PARTS))
        return None
    return tuple(found)


def _reason() -> str:
    return request.form.get("reason", "").strip()[:300]


def _number(typed: str | None) -> int | None:
    text = typed or ""
    return int(text) if text.isascii() and text.isdigit() and int(text) <= _GREATEST_ID else None


def _customer(connection: Connection, typed: str | None) -> Any:
    number = _number(typed)
    return None if number is None else load_customer(connection, number)

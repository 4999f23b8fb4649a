"""A new contract, step by step; each step's answers are kept on the server, and its end is done once.

Next: control_plane/contract_making.py
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from billing.errors import BillingError
from billing.money import read_money
from billing.new_contract import MOST_INSTALMENTS
from billing.store.catalogue import Product, load_products
from billing.store.commissions import load_agents
from billing.store.contract_drafts import (
    Draft,
    begin_draft,
    finish_draft,
    load_draft,
    load_open_drafts,
    save_answers,
)
from billing.store.contract_page import ContractPage, load_page
from billing.store.customers import Address, load_addresses
from billing.store.issuers import load_issuers
from billing.store.offered_prices import OfferedPrice, load_offered_prices
from billing.store.promotions import load_promotions
from control_plane.access.permissions import Permission
from control_plane.contract_making import Answers, make_from, suggest_username
from control_plane.quantities import QuantityError, mac_text, read_mac
from control_plane.store.account import load_account
from web.acting import person, transaction
from web.database import Connection
from web.forms import DayField, PageForm, choices_of, do_once, read_form, refuse, status_of, was_sent
from web.language import day_shown, gettext, lazy, money_shown, ngettext
from web.marks import allowed
from web.money_words import error_words
from web.secret_words import tell_once
from web.staff._customer_meant import Meant, customer_meant
from web.surroundings import here

pages = Blueprint("contract_wizard", __name__)
Answer = str | Response | tuple[str, int]
STEPS: Final[dict[str, Any]] = {
    "place": lazy("Place"),
    "plan": lazy("Plan"),
    "account": lazy("Account"),
    "terms": lazy("Conditions"),
    "check": lazy("Check"),
}


class WhoForm(PageForm):
    """Whose contract it is to be."""

    customer = StringField(lazy("Customer"), [InputRequired(lazy("This is needed.")), Length(max=200)])


class PlaceStep(PageForm):
    """Where the service is."""

    address = SelectField(lazy("Place"), validate_choice=False)


class PlanStep(PageForm):
    """What is sold."""

    plan = SelectField(lazy("Plan"))
    add_ons = SelectMultipleField(lazy("Add-ons"))
    fees = SelectMultipleField(lazy("Fees once"))
    instalments = IntegerField(lazy("Instalments of the fees"), [Optional(), NumberRange(1, MOST_INSTALMENTS)])
    promotions = SelectMultipleField(lazy("Promotions"))


class AccountStep(PageForm):
    """Who logs in."""

    username = StringField(lazy("Username"), [Length(max=253)])
    mac = StringField(lazy("MAC of the device"), [Length(max=40)])


class TermsStep(PageForm):
    """On what conditions."""

    issuer = SelectField(lazy("Billed by"))
    start = DayField(lazy("Planned to begin on"), [Optional()])
    months = IntegerField(lazy("Months of a period"), [Optional(), NumberRange(1, 12)], default=1)
    billing_day = IntegerField(lazy("Day of the month"), [Optional(), NumberRange(1, 31)])
    due_days = IntegerField(lazy("Days to pay"), [Optional(), NumberRange(0, 180)], default=15)
    distance = BooleanField(lazy("Concluded at a distance"))
    agent = SelectField(lazy("Brought by"), default="")


_FORMS: Final[dict[str, type[PageForm]]] = {
    "place": PlaceStep,
    "plan": PlanStep,
    "account": AccountStep,
    "terms": TermsStep,
    "check": PageForm,
}


@pages.route("/contracts/new", methods=["GET", "POST"])
@allowed(Permission.CONTRACT_CHANGE)
def begin() -> Answer:
    """Whose it is: the first step makes the draft, in which all that follows is kept."""
    form = read_form(WhoForm, customer=request.args.get("customer", ""))
    with transaction() as connection:
        meant = customer_meant(connection, form.customer.data) if form.customer.data else Meant(None)
        drafts = load_open_drafts(connection, person().name)
    number = meant.id
    if was_sent(form):
        if number is not None:
            return do_once(lambda connection: _begun(connection, number, meant.name))
        many = gettext("Several are called like this: choose one of them.")
        refuse(form, "customer", many if meant.similar else gettext("No customer is called like this"))
    return render_template("staff/wizard/begin.html", form=form, meant=meant, drafts=drafts), status_of(form)


def _begun(connection: Connection, customer: int, name: str) -> str:
    number = begin_draft(connection, {"customer": customer, "name": name}, made_by=person().name)
    return url_for("contract_wizard.step", number=number, name="place")


@pages.route("/contracts/new/<int:number>/<name>", methods=["GET", "POST"])
@allowed(Permission.CONTRACT_CHANGE)
def step(number: int, name: str) -> Answer:
    """One step: what was answered before stands in it; sent, it is kept and leads to the next."""
    if name not in STEPS:
        abort(404)
    with transaction() as connection:
        draft = load_draft(connection, number)
        if draft is None or draft.made_by != person().name:
            abort(404)
        if draft.contract_id is not None:
            over = url_for("contracts.show", number=draft.contract_id)
            # Sent a second time it leads where the first time did.
            return do_once(lambda _: over) if request.method == "POST" else redirect(over, 303)
        form = read_form(_FORMS[name], shown=_Kept(draft.answers))
        _offer(connection, form, name, draft)
        fine = was_sent(form) and _fits(connection, form, name)
        page = _look(connection, form, draft) if name == "check" else None
        rest = _rest(connection, draft) if page is not None else []
    if fine and name == "check":
        done = _finish(form, draft) if page is not None else None
        if done is not None:
            return done
    elif fine:
        return do_once(lambda connection: _keep(connection, form, draft, name))
    template = "staff/wizard/check.html" if name == "check" else "staff/wizard/step.html"
    return (
        render_template(template, form=form, draft=draft, steps=STEPS, step=name, page=page, rest=rest),
        status_of(form),
    )


class _Kept:
    """Answers as a form takes them."""

    def __init__(self, answers: dict[str, Any]) -> None:
        for name, value in answers.items():
            setattr(self, name, date.fromisoformat(value) if name == "start" and value else value)


def _offer(connection: Connection, form: Any, name: str, draft: Draft) -> None:
    """What there is to choose in a step, and what is suggested."""
    chosen = draft.answers.get("issuer")
    today = _today(connection, int(chosen) if chosen else None)
    if name == "place":
        there = load_addresses(connection, draft.answers["customer"])
        form.address.choices = choices_of(
            {**{str(one.id): _where(one) for one in there}, "": gettext("The customer's seat")}
        )
    elif name == "plan":
        offered = load_products(connection, day=today, offered_on=today)
        prices = load_offered_prices(connection, [one.id for one in offered], on=today)
        for field, kind in (("plan", "plan"), ("add_ons", "add_on"), ("fees", "one_off")):
            form[field].choices = choices_of(
                {
                    str(one.id): _priced(one, prices.get(one.id, []))
                    for one in offered
                    # What has no price is no fee that is agreed: a stamp duty comes by law.
                    if one.kind == kind and (kind != "one_off" or prices.get(one.id))
                }
            )
        form.promotions.choices = choices_of(
            {
                str(one.id): one.name
                for one in load_promotions(connection)
                if (one.offered_from is None or one.offered_from <= today)
                and (one.offered_until is None or today < one.offered_until)
            }
        )
    elif name == "account" and request.method == "GET" and "username" not in draft.answers:
        form.username.data = suggest_username(connection, draft.answers["name"], "")
    elif name == "terms":
        form.issuer.choices = choices_of({str(one.id): one.name for one in load_issuers(connection)})
        agents = {str(one.id): one.name for one in load_agents(connection) if one.active}
        form.agent.choices = choices_of({"": gettext("nobody"), **agents})


def _where(address: Address) -> str:
    return f"{address.street} {address.house_number or ''}, {address.city}"


def _priced(product: Product, prices: list[OfferedPrice]) -> str:
    """A product with what it costs."""
    said = []
    for one in prices:
        price = money_shown(read_money(one.unit_price, one.currency))
        if product.kind != "one_off":
            price = ngettext("%(price)s a month", "%(price)s every %(num)s months", one.months, price=price)
        said.append(price if one.includes_tax else gettext("%(price)s without tax", price=price))
    return f"{product.name} · {' / '.join(said)}" if said else product.name


def _fits(connection: Connection, form: Any, name: str) -> bool:
    """What the fields alone can't know."""
    if name == "place" and form.address.data not in {one.value for one in form.address.choices}:
        refuse(form, "address", gettext("Choose one of the customer's places."))
        return False
    if name == "account":
        if form.username.data and load_account(connection, form.username.data) is not None:
            refuse(form, "username", gettext("Somebody has this username already."))
            return False
        try:
            form.mac.data = read_mac(form.mac.data) if form.mac.data else ""
        except QuantityError:
            refuse(
                form,
                "mac",
                gettext("Write twelve hexadecimal digits, such as %(example)s.", example="02:00:5e:00:53:01"),
            )
            return False
    return True


def _keep(connection: Connection, form: PageForm, draft: Draft, name: str) -> str:
    values = {field: value for field, value in form.data.items() if field not in ("once_key", "seen")}
    kept = {field: value.isoformat() if isinstance(value, date) else value for field, value in values.items()}
    save_answers(connection, draft.id, kept)
    names = list(STEPS)
    return url_for("contract_wizard.step", number=draft.id, name=names[names.index(name) + 1])


def _answers(draft: Draft) -> Answers | None:
    """All answers together; None while a step is missing."""
    said = draft.answers
    if not {"plan", "issuer", "username"} <= said.keys():
        return None
    numbers = {field: tuple(int(one) for one in said.get(field) or ()) for field in ("add_ons", "fees", "promotions")}
    return Answers(
        customer_id=said["customer"],
        issuer_id=int(said["issuer"]),
        plan=int(said["plan"]),
        service_address_id=int(said["address"]) if said.get("address") else None,
        username=said["username"] or "",
        macs=(said["mac"],) if said.get("mac") else (),
        start=date.fromisoformat(said["start"]) if said.get("start") else None,
        months=said.get("months") or 1,
        billing_day=said.get("billing_day"),
        due_days=15 if said.get("due_days") is None else said["due_days"],
        distance=bool(said.get("distance")),
        instalments=said.get("instalments") or 1,
        agent_id=int(said["agent"]) if said.get("agent") else None,
        **numbers,
    )


def _today(connection: Connection, issuer_id: int | None) -> date:
    """Where the issuer is; before one is chosen, where the first is."""
    issuers = load_issuers(connection)
    issuer = next((one for one in issuers if one.id == issuer_id), issuers[0])
    return datetime.now(UTC).astimezone(ZoneInfo(issuer.zone)).date()


def _look(connection: Connection, form: PageForm, draft: Draft) -> ContractPage | None:
    """The contract as it would be, of which nothing is kept; None when something stands against it, which the form says."""
    answers = _answers(draft)
    if answers is None:
        refuse(form, "", gettext("A step is missing: go through them again."))
        return None
    try:
        today = _today(connection, answers.issuer_id)
        made = make_from(connection, here().sealer, answers, today=today, actor=person().name)
        return load_page(connection, made.contract_id)
    except BillingError as error:
        refuse(form, "", error_words(error))
        return None
    finally:
        connection.rollback()


def _rest(connection: Connection, draft: Draft) -> list[tuple[Any, Any]]:
    """What was answered beside what is sold, as the last look at it shows."""
    said = draft.answers
    issuers = {str(one.id): one.name for one in load_issuers(connection)}
    places = {str(one.id): _where(one) for one in load_addresses(connection, said["customer"])}
    begins, brought = said.get("start"), said.get("agent")
    agents = load_agents(connection, agent_id=int(brought)) if brought else []
    return [
        (gettext("Place"), places.get(str(said.get("address")), gettext("The customer's seat"))),
        (gettext("Username"), said.get("username") or gettext("No account yet")),
        (gettext("MAC of the device"), mac_text(said["mac"]) if said.get("mac") else gettext("Any device")),
        (gettext("Billed by"), issuers[str(said["issuer"])]),
        (gettext("Planned to begin on"), day_shown(date.fromisoformat(begins)) if begins else ""),
        (gettext("Months of a period"), said.get("months")),
        (gettext("Day of the month"), said.get("billing_day")),
        (gettext("Days to pay"), said.get("due_days")),
        (gettext("Concluded at a distance"), gettext("Yes") if said.get("distance") else ""),
        (gettext("Brought by"), ", ".join(one.name for one in agents)),
    ]


def _finish(form: PageForm, draft: Draft) -> Response | None:
    """Make it, once."""

    def make(connection: Connection) -> str:
        there = load_draft(connection, draft.id, hold=True)
        assert there is not None, "drafts stay"
        if there.contract_id is not None:
            return url_for("contracts.show", number=there.contract_id)
        answers = _answers(there)
        assert answers is not None, "it was looked at a moment ago"
        today = _today(connection, answers.issuer_id)
        made = make_from(connection, here().sealer, answers, today=today, actor=person().name)
        finish_draft(connection, draft.id, made.contract_id)
        if made.password:
            tell_once(gettext("Password of %(name)s", name=made.username), made.password)
        return url_for("contract_signing.ask", number=made.contract_id)

    try:
        return do_once(make)
    except BillingError as error:
        refuse(form, "", error_words(error))
        return None

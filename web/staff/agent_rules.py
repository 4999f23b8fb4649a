"""By which rules agents earn: all of an issuer's, one more, and the end of one once it is shown what that takes back.

Next: agents.py
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, render_template, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional

from billing.commission_rules import Rule, RuleKind, refuse_rule
from billing.payments import NotDone
from billing.store.agent_office import load_given_after
from billing.store.commissions import load_agents, load_rule, load_rules
from billing.store.contract_page import load_products
from control_plane.access.permissions import Permission
from control_plane.agents import add_rule, end_rule, refuse_end
from web.acting import person, transaction
from web.agent_words import KINDS, rule_words, sums_shown
from web.confirming import confirm_page, is_confirmed
from web.database import Connection
from web.forms import (
    REQUIRED,
    DayField,
    DecimalField,
    MoneyField,
    PageForm,
    choices_of,
    do_once,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.issuing import Books, books_of
from web.language import day_shown, gettext, lazy
from web.marks import allowed
from web.money_words import words_of
from web.staff.agents import refused, tried

pages = Blueprint("agent_rules", __name__, url_prefix="/field/agents/rules")
_MONTHS: Final = NumberRange(1, 600)
Answer = Response | tuple[str, int] | str


class RuleForm(PageForm):
    """What a rule gives, and on which conditions."""

    agent = SelectField(lazy("Agent"))
    kind = SelectField(lazy("Earned"), choices=choices_of(KINDS))
    percent = DecimalField(lazy("Percent of the net"), [Optional()])
    flat = MoneyField(lazy("Or an amount"), [Optional()])
    product = SelectField(lazy("Product"))
    since = DayField(lazy("For what is dated from"), [InputRequired(REQUIRED)])
    until = DayField(lazy("Up to and with"), [Optional()])
    months = IntegerField(lazy("Months from the contract's start"), [Optional(), _MONTHS])
    survives = IntegerField(lazy("Months that a contract has to live"), [Optional(), _MONTHS])
    after_periods = IntegerField(lazy("Payable after so many paid invoices"), [Optional(), _MONTHS])


class EndForm(PageForm):
    """The last day of a rule."""

    day = DayField(lazy("Counts up to and with"), [InputRequired(REQUIRED)])


@pages.get("")
@allowed(Permission.AGENT_MANAGE)
def show_all() -> str:
    """All rules of an issuer."""
    with transaction() as connection:
        books = books_of(connection)
        rules = load_rules(connection, books.issuer.id)
        names = {one.id: one.name for one in load_agents(connection, issuer_id=books.issuer.id)}
        products = _products(connection)
    told = [(one, names.get(one.agent_id or 0, ""), rule_words(one, products)) for one in rules]
    return render_template("staff/agents/rules.html", books=books, rules=told)


@pages.route("/new", methods=["GET", "POST"])
@allowed(Permission.AGENT_MANAGE)
def new() -> Answer:
    """Add a rule: an agent's own comes before everybody's, a product's before all products'."""
    with transaction() as connection:
        books = books_of(connection)
        form = read_form(RuleForm, since=books.today)
        form.flat.currency = books.issuer.currency
        agents, products = load_agents(connection, issuer_id=books.issuer.id), _products(connection)
    form.agent.choices = [SelectChoice("", gettext("all who have no rule of their own")), *(SelectChoice(str(one.id), one.name) for one in agents)]  # fmt: skip
    form.product.choices = [SelectChoice("", gettext("all products")), *(SelectChoice(str(number), name) for number, name in products.items())]  # fmt: skip
    back = url_for("agent_rules.show_all", issuer=books.issuer.id if books.others else None)
    if was_sent(form):
        rule = _typed(form)
        if (why := refuse_rule(rule)) is not None:
            refuse(form, "percent", words_of(why))
        else:

            def add(connection: Connection) -> str:
                made = add_rule(connection, books.issuer.id, rule, actor=person().name)
                if isinstance(made, NotDone):
                    raise refused(form, made)
                return back

            if (answer := tried(form, lambda: do_once(add))) is not None:
                return answer
    return render_template("staff/agents/rule.html", form=form, books=books, back=back), status_of(form)


@pages.route("/<int:number>/end", methods=["GET", "POST"])
@allowed(Permission.AGENT_MANAGE)
def end(number: int) -> Answer:
    """Let a rule count up to a day, once it is shown what it gave of later invoices."""
    with transaction() as connection:
        books, rule = _known(connection, number)
        form = read_form(EndForm, day=books.today)
        ready = was_sent(form)
        given = load_given_after(connection, number, form.day.data) if ready else []
        said = rule_words(rule, _products(connection))
    back = url_for("agent_rules.show_all", issuer=books.issuer.id if books.others else None)

    def do(connection: Connection) -> str:
        if (why := end_rule(connection, number, form.day.data, actor=person().name)) is not None:
            raise refused(form, why)
        return back

    if ready and (why := refuse_end(rule, form.day.data)) is not None:
        refuse(form, "day", words_of(why))
    elif ready and is_confirmed():
        if (answer := tried(form, lambda: do_once(do))) is not None:
            return answer
    elif ready:
        does = [
            gettext("%(rule)s: counts up to and with %(day)s.", rule=said, day=day_shown(form.day.data)),
            gettext("What it gave of later invoices is taken back: %(sums)s.", sums=sums_shown(given))
            if given
            else gettext("It has given nothing of later invoices."),
        ]
        return confirm_page(form, gettext("End this rule?"), does, button=gettext("End it"), back=back)
    return render_template("staff/agents/rule_end.html", form=form, said=said, rule=rule, back=back), status_of(form)


def _known(connection: Connection, number: int) -> tuple[Books, Rule]:
    """The rule of that number, and whose books it is of. Raises: NotFound."""
    found = load_rule(connection, number) if number < 2**63 else None
    if found is None:
        raise NotFound
    issuer_id, rule = found
    return books_of(connection, issuer_id), rule


def _products(connection: Connection) -> dict[int, str]:
    return {number: name for name, (number, _, _) in load_products(connection).items()}


def _typed(form: Any) -> Rule:
    flat = form.flat.money()
    return Rule(
        0,
        RuleKind(form.kind.data),
        form.percent.data,
        flat,
        int(form.product.data) if form.product.data else None,
        int(form.agent.data) if form.agent.data else None,
        form.since.data,
        form.until.data,
        form.months.data,
        form.survives.data,
        form.after_periods.data,
    )

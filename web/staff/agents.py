"""Agents: who brings contracts, what each has earned; contracts are given and taken away once it is shown what that comes to.

Next: agent_settlements.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final

import psycopg
from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp

from billing.contract_facts import Status
from billing.payments import NotDone
from billing.store.agent_office import count_contracts, load_overview
from billing.store.agent_page import load_brought_contracts, load_earned_lines, load_waiting_sums
from billing.store.commissions import Agent, hold_agent_alone, load_agents, load_assignments, load_settlements
from billing.store.contract_page import load_rows
from control_plane.access.permissions import Permission
from control_plane.agents import add_agent, assign, change_agent, take_away
from control_plane.store.staff import load_people
from web.acting import person, transaction
from web.agent_words import CAUSES, Standing, standing_words
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import (
    REQUIRED,
    DayField,
    PageForm,
    changed_meanwhile,
    choices_of,
    do_once,
    fingerprint,
    read_form,
    refuse,
    status_of,
    was_sent,
)
from web.issuing import books_of
from web.language import gettext, lazy, ngettext
from web.lists import after, page_of
from web.marks import allowed
from web.money_words import words_of
from web.navigation import Entry
from web.refusal_words import database_words
from web.staff._customer_meant import customer_meant
from web.staff.customer_words import STATUS_TONES, STATUSES
from web.staff.plans import today as operators_today

pages = Blueprint("agents", __name__, url_prefix="/field/agents")
ENTRIES: Final = (Entry("field", lazy("Agents"), "agents.show_all", Permission.AGENT_MANAGE, order=35),)
_KINDS: Final = {"contract": lazy("Contracts"), "customer": lazy("All contracts of customers")}
_OVER: Final = frozenset({Status.ENDED.value, Status.CANCELLED.value})
_ROWS: Final = 50
_SHOWN: Final = 20
_MOST_AT_ONCE: Final = 500
_LONGEST: Final = 20_000
Answer = Response | tuple[str, int] | str


class ChangeForm(PageForm):
    """Who an agent is."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Length(max=200)])
    email = StringField(
        lazy("E-mail"), [Optional(), Regexp(r"^[^@\s]+@[^@\s]+$", message=lazy("Like name@example.net."))]
    )
    active = BooleanField(lazy("Brings contracts"), default=True)


class GiveForm(PageForm):
    """Which contracts are to be an agent's, and from when on."""

    kind = SelectField(lazy("Give"), choices=choices_of(_KINDS))
    which = TextAreaField(lazy("Which"), [InputRequired(REQUIRED), Length(max=_LONGEST)])
    since = DayField(lazy("From which day on"), [Optional()])


class TakeForm(PageForm):
    """Which contracts an agent loses, from when on, and who gets them."""

    to = SelectField(lazy("Give them to"))
    since = DayField(lazy("From which day on"), [InputRequired(REQUIRED)])


class RefusedError(Exception):
    """Nothing was written; the form says why."""


@pages.get("")
@allowed(Permission.AGENT_MANAGE)
def show_all() -> str:
    """All agents, with how many contracts are theirs and up to which day each is settled."""
    with transaction() as connection:
        found = load_overview(connection, on=operators_today(connection))
    return render_template("staff/agents/list.html", found=found)


@pages.route("/new", methods=["GET", "POST"])
@allowed(Permission.AGENT_MANAGE)
def new() -> Answer:
    """Add an agent, whose no contract is yet."""
    form = read_form(ChangeForm)
    with transaction() as connection:
        books = books_of(connection)
    if was_sent(form):

        def add(connection: Connection) -> str:
            typed = {"name": form.name.data, "email": form.email.data or None, "active": form.active.data}
            made = add_agent(connection, books.issuer.id, **typed, actor=person().name)
            if isinstance(made, NotDone):
                raise refused(form, made)
            flash(gettext("Added. Now say which contracts are theirs."), "good")
            return url_for("agents.show", agent_id=made)

        if (answer := tried(form, lambda: do_once(add))) is not None:
            return answer
    return render_template("staff/agents/form.html", form=form, one=None, books=books), status_of(form)


@pages.get("/<int:agent_id>")
@allowed(Permission.AGENT_MANAGE)
def show(agent_id: int) -> str:
    """An agent: contracts, what was earned last, settlements, and who signs in as this one."""
    key = after()
    with transaction() as connection:
        one = known_agent(connection, agent_id)
        today = books_of(connection, one.issuer_id).today
        form = read_form(TakeForm, since=today)
        _offer_others(connection, form, one)
        brought = load_brought_contracts(connection, one.id, after=(key[0], key[1]) if key else None, limit=_ROWS + 1)
        parts: dict[str, Any] = {
            "standing": _standing(connection, one.id, today),
            "earned": load_earned_lines(connection, one.id, after=None, limit=_SHOWN),
            "settlements": load_settlements(connection, agent_id=one.id)[:_SHOWN],
            "people": [each for each in load_people(connection) if each.agent_id == one.id],
        }
    return render_template(
        "staff/agents/show.html",
        one=one,
        form=form,
        today=today,
        page=page_of(brought, lambda each: (each.id, each.since), rows_a_page=_ROWS),
        statuses=STATUSES,
        tones=STATUS_TONES,
        causes=CAUSES,
        **parts,
    )


@pages.get("/<int:agent_id>/earned")
@allowed(Permission.AGENT_MANAGE)
def earned(agent_id: int) -> str:
    """All that an agent earned or lost again, the newest first."""
    key = after()
    with transaction() as connection:
        one = known_agent(connection, agent_id)
        found = load_earned_lines(connection, one.id, after=int(key[0]) if key else None, limit=_ROWS + 1)
    page = page_of(found, lambda each: (each.id,), rows_a_page=_ROWS)
    return render_template("staff/agents/earned.html", one=one, page=page, causes=CAUSES)


@pages.route("/<int:agent_id>/change", methods=["GET", "POST"])
@allowed(Permission.AGENT_MANAGE)
def change(agent_id: int) -> Answer:
    """Change who an agent is."""
    with transaction() as connection:
        one = known_agent(connection, agent_id)
        books = books_of(connection, one.issuer_id)
    form = read_form(ChangeForm, name=one.name, email=one.email, active=one.active)
    form.seen.data = form.seen.data or fingerprint(one)
    if was_sent(form):

        def put(connection: Connection) -> str:
            there = hold_agent_alone(connection, agent_id)
            if there is None or changed_meanwhile(form, there):
                raise RefusedError
            typed = {"name": form.name.data, "email": form.email.data or None, "active": form.active.data}
            change_agent(connection, there, typed, actor=person().name)
            return url_for("agents.show", agent_id=agent_id)

        if (answer := tried(form, lambda: do_once(put))) is not None:
            return answer
    return render_template("staff/agents/form.html", form=form, one=one, books=books), status_of(form)


@pages.route("/<int:agent_id>/assign", methods=["GET", "POST"])
@allowed(Permission.AGENT_MANAGE)
def give(agent_id: int) -> Answer:
    """Say that contracts are this agent's, once it is shown what that comes to."""
    with transaction() as connection:
        one = known_agent(connection, agent_id)
        today = books_of(connection, one.issuer_id).today
        form = read_form(GiveForm)
        numbers = _contracts_typed(connection, form) if was_sent(form) else []
    if numbers and not form.errors:
        since = form.since.data

        def deed(connection: Connection) -> NotDone | None:
            return assign(connection, one, numbers, since=since, today=today, actor=person().name)

        question = ngettext(
            "Give %(num)s contract to %(name)s?", "Give %(num)s contracts to %(name)s?", len(numbers), name=one.name
        )
        answer = _confirmed(form, (one,), (numbers, today), deed, question, button=gettext("Give"), tone="primary")
        if answer is not None:
            return answer
    return render_template("staff/agents/assign.html", form=form, one=one, most=_MOST_AT_ONCE), status_of(form)


@pages.post("/<int:agent_id>/take-away")
@allowed(Permission.AGENT_MANAGE)
def take(agent_id: int) -> Answer:
    """Take contracts from an agent, for nobody or another one, once it is shown what that comes to."""
    chosen = {int(text) for text in request.form.getlist("contract") if re.fullmatch(r"\d{1,18}", text)}
    numbers = sorted(chosen)[:_MOST_AT_ONCE]
    back = url_for("agents.show", agent_id=agent_id)
    with transaction() as connection:
        one = known_agent(connection, agent_id)
        today = books_of(connection, one.issuer_id).today
        form = read_form(TakeForm)
        _offer_others(connection, form, one)
        ready = was_sent(form)
        to = next(iter(load_agents(connection, agent_id=int(form.to.data))), None) if ready and form.to.data else None
    if not numbers or not ready:
        flash(gettext("Nothing was changed: choose contracts and a day."), "warn")
        return redirect(back, 303)
    since = form.since.data

    def deed(connection: Connection) -> NotDone | None:
        return take_away(connection, one, numbers, since=since, today=today, actor=person().name, to=to)

    question = ngettext(
        "Take %(num)s contract away from %(name)s?",
        "Take %(num)s contracts away from %(name)s?",
        len(numbers),
        name=one.name,
    )
    whom = (one, *([to] if to else []))
    answer = _confirmed(form, whom, (numbers, today), deed, question, button=gettext("Take them away"))
    if answer is not None:
        return answer
    flash("; ".join(form.form_errors), "bad")
    return redirect(back, 303)


def known_agent(connection: Connection, agent_id: int) -> Agent:
    """The agent of that number. Raises: NotFound."""
    found = next(iter(load_agents(connection, agent_id=agent_id)), None) if agent_id < 2**63 else None
    if found is None:
        raise NotFound
    return found


def refused(form: PageForm, why: NotDone) -> RefusedError:
    """What to raise where nothing is done; the form says why."""
    refuse(form, "", words_of(why))
    return RefusedError()


def tried(form: PageForm, deed: Callable[[], Response]) -> Response | None:
    """What came of it, or None where nothing was written, which the form says."""
    try:
        return deed()
    except RefusedError:
        return None
    except psycopg.errors.IntegrityError as error:
        refuse(form, "name" if error.diag.constraint_name == "agent_name_once" else "", database_words(error))
        return None


def _confirmed(
    form: PageForm,
    whom: Sequence[Agent],
    about: tuple[Sequence[int], date],
    deed: Callable[[Connection], NotDone | None],
    question: str,
    *,
    button: str,
    tone: str = "danger",
) -> Answer | None:
    """The page with the numbers of all agents concerned, or where the deed leads; None where it was refused, which the form says."""
    back = url_for("agents.show", agent_id=whom[0].id)

    def done(connection: Connection) -> str:
        if (why := deed(connection)) is not None:
            raise refused(form, why)
        return back

    if is_confirmed():
        return tried(form, lambda: do_once(done))
    numbers, today = about
    with rehearsal() as connection:
        concerned = {one for each in load_assignments(connection, numbers, on=today).values() for one in each.ever}
        concerned |= {one.id for one in whom}
        agents = [each for each in load_agents(connection) if each.id in concerned]
        before = {each.id: _standing(connection, each.id, today) for each in agents}
        if (why := deed(connection)) is not None:
            refuse(form, "", words_of(why))
            return None
        does = [standing_words(each.name, before[each.id], _standing(connection, each.id, today)) for each in agents]
    return confirm_page(form, question, does, button=button, back=back, tone=tone)


def _standing(connection: Connection, agent_id: int, today: date) -> Standing:
    return Standing(count_contracts(connection, agent_id, on=today), load_waiting_sums(connection, agent_id))


def _offer_others(connection: Connection, form: Any, one: Agent) -> None:
    others = [each for each in load_agents(connection, issuer_id=one.issuer_id) if each.active and each.id != one.id]
    form.to.choices = [SelectChoice("", gettext("nobody")), *(SelectChoice(str(each.id), each.name) for each in others)]


def _contracts_typed(connection: Connection, form: Any) -> list[int]:
    """The numbers of the contracts that were typed, or of those customers; what can't be meant stands beside the field."""
    lines = list(dict.fromkeys(part.strip() for part in re.split(r"[\n,;]", form.which.data) if part.strip()))
    if not lines:
        refuse(form, "which", str(REQUIRED))
        return []
    if len(lines) > _MOST_AT_ONCE:
        refuse(form, "which", gettext("At most %(most)s at once.", most=_MOST_AT_ONCE))
        return []
    if form.kind.data == "customer":
        found = _contracts_of(connection, form, lines)
    else:
        wrong = [line for line in lines if not re.fullmatch(r"\d{1,18}", line, re.ASCII)]
        if wrong:
            refuse(form, "which", gettext("Not the number of a contract: %(lines)s", lines=_some(wrong)))
        found = [int(line) for line in lines if line not in wrong]
    if len(found) > _MOST_AT_ONCE:
        refuse(form, "which", gettext("At most %(most)s at once.", most=_MOST_AT_ONCE))
    elif not found and not form.errors:
        refuse(form, "which", gettext("They have no contract that is not over."))
    return found


def _contracts_of(connection: Connection, form: Any, lines: Sequence[str]) -> list[int]:
    meant = {line: customer_meant(connection, line).id for line in lines}
    if unknown := [line for line, number in meant.items() if number is None]:
        refuse(form, "which", gettext("There is no customer, or more than one, for: %(lines)s", lines=_some(unknown)))
    rows = [
        row
        for number in dict.fromkeys(meant.values())
        if number is not None
        for row in load_rows(connection, customer_id=number, limit=_MOST_AT_ONCE + 1)
    ]
    return [row.id for row in rows if row.status not in _OVER]


def _some(lines: Sequence[str]) -> str:
    return ", ".join(line[:40] for line in lines[:_SHOWN])

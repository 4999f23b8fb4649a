"""What agents earned is settled: shown with its sum first, numbered, printed, and taken back with a reason.

Next: agent_rules.py
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, url_for
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired, Length

from billing.operations.earning import Settled, settle_agent, undo_settlement
from billing.operations.printing import load_settlement_paper
from billing.payments import NotDone
from billing.store.agent_page import load_earned_lines, load_waiting_sums
from billing.store.commissions import Agent, AgentSettlement, load_settlements
from control_plane.access.permissions import Permission
from web.acting import person, transaction
from web.agent_words import CAUSES
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import REQUIRED, DayField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.issuing import Books, books_of
from web.language import chosen_language, day_shown, gettext, lazy, money_shown, ngettext
from web.lists import after, page_of
from web.marks import allowed
from web.money_words import words_of
from web.papers import pdf_of
from web.staff.agents import RefusedError, known_agent, refused, tried

pages = Blueprint("agent_settlements", __name__, url_prefix="/field/agents")
_ROWS = 50
_NOTHING = lazy("There is nothing to settle up to that day: what is not payable yet or below zero waits.")
_CHANGED = lazy("What was earned has just changed, and nothing was settled: look again.")
Answer = Response | tuple[str, int] | str


class SettleForm(PageForm):
    """What is settled."""

    through = DayField(lazy("What was earned up to and with"), [InputRequired(REQUIRED)])
    below_zero = BooleanField(lazy("Also where more was taken back than earned: the agent owes it"))


class UndoForm(PageForm):
    """Why a settlement is taken back."""

    reason = StringField(lazy("Why"), [InputRequired(REQUIRED), Length(max=200)])


@pages.route("/<int:agent_id>/settle", methods=["GET", "POST"])
@allowed(Permission.AGENT_MANAGE)
def settle(agent_id: int) -> Answer:
    """Settle what an agent earned, once its sum was shown."""
    with transaction() as connection:
        one = known_agent(connection, agent_id)
        books = books_of(connection, one.issuer_id)
        waiting = load_waiting_sums(connection, one.id)
    form = read_form(SettleForm, through=books.today)
    if was_sent(form):
        answer = _settled(form, one, books)
        if answer is not None:
            return answer
    return render_template("staff/agents/settle.html", form=form, one=one, waiting=waiting), status_of(form)


@pages.get("/settlements/<int:number>")
@allowed(Permission.AGENT_MANAGE)
def show(number: int) -> str:
    """A settlement with its commissions."""
    key = after()
    with transaction() as connection:
        one = _known(connection, number)
        rows = load_earned_lines(
            connection,
            one.agent_id,
            after=int(key[0]) if key else None,
            limit=_ROWS + 1,
            settlement_id=one.id,
        )
    page = page_of(rows, lambda each: (each.id,), rows_a_page=_ROWS)
    return render_template("staff/agents/settlement.html", one=one, page=page, causes=CAUSES)


@pages.get("/settlements/<int:number>.pdf")
@allowed(Permission.AGENT_MANAGE)
def paper(number: int) -> Response:
    """A settlement as the paper that goes to the agent."""
    with transaction() as connection:
        one = _known(connection, number)
        issuer_id, printed = load_settlement_paper(connection, one, language=chosen_language())
    return pdf_of(issuer_id, printed, f"settlement-{one.label}")


@pages.route("/settlements/<int:number>/undo", methods=["GET", "POST"])
@allowed(Permission.AGENT_MANAGE)
def undo(number: int) -> Answer:
    """Take a settlement back: its number stays, its commissions are settled anew."""
    with transaction() as connection:
        one = _known(connection, number)
        books = books_of(connection, one.issuer_id)
    if one.undone_on is not None:
        raise Conflict(gettext("This settlement has been taken back."))
    form = read_form(UndoForm)
    back = url_for("agent_settlements.show", number=number)

    def do(connection: Connection) -> str:
        why = undo_settlement(connection, number, reason=form.reason.data, today=books.today, actor=person().name)
        if why is not None:
            raise refused(form, why)
        return back

    if was_sent(form) and is_confirmed() and (answer := tried(form, lambda: do_once(do))) is not None:
        return answer
    does = [
        ngettext("%(num)s commission waits again.", "%(num)s commissions wait again.", one.rows),
        gettext("Its number %(label)s stays; its entry of %(amount)s is mirrored.", label=one.label, amount=money_shown(one.amount)),
    ]  # fmt: skip
    question = gettext("Take settlement %(label)s back?", label=one.label)
    return confirm_page(form, question, does, button=gettext("Take it back"), back=back), status_of(form)


def _settled(form: Any, one: Agent, books: Books) -> Answer | None:
    """The page with the sums, or where the settlement leads; None where there is nothing, which the form says."""

    def attempt(connection: Connection) -> Settled | NotDone:
        return settle_agent(
            connection,
            one.id,
            through=form.through.data,
            today=books.today,
            actor=person().name,
            also_below=form.below_zero.data,
        )

    def do(connection: Connection) -> str:
        made = attempt(connection)
        if isinstance(made, NotDone):
            raise refused(form, made)
        if not made.settlements:
            refuse(form, "", str(_NOTHING))
            raise RefusedError
        if _seen(made) != form.seen.data:
            refuse(form, "", str(_CHANGED))
            raise RefusedError
        for each in made.settlements:
            flash(gettext("Settled: %(label)s, %(amount)s.", label=each.label, amount=money_shown(each.amount)), "good")
        return url_for("agents.show", agent_id=one.id)

    if is_confirmed() and (answer := tried(form, lambda: do_once(do))) is not None:
        return answer
    with rehearsal() as connection:
        made = attempt(connection)
        if isinstance(made, NotDone):
            refuse(form, "through", words_of(made))
            return None
        if not made.settlements:
            refuse(form, "", str(_NOTHING))
            return None
        form.seen.data = _seen(made)
    question = gettext("Settle with %(name)s?", name=one.name)
    back = url_for("agents.show", agent_id=one.id)
    page = confirm_page(form, question, _does(made), button=gettext("Settle"), back=back, tone="primary")
    return page, status_of(form)


def _seen(made: Settled) -> str:
    return "; ".join(f"{each.rows} {each.amount}" for each in made.settlements)


def _does(made: Settled) -> list[str]:
    said = [
        ngettext(
            "%(amount)s for %(num)s commission up to %(day)s.",
            "%(amount)s for %(num)s commissions up to %(day)s.",
            each.rows,
            amount=money_shown(each.amount),
            day=day_shown(each.through),
        )
        for each in made.settlements
    ]
    if made.waiting:
        said.append(
            ngettext(
                "%(num)s commission waits for paid invoices, a later day, or more than nothing.",
                "%(num)s commissions wait for paid invoices, a later day, or more than nothing.",
                len(made.waiting),
            )
        )
    return said


def _known(connection: Connection, number: int) -> AgentSettlement:
    found = next(iter(load_settlements(connection, number=number)), None) if number < 2**63 else None
    if found is None:
        raise NotFound
    return found

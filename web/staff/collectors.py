"""Collectors: who takes payments in the field, from whom, what each has in hand; customers are given and taken away once it is known how many.

Next: web/collector/sessions.py
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

from billing.collectors import Collector, Scope, ScopeKind
from billing.money import zero
from billing.payments import NotDone
from billing.store.cash import Session, load_sessions
from billing.store.collectors import (
    Reach,
    hold_collectors,
    load_assigned,
    load_collectable,
    load_collector,
    load_collectors,
    load_reach,
    load_scopes_of_all,
    load_series,
)
from control_plane.access.permissions import Permission
from control_plane.collectors import add_collector, add_receipt_series, assign, change_collector, take_away
from control_plane.store.staff import load_people
from web.acting import person, transaction
from web.confirming import confirm_page, is_confirmed, rehearsal
from web.database import Connection
from web.forms import (
    REQUIRED,
    DayField,
    MoneyField,
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
from web.issuing import Books, books_of
from web.language import gettext, lazy, money_shown, ngettext
from web.lists import after, page_of
from web.marks import allowed
from web.money_words import words_of
from web.navigation import Entry
from web.refusal_words import database_words
from web.staff._customer_meant import customer_meant

pages = Blueprint("collectors", __name__, url_prefix="/field/collectors")
ENTRIES: Final = (Entry("field", lazy("Collectors"), "collectors.show_all", Permission.CASH_MANAGE, order=30),)
KINDS: Final = {
    ScopeKind.EVERYONE.value: lazy("Everyone"),
    ScopeKind.CUSTOMER.value: lazy("Customer"),
    ScopeKind.GROUP.value: lazy("Billing group"),
    ScopeKind.CITY.value: lazy("City"),
    ScopeKind.PROVINCE.value: lazy("Province"),
    ScopeKind.POSTAL_CODE.value: lazy("Postal code"),
}
_ROWS: Final = 100
_SHOWN: Final = 20
_EACH: Final = 6
_MOST_AT_ONCE: Final = 500
_ALL: Final = 1_000_000
_LONGEST: Final = 20_000
_OTHER_SERIES: Final = ""
Answer = Response | tuple[str, int] | str


class ChangeForm(PageForm):
    """Who a collector is."""

    name = StringField(lazy("Name"), [InputRequired(REQUIRED), Length(max=200)])
    series = SelectField(lazy("Series of receipts"))
    code = StringField(
        lazy("Code of the new series"),
        [Optional(), Regexp(r"^[A-Z0-9]{1,6}$", message=lazy("Capital letters and digits, 6 at most."))],
    )
    most_cash = MoneyField(lazy("Most cash"))
    active = BooleanField(lazy("Collects"), default=True)


class AssignForm(PageForm):
    """From whom a collector is to collect, too."""

    kind = SelectField(lazy("From"), choices=choices_of(KINDS))
    which = TextAreaField(lazy("Which"), [Length(max=_LONGEST)])
    through = DayField(lazy("Up to and with"), [Optional()])


class TakeForm(PageForm):
    """Which parts a collector loses, and who gets them."""

    to = SelectField(lazy("Give them to"))


@pages.get("")
@allowed(Permission.CASH_MANAGE)
def show_all() -> str:
    """Who collects, from whom, and what each has in hand."""
    with transaction() as connection:
        found, scopes = load_collectors(connection), load_scopes_of_all(connection, each=_EACH)
        open_now: dict[int, list[Session]] = {}
        for session in load_sessions(connection, only_open=True, limit=1000):
            open_now.setdefault(session.collector_id, []).append(session)
    return render_template(
        "staff/collectors/list.html", found=found, scopes=scopes, most=_EACH - 1, open_now=open_now, kinds=KINDS
    )


@pages.route("/new", methods=["GET", "POST"])
@allowed(Permission.CASH_MANAGE)
def new() -> Answer:
    """Add a collector, who may collect from nobody yet."""
    form = read_form(ChangeForm)
    with transaction() as connection:
        books = books_of(connection)
        _offer(connection, form, books)
    if was_sent(form) and _fits(form):

        def add(connection: Connection) -> str:
            columns = {"issuer_id": books.issuer.id, **_columns(connection, form, books)}
            number = add_collector(connection, columns, actor=person().name)
            flash(gettext("Added. Now say from whom to collect."), "good")
            return url_for("collectors.show", collector_id=number)

        if (answer := _tried(form, lambda: do_once(add))) is not None:
            return answer
    return render_template("staff/collectors/form.html", form=form, one=None, books=books), status_of(form)


@pages.get("/<int:collector_id>")
@allowed(Permission.CASH_MANAGE)
def show(collector_id: int) -> str:
    """A collector: from whom, what that comes to, sessions, and the invoices that they see first."""
    key = after()
    with transaction() as connection:
        one = _known(connection, collector_id)
        form = read_form(TakeForm)
        _offer_others(connection, form, one)
        assigned = load_assigned(connection, one.id, after=int(key[0]) if key else 0, limit=_ROWS + 1)
        reach = load_reach(connection, one.id)
        sessions = load_sessions(connection, collector_id=one.id, limit=_SHOWN)
        documents = load_collectable(connection, one.id, limit=_SHOWN)
        people = [each for each in load_people(connection) if each.collector_id == one.id]
    return render_template(
        "staff/collectors/show.html",
        one=one,
        form=form,
        page=page_of(assigned, lambda each: (each.id,), rows_a_page=_ROWS),
        reach=reach,
        sessions=sessions,
        documents=documents,
        people=people,
        kinds=KINDS,
    )


@pages.route("/<int:collector_id>/change", methods=["GET", "POST"])
@allowed(Permission.CASH_MANAGE)
def change(collector_id: int) -> Answer:
    """Change who a collector is."""
    with transaction() as connection:
        one = _known(connection, collector_id)
        books = books_of(connection, one.issuer_id)
        form = read_form(ChangeForm, **_as_shown(one))
        _offer(connection, form, books)
    form.seen.data = form.seen.data or fingerprint(one)
    if was_sent(form) and _fits(form):

        def put(connection: Connection) -> str:
            hold_collectors(connection, [collector_id])
            if changed_meanwhile(form, _known(connection, collector_id)):
                raise _RefusedError
            change_collector(connection, collector_id, _columns(connection, form, books), actor=person().name)
            return url_for("collectors.show", collector_id=collector_id)

        if (answer := _tried(form, lambda: do_once(put))) is not None:
            return answer
    return render_template("staff/collectors/form.html", form=form, one=one, books=books), status_of(form)


@pages.route("/<int:collector_id>/assign", methods=["GET", "POST"])
@allowed(Permission.CASH_MANAGE)
def give(collector_id: int) -> Answer:
    """Let a collector collect from more, once it is known how many that are."""
    with transaction() as connection:
        one = _known(connection, collector_id)
        form = read_form(AssignForm)
        scopes = _scopes_typed(connection, form) if was_sent(form) else None
    if scopes is not None and not form.errors:

        def deed(connection: Connection) -> NotDone | None:
            return assign(connection, one, scopes, today=_today(connection, one), actor=person().name)

        question = gettext("Let %(name)s collect from these?", name=one.name)
        answer = _confirmed(form, (one,), deed, question, button=gettext("Assign"), tone="primary")
        if answer is not None:
            return answer
    return render_template("staff/collectors/assign.html", form=form, one=one, most=_MOST_AT_ONCE), status_of(form)


@pages.post("/<int:collector_id>/take-away")
@allowed(Permission.CASH_MANAGE)
def take(collector_id: int) -> Answer:
    """Take from a collector what was chosen, for nobody or another one, once it is known how many customers that are."""
    chosen = {int(text) for text in request.form.getlist("scope") if re.fullmatch(r"\d{1,18}", text)}
    back = url_for("collectors.show", collector_id=collector_id)
    with transaction() as connection:
        one = _known(connection, collector_id)
        form = read_form(TakeForm)
        _offer_others(connection, form, one)
        scopes = [each.scope for each in load_assigned(connection, one.id, limit=_ALL) if each.id in chosen]
        ready = was_sent(form)
        to = load_collector(connection, int(form.to.data)) if ready and form.to.data else None
    if not scopes or len(scopes) < len(chosen) or not ready:
        flash(gettext("Nothing was changed: choose from what is assigned now."), "warn")
        return redirect(back, 303)

    def deed(connection: Connection) -> NotDone | None:
        return take_away(connection, one, scopes, to=to, actor=person().name)

    question = ngettext(
        "Take %(count)s part away from %(name)s?",
        "Take %(count)s parts away from %(name)s?",
        len(scopes),
        count=len(scopes),
        name=one.name,
    )
    answer = _confirmed(form, (one, *([to] if to else [])), deed, question, button=gettext("Take them away"))
    if answer is not None:
        return answer
    flash("; ".join(form.form_errors), "bad")
    return redirect(back, 303)


class _RefusedError(Exception):
    """Nothing was written; the form says why."""


def reach_words(name: str, before: Reach, now: Reach) -> str:
    """From how many a collector collects before and after a deed, and what these owe."""
    return gettext(
        "%(name)s: customers %(before)s → %(now)s; owing %(owing_before)s → %(owing)s; open %(open_before)s → %(open)s.",
        name=name,
        before=before.customers,
        now=now.customers,
        owing_before=before.owing,
        owing=now.owing,
        open_before=_sums(before),
        open=_sums(now),
    )


def _sums(reach: Reach) -> str:
    return ", ".join(map(money_shown, reach.open)) or "0"


def _confirmed(
    form: PageForm,
    whom: Sequence[Collector],
    deed: Callable[[Connection], NotDone | None],
    question: str,
    *,
    button: str,
    tone: str = "danger",
) -> Answer | None:
    """The page with the numbers, or where the deed leads; None where it was refused, which the form says."""
    back = url_for("collectors.show", collector_id=whom[0].id)

    def done(connection: Connection) -> str:
        if (refused := deed(connection)) is not None:
            refuse(form, "", words_of(refused))
            raise _RefusedError
        return back

    if is_confirmed():
        return _tried(form, lambda: do_once(done))
    with rehearsal() as connection:
        before = [load_reach(connection, one.id) for one in whom]
        if (refused := deed(connection)) is not None:
            refuse(form, "", words_of(refused))
            return None
        does = [
            reach_words(one.name, was, load_reach(connection, one.id)) for one, was in zip(whom, before, strict=True)
        ]
    return confirm_page(form, question, does, button=button, back=back, tone=tone)


def _tried(form: PageForm, deed: Callable[[], Response]) -> Response | None:
    """What came of it, or None where nothing was written, which the form says."""
    try:
        return deed()
    except _RefusedError:
        return None
    except psycopg.errors.IntegrityError as error:
        refuse(form, "name" if error.diag.constraint_name == "collector_name_once" else "", database_words(error))
        return None


def _known(connection: Connection, collector_id: int) -> Collector:
    found = load_collector(connection, collector_id) if collector_id < 2**63 else None
    if found is None:
        raise NotFound
    return found


def _today(connection: Connection, one: Collector) -> date:
    return books_of(connection, one.issuer_id).today


def _offer(connection: Connection, form: Any, books: Books) -> None:
    codes = [code for _, code in load_series(connection, books.issuer.id, "receipt")]
    form.series.choices = [*(SelectChoice(code, code) for code in codes), SelectChoice(_OTHER_SERIES, gettext("A new one"))]  # fmt: skip
    form.most_cash.currency = books.issuer.currency


def _offer_others(connection: Connection, form: Any, one: Collector) -> None:
    others = [each for each in load_collectors(connection, issuer_id=one.issuer_id) if each.active and each.id != one.id]  # fmt: skip
    form.to.choices = [SelectChoice("", gettext("nobody")), *(SelectChoice(str(each.id), each.name) for each in others)]


def _as_shown(one: Collector) -> dict[str, Any]:
    most = None if one.most_cash is None else one.most_cash.amount
    return {"name": one.name, "series": one.series, "most_cash": most, "active": one.active}


def _fits(form: Any) -> bool:
    if form.series.data == _OTHER_SERIES and not form.code.data:
        refuse(form, "code", str(REQUIRED))
    most = form.most_cash.money()
    if most is not None and most <= zero(most.currency):
        refuse(form, "most_cash", gettext("More than nothing, or nothing typed for no limit."))
    return not form.errors


def _columns(connection: Connection, form: Any, books: Books) -> dict[str, object]:
    if form.series.data == _OTHER_SERIES:
        made = add_receipt_series(connection, books.issuer.id, form.code.data, form.name.data, actor=person().name)
        if isinstance(made, NotDone):
            refuse(form, "code", words_of(made))
            raise _RefusedError
        series = made
    else:
        series = {code: number for number, code in load_series(connection, books.issuer.id, "receipt")}[form.series.data]  # fmt: skip
    most = form.most_cash.money()
    return {
        "name": form.name.data,
        "series_id": series,
        "most_cash": None if most is None else most.amount,
        "active": form.active.data,
    }


def _scopes_typed(connection: Connection, form: Any) -> list[Scope]:
    """What was typed, part by part; what can't be meant stands beside the field."""
    kind, through = ScopeKind(form.kind.data), form.through.data
    lines = list(dict.fromkeys(line.strip() for line in (form.which.data or "").splitlines() if line.strip()))
    if kind is ScopeKind.EVERYONE:
        return [Scope(kind, None, through)]
    if not lines:
        refuse(form, "which", str(REQUIRED))
    if len(lines) > _MOST_AT_ONCE:
        refuse(form, "which", gettext("At most %(most)s at once.", most=_MOST_AT_ONCE))
        return []
    if kind is not ScopeKind.CUSTOMER:
        if any(len(line) > 100 for line in lines):
            refuse(form, "which", gettext("At most %(most)s characters a line.", most=100))
        return [Scope(kind, line, through) for line in lines]
    meant = {line: customer_meant(connection, line).id for line in lines}
    if unknown := [line for line, number in meant.items() if number is None]:
        said = ", ".join(line[:40] for line in unknown[:_SHOWN])
        refuse(form, "which", gettext("There is no customer, or more than one, for: %(lines)s", lines=said))
    return [Scope(kind, str(number), through) for number in dict.fromkeys(meant.values()) if number is not None]

"""Billing runs: asked for, looked at before they issue, confirmed with their numbers, watched, and what they could not bill.

No page waits for a run: it asks the worker for it and shows how far that is.

Next: _run_words.py
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Optional

from billing.errors import BillingError
from billing.runs.billing_run import confirm
from billing.runs.run_days import DatedAheadError, FarAheadError, check_run_days
from billing.store.acting import acting
from billing.store.due_work import Scope
from billing.store.issuers import Issuer, load_issuers
from billing.store.run_requests import (
    Act,
    RunRequest,
    ask_again,
    ask_for,
    ask_to_issue,
    load_request,
    load_request_of,
    load_waiting,
)
from billing.store.run_scopes import NoSuchPartError, check_scope
from billing.store.runs import Run, RunState, cancel_run, load_errors, load_made, load_run, load_runs
from control_plane.access.permissions import Permission
from web.acting import clock, person, transaction
from web.database import Connection
from web.forms import ONCE, REQUIRED, DayField, PageForm, do_once, read_form, refuse, status_of, was_sent
from web.language import chosen_language, day_shown, gettext, lazy, money_shown, ngettext, number_shown
from web.lists import PAGE_ROWS, after, file_of, page_of
from web.live_parts import part
from web.marks import allowed
from web.navigation import Entry
from web.staff import _run_words as words
from web.staff._customer_meant import customer_meant
from web.staff.documents import page_mark
from web.surroundings import here

pages = Blueprint("bill_runs", __name__)
ENTRIES: Final = (Entry("billing", lazy("Billing runs"), "bill_runs.list_", Permission.BILL_SEE, order=20),)
_ERRORS_SHOWN: Final = 200
_LIVE_S: Final = 1.0


class NewRun(PageForm):
    """Which part of whose contracts, of which day."""

    issuer = SelectField(lazy("Issuer"), coerce=int)
    day = DayField(lazy("Date of the documents"), [InputRequired(REQUIRED)])
    through = DayField(lazy("Bill what falls due by"), [Optional()])
    customer = StringField(lazy("Only one customer"))
    contract = IntegerField(lazy("Only one contract"), [Optional()])
    group = StringField(lazy("Only one billing group"))


@pages.get("/bill-runs")
@allowed(Permission.BILL_SEE)
def list_() -> str:
    """An issuer's runs, and what is being worked out."""
    with transaction() as connection:
        issuers = load_issuers(connection)
        issuer = _chosen_issuer(issuers)
        runs = [] if issuer is None else load_runs(connection, issuer.id, limit=PAGE_ROWS + 1, after=page_mark(after()))
        waiting = load_waiting(connection)
    return render_template(
        "staff/bill_runs/list.html",
        page=page_of(runs, lambda run: (run.run_date, run.id)),
        issuers=issuers,
        issuer=issuer,
        waiting=[one for one in waiting if one.act is Act.PREPARE],
        words=words,
    )


@pages.route("/bill-runs/new", methods=["GET", "POST"])
@allowed(Permission.BILL_RUN)
def new() -> str | Response | tuple[str, int]:
    """Ask for a run to be worked out."""
    form = read_form(NewRun)
    scope: Scope | None = None
    with transaction() as connection:
        issuers = load_issuers(connection)
        form.issuer.choices = [SelectChoice(one.id, one.name) for one in issuers]
        if request.method == "GET" and issuers:
            form.day.data = _today(connection, issuers[0])
        if was_sent(form):
            (issuer,) = (one for one in issuers if one.id == form.issuer.data)
            scope = _scope(connection, form, issuer)
    if scope is not None:
        return do_once(
            lambda own: url_for(
                "bill_runs.asked",
                number=ask_for(own, Act.PREPARE, issuer.id, form.day.data, scope, run_id=None, by=person().name),
            )
        )
    return render_template("staff/bill_runs/new.html", form=form, issuers=issuers), status_of(form)


@pages.get("/bill-runs/requests/<int:number>")
@allowed(Permission.BILL_SEE)
def asked(number: int) -> str | Response:
    """How far the worker is with what was asked for; its end leads to the run."""
    with transaction() as connection:
        found = _known_request(connection, number)
    if found.ended_at is not None and found.run_id is not None and not found.problem:
        return redirect(url_for("bill_runs.show", number=found.run_id), 303)
    return render_template("staff/bill_runs/asked.html", asked=found, words=words)


@pages.get("/bill-runs/requests/<int:number>/live")
@allowed(Permission.BILL_SEE)
def asked_live(number: int) -> Response:
    """The same while it changes."""
    key = ("billing request", chosen_language(), number)
    return here().streams.stream(
        key,
        part("staff/bill_runs/asked_live.html", lambda connection: {"asked": load_request(connection, number)}),
        interval_s=_LIVE_S,
    )


@pages.get("/bill-runs/requests/<int:number>/lead")
@allowed(Permission.BILL_SEE)
def lead(number: int) -> Response:
    """Where the page of what was asked for goes when it is done."""
    with transaction() as connection:
        found = _known_request(connection, number)
    if found.run_id is None:
        return Response(status=204)
    return Response(status=204, headers={"HX-Redirect": url_for("bill_runs.show", number=found.run_id)})


@pages.get("/bill-runs/<int:number>")
@allowed(Permission.BILL_SEE)
def show(number: int) -> str | Response:
    """One run: before it issues what it will come to, exceptions first; then what it made and could not bill."""
    with transaction() as connection:
        run = _known(connection, number)
        errors = load_errors(connection, number, limit=None if request.args.get("file") else _ERRORS_SHOWN + 1)
        made = file_of(
            f"run-{number}-errors",
            ("customer", "name", "contract", "reason"),
            ((one.customer_id, one.customer, one.contract_id, one.reason) for one in errors),
        )
        if made is not None:
            return made
        asked_for = load_request_of(connection, number)
        shown: dict[str, Any] = {
            "made": load_made(connection, number) if run.state is RunState.DONE else [],
            "preview": words.preview_of(connection, run.expected),
            "issuer": next(one for one in load_issuers(connection) if one.id == run.issuer_id),
            "stale": run.state is RunState.PREPARED and asked_for is not None and asked_for.ended_at is None,
        }
    return render_template(
        "staff/bill_runs/show.html",
        run=run,
        asked=asked_for,
        errors=errors[:_ERRORS_SHOWN],
        more_errors=len(errors) > _ERRORS_SHOWN,
        form=read_form(PageForm),
        words=words,
        **shown,
    )


@pages.get("/bill-runs/<int:number>/live")
@allowed(Permission.BILL_SEE)
def live(number: int) -> Response:
    """How far an issuing run is."""

    def look(connection: Connection) -> Mapping[str, Any]:
        return {"run": load_run(connection, number), "asked": load_request_of(connection, number)}

    key = ("billing run", chosen_language(), number)
    return here().streams.stream(key, part("staff/bill_runs/show_live.html", look), interval_s=_LIVE_S)


@pages.get("/bill-runs/<int:number>/lead")
@allowed(Permission.BILL_SEE)
def lead_to_run(number: int) -> Response:
    """Where the page of an issuing run goes when it is done: to itself, whole."""
    return Response(status=204, headers={"HX-Redirect": url_for("bill_runs.show", number=number)})


@pages.route("/bill-runs/<int:number>/issue", methods=["GET", "POST"])
@allowed(Permission.BILL_RUN)
def issue(number: int) -> str | Response | tuple[str, int]:
    """Confirm a run, with what it will issue in numbers."""
    form = read_form(PageForm)
    with transaction() as connection:
        run = _known(connection, number)
        preview = words.preview_of(connection, run.expected)
        (issuer,) = (one for one in load_issuers(connection) if one.id == run.issuer_id)
    if run.state is not RunState.PREPARED and request.method == "GET":
        return redirect(url_for("bill_runs.show", number=number), 303)
    if was_sent(form):
        try:
            return do_once(lambda connection: _issue(connection, number))
        except BillingError:
            refuse(
                form,
                "",
                gettext(
                    "It can't be issued any more: it was given up, or documents of a later day have been numbered. Work it out again."
                ),
            )
    return render_template(
        "confirm.html",
        form=form,
        question=gettext("Issue run %(number)s?", number=number),
        does=_does(run, preview, issuer),
        button=gettext("Issue them"),
        tone="primary",
        back=url_for("bill_runs.show", number=number),
        fields={},
    ), status_of(form)


@pages.post("/bill-runs/<int:number>/cancel")
@allowed(Permission.BILL_RUN)
def cancel(number: int) -> Response:
    """Give a prepared run up."""

    def give_up(connection: Connection) -> str:
        acting(connection, person().name)
        if cancel_run(connection, number):
            flash(gettext("Given up: nothing of it is issued."))
        else:
            flash(gettext("It is not waiting any more, so it was not given up."))
        return url_for("bill_runs.show", number=number)

    return do_once(give_up)


@pages.post("/bill-runs/<int:number>/again")
@allowed(Permission.BILL_RUN)
def again(number: int) -> Response:
    """Work it out again: all of the run, or for one customer or contract that could not be billed in it. Or go on issuing."""
    contract, customer = (request.form.get(name, type=int) for name in ("contract", "customer"))

    def ask(connection: Connection) -> str:
        run = _known(connection, number)
        (issuer,) = (one for one in load_issuers(connection) if one.id == run.issuer_id)
        asked_for = ask_again(
            connection,
            run,
            customer_id=customer,
            contract_id=contract,
            today=_today(connection, issuer),
            by=person().name,
        )
        if run.state is RunState.ISSUING:
            return url_for("bill_runs.show", number=number)
        return url_for("bill_runs.asked", number=asked_for)

    # A page has this form for each who could not be billed.
    key = request.form.get(ONCE)
    return do_once(ask, key=f"{key} {contract} {customer}" if key else None)


def _issue(connection: Connection, number: int) -> str:
    run = confirm(connection, _known(connection, number), by=person().name)
    if run.state is RunState.ISSUING:
        ask_to_issue(connection, run, by=person().name)
    return url_for("bill_runs.show", number=number)


def _scope(connection: Connection, form: Any, issuer: Issuer) -> Scope | None:
    """The part that is asked for, or None and what is wrong with it beside its field."""
    customer = None
    if form.customer.data:
        meant = customer_meant(connection, form.customer.data)
        if meant.id is None:
            refuse(form, "customer", gettext("No customer is called like this, or several are: give the number."))
            return None
        customer = meant.id
    through = form.through.data if form.through.data != form.day.data else None
    scope = Scope(customer, form.contract.data, form.group.data or None, through)
    try:
        check_run_days(form.day.data, through, today=_today(connection, issuer))
        check_scope(connection, issuer.id, scope)
    except DatedAheadError:
        refuse(form, "day", gettext("No document is dated ahead. To bill ahead, name below by when it falls due."))
    except FarAheadError:
        refuse(form, "through", gettext("That is more than a year ahead: each period of each contract till then."))
    except NoSuchPartError:
        field = "contract" if scope.contract_id is not None else "group"
        refuse(form, field, gettext("This issuer bills no such contract."))
    return None if form.errors else scope


def _does(run: Run, preview: words.Preview | None, issuer: Issuer) -> list[str]:
    """What issuing will do, a sentence each."""
    if preview is None:
        return []
    said = [f"{one.words}: {number_shown(one.count)} · {money_shown(one.gross)}" for one in preview.documents] or [
        gettext("No documents: nothing is due.")
    ]
    said.append(gettext("They are dated %(day)s and take the next numbers.", day=day_shown(run.run_date)))
    said.append(gettext("What is issued stays: it is corrected by credit notes alone."))
    if preview.failed:
        said.append(
            ngettext(
                "%(num)s contract can't be billed and is left out.",
                "%(num)s contracts can't be billed and are left out.",
                preview.failed,
            )
        )
    if issuer.mails_invoices:
        said.append(gettext("Customers with an e-mail address get theirs by mail."))
    return said


def _chosen_issuer(issuers: list[Issuer]) -> Issuer | None:
    wanted = request.args.get("issuer", type=int)
    return next((one for one in issuers if wanted in (None, one.id)), None)


def _today(connection: Connection, issuer: Issuer) -> date:
    return clock(connection).astimezone(ZoneInfo(issuer.zone)).date()


def _known(connection: Connection, number: int) -> Run:
    run = load_run(connection, number)
    if run is None:
        raise NotFound
    return run


def _known_request(connection: Connection, number: int) -> RunRequest:
    found = load_request(connection, number)
    if found is None:
        raise NotFound
    return found

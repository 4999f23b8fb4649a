"""Debts that are pursued: by step, tonight's cuts with their reasons, one case with all that was done in it, the log of cuts."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from billing.calendar import first_moment
from billing.dunning.evaluation import evaluate
from billing.operations.holding_back import confirm_step
from billing.operations.printing import PrintShop, load_letter_paper
from billing.papers.errors import PaperError
from billing.payments import NotDone
from billing.runs.dunning_forecast import cuts_to_come
from billing.store.customers import load_names
from billing.store.dunning_cases import load_case, load_cases, load_events
from billing.store.dunning_facts import load_accounts
from billing.store.dunning_letters import load_letters_of
from billing.store.dunning_policies import load_policies
from billing.store.promises import load_promises
from control_plane.access.permissions import Permission
from control_plane.store.cut_log import load_cuts
from web.acting import clock, person, transaction
from web.database import Connection
from web.dunning_words import LEVELS, step_words, why
from web.forms import do_once, new_key
from web.issuing import books_of
from web.language import gettext, lazy
from web.later import later_when_large
from web.lists import PAGE_ROWS, after, asked_day, chosen, file_of, page_of
from web.marks import allowed
from web.money_words import error_words, words_of
from web.navigation import Entry
from web.surroundings import here

pages = Blueprint("dunning", __name__)
ENTRIES: Final = (
    Entry("dunning", lazy("Debtors"), "dunning.show", Permission.DUNNING_SEE, order=10),
    Entry("dunning", lazy("Tonight's cuts"), "dunning.tonight", Permission.DUNNING_SEE, order=20),
    Entry("dunning", lazy("Log of cuts"), "dunning.cuts", Permission.DUNNING_SEE, order=60),
)
_FILE_PAGE: Final = 2_000
_MOST_TONIGHT: Final = 1_000
# Each debt is judged: so many open documents are felt.
_FELT: Final = 1_000
_GREATEST_ID: Final = 2**63 - 1
_HEADS: Final = (
    *(lazy("Case"), lazy("Customer"), lazy("Customer number"), lazy("Since"), lazy("Overdue"), lazy("Currency")),
    *(lazy("Last step"), lazy("On"), lazy("Line")),
)
Answer = Response | tuple[str, int] | str


@pages.get("/dunning")
@allowed(Permission.DUNNING_SEE)
def show() -> str | Response:
    """Debtors, the longest pursued first; of a step."""
    key = after()
    with transaction() as connection:
        books = books_of(connection)
        steps = _steps(connection, books.issuer.id)
        step = chosen("step", steps)
        asked: dict[str, Any] = {
            "issuer_id": books.issuer.id,
            "customer_id": _customer(),
            "cleared": request.args.get("over") == "yes",
            "step": step,
        }
        file = file_of("debtors", tuple(str(one) for one in _HEADS), _file_rows(connection, asked))
        if file is not None:
            return file
        rows = load_cases(connection, **asked, limit=PAGE_ROWS + 1, after=int(key[0]) if key else 0)
    return render_template(
        "staff/dunning/cases.html",
        page=page_of(rows, lambda row: (row.id,), rows_a_page=PAGE_ROWS),
        steps=[(one, step_words(one)) for one in steps],
        books=books,
        levels=LEVELS,
        step_words=step_words,
    )


@pages.get("/dunning/tonight")
@allowed(Permission.DUNNING_SEE)
@later_when_large("open_document", lazy("Tonight's cuts"), rows=_FELT)
def tonight() -> str:
    """Whom dunning will limit further in its next hours, and why, a line each."""
    with transaction() as connection:
        books = books_of(connection)
        zone = ZoneInfo(books.issuer.zone)
        found = []
        for one in cuts_to_come(connection, load_policies(connection)[books.issuer.id], books.now):
            found.append(one)
            if len(found) > _MOST_TONIGHT:
                break
        names = names_of(connection, (one.account.customer_id for one in found))
    rows = [
        {
            "at": one.cut.at,
            "customer_id": one.account.customer_id,
            "customer": names[one.account.customer_id],
            "contract_id": one.cut.contract_id,
            "before": one.cut.before,
            "level": one.cut.level,
            "debt": one.cut.evaluation.debt.amount,
            "why": why(one.cut.evaluation.reasons, zone),
        }
        for one in found[:_MOST_TONIGHT]
    ]
    more = len(found) > _MOST_TONIGHT
    return render_template("staff/dunning/tonight.html", rows=rows, more=more, books=books, levels=LEVELS)


@pages.get("/dunning/cases/<int:number>")
@allowed(Permission.DUNNING_SEE)
def case(number: int) -> str:
    """One case: what holds now and why, what each step waits for, all that was done and said."""
    with transaction() as connection:
        row = load_case(connection, number) if number <= _GREATEST_ID else None
        if row is None:
            abort(404)
        now = clock(connection)
        key = (row.customer_id, row.issuer_id, row.currency)
        account = next((one for one in load_accounts(connection, [row.customer_id], now) if one.key == key), None)
        events = load_events(connection, number)
        letters = load_letters_of(connection, number)
        promises = load_promises(connection, key)
    state = None
    if account is not None and row.cleared_at is None:
        found = evaluate(account.facts, account.policy, now)
        zone = account.policy.guard.zone
        state = {
            "policy": account.policy,
            "why": why(found.reasons, zone),
            "levels": found.levels,
            "waiting": [
                {
                    "code": one.code,
                    "why": why([one.reason], zone),
                    "until": one.until,
                    "confirm": _confirms(account, one),
                }
                for one in found.waiting
            ],
            "next": found.next_moment,
            "debt": found.debt.amount,
        }
    return render_template(
        "staff/dunning/case.html",
        case=row,
        state=state,
        events=events,
        letters=letters,
        new_key=new_key,
        promises=[one for one in promises if one.promise.case_id == number],
        levels=LEVELS,
        step_words=step_words,
    )


@pages.post("/dunning/cases/<int:number>/confirm")
@allowed(Permission.DUNNING_ACT)
def confirm(number: int) -> Response:
    """Let a step go that waits for a person."""
    step = request.form.get("step", "")[:40]

    def confirmed(connection: Connection) -> str:
        done = confirm_step(connection, number, step, now=clock(connection), actor=person().name)
        words = (
            words_of(done) if isinstance(done, NotDone) else gettext("It goes with the next pass that its hours allow.")
        )
        flash(words, "bad" if isinstance(done, NotDone) else "good")
        return f"/dunning/cases/{number}"

    return do_once(confirmed)


@pages.get("/dunning/cases/<int:number>/letters/<step>.pdf")
@allowed(Permission.DUNNING_SEE)
def letter(number: int, step: str) -> Response:
    """What a step wrote, as PDF: what was open that day, whatever was paid since."""
    with transaction() as connection:
        letters = load_letters_of(connection, number) if number <= _GREATEST_ID else {}
        if step not in letters:
            abort(404)
        issuer_id, paper = load_letter_paper(connection, letters[step])
    with PrintShop(here().settings.papers_dir) as shop:
        try:
            printed = shop.press(issuer_id).print(paper)
        except PaperError as error:
            abort(409, error_words(error))
    return send_file(io.BytesIO(printed), mimetype="application/pdf", download_name=f"letter-{number}-{step}.pdf")


@pages.get("/dunning/cuts")
@allowed(Permission.DUNNING_SEE)
def cuts() -> str:
    """Who was limited when and why, what they were told, what devices answered, who lifted it."""
    key = after()
    zone = here().settings.zone
    since, until = asked_day("since"), asked_day("until")
    with transaction() as connection:
        rows = load_cuts(
            connection,
            customer_id=_customer(),
            since=None if since is None else first_moment(since, zone),
            until=None if until is None else first_moment(until + timedelta(days=1), zone),
            before=(key[0], int(key[1])) if key and len(key) == 2 and isinstance(key[0], datetime) else None,
            limit=PAGE_ROWS + 1,
            zone=zone,
        )
    return render_template(
        "staff/dunning/cuts.html",
        page=page_of(rows, lambda row: (row.at, row.id), rows_a_page=PAGE_ROWS),
        levels=LEVELS,
        step_words=step_words,
    )


@pages.get("/dunning/customers/<int:number>")
@allowed(Permission.DUNNING_SEE)
def of_customer(number: int) -> Response:
    """Lead to the open case of a customer, or to the list of theirs."""
    with transaction() as connection:
        found = load_cases(connection, issuer_id=None, customer_id=number, cleared=False, step=None, limit=2)
    return redirect(f"/dunning/cases/{found[0].id}" if len(found) == 1 else f"/dunning?customer={number}&over=yes", 303)


def names_of(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """What these customers are called."""
    return load_names(connection, sorted(set(ids)))


def _confirms(account: Any, waiting: Any) -> bool:
    return any(one.code == waiting.code and one.confirm for one in account.policy.steps)


def _steps(connection: Connection, issuer_id: int) -> list[str]:
    versions = load_policies(connection)[issuer_id].versions
    return list(dict.fromkeys(step.code for one in versions for step in one.steps))


def _file_rows(connection: Connection, asked: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    last = 0
    while True:
        rows = load_cases(connection, **asked, limit=_FILE_PAGE, after=last)
        for row in rows:
            level = str(LEVELS[row.level][0]) if row.level else None
            since, on = row.opened_at.date(), row.last_at.date() if row.last_at else None
            yield (row.id, row.customer, row.customer_id, since, row.overdue, row.currency, row.last_step, on, level)
        if len(rows) < _FILE_PAGE:
            return
        last = rows[-1].id


def _customer() -> int | None:
    typed = request.args.get("customer", "")
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and int(typed) <= _GREATEST_ID):
        raise BadRequest(gettext("%(value)s is no choice here.", value=typed[:40]))
    return int(typed)

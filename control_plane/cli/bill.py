"""`corrente bill`: the billing run: what is due is previewed, confirmed and issued; stopped anywhere, it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import click
import psycopg

from billing.errors import BillingError
from billing.runs.billing_run import confirm as confirm_run
from billing.runs.billing_run import issue_run
from billing.runs.preview import look_ahead, prepare_run
from billing.runs.run_days import AHEAD, check_run_days
from billing.store.acting import acting
from billing.store.books import BookKeeper, load_book_keeper
from billing.store.due_work import Scope
from billing.store.run_scopes import check_scope
from billing.store.runs import Run, RunState, cancel_run, find_run, load_errors, load_made, load_run, load_runs
from control_plane import db
from control_plane.cli._bill_shown import (
    run_json,
    scope_words,
    show_errors,
    show_made,
    show_preview,
    show_runs,
    state_words,
    walking,
)
from control_plane.cli._books import DAY, known_customer, today_of
from control_plane.cli._console import Connection, Refused, open_database, os_user, print_json
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.settings import Settings

RUNS_SHOWN = 20
command = Group("bill", help="The billing run: preview, run, confirm; what it made, and who could not be billed.")


def _part_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What to bill, as of which day, and how to tell it."""
    for option in reversed(
        (
            click.option("--issuer", metavar="NAME", help="Whose run, where there are several issuers."),
            click.option("--date", "run_date", type=DAY, help="The documents' date; today where the issuer bills."),
            click.option("--through", type=DAY, help="Bill what falls due up to this day; the run's date by default."),
            click.option("--far-ahead", is_flag=True, help=f"Though that is more than {AHEAD.days} days ahead."),
            click.option("--customer", help="Only what this customer pays (number, reference or whole name)."),
            click.option("--contract", type=int, help="Only this contract."),
            click.option("--group", help="Only contracts of this billing group."),
            click.option("--json", "as_json", is_flag=True, help="One JSON document."),
        )
    ):
        function = option(function)
    return function


@command.command("preview")
@_part_options
@click.pass_obj
def preview(settings: Settings, /, *, as_json: bool, **part: Any) -> None:
    """Show what a run would come to now: totals, biggest changes, who can't be billed. Takes no number, writes nothing."""
    with _open(settings) as connection:
        keeper, run_date, scope = _part(connection, **part)
        with walking("Working it out", as_json=as_json) as (progress, stop):
            expected = look_ahead(connection, keeper.id, run_date=run_date, scope=scope, progress=progress, stop=stop)
    if as_json:
        print_json(expected)
        return
    show_preview(expected)


@command.command("run")
@_part_options
@click.option("--dry-run", is_flag=True, help="The preview alone.")
@click.option(
    "--prepare-only", is_flag=True, help="Leave it waiting: `corrente bill confirm` or the issuer's hours let it issue."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def run_(ctx: click.Context, /, *, as_json: bool, dry_run: bool, prepare_only: bool, yes: bool, **part: Any) -> None:
    """Bill what is due: show the preview, ask, and issue. A run that was stopped goes on where it was.

    Ctrl-C ends it after the customers in hand, whose documents are whole; the same command goes on.
    """
    if dry_run:
        ctx.invoke(preview, as_json=as_json, **part)
        return
    if as_json and not (yes or prepare_only):
        raise click.UsageError("--json asks nothing: it goes with --yes, --prepare-only or --dry-run")
    settings: Settings = ctx.obj
    with _open(settings) as connection:
        keeper, run_date, scope = _part(connection, **part)
        run = find_run(connection, keeper.id, run_date, scope)
        if run is None or run.state is not RunState.ISSUING:
            run = _prepared(connection, keeper, run_date, scope, as_json=as_json)
            if run.state is RunState.DONE:
                if not as_json:
                    click.echo("Nothing more is due.")
                _tell(connection, run, as_json=as_json)
                return
            if not as_json:
                show_preview(run.expected)
            if prepare_only:
                _tell(connection, run, as_json=as_json)
                return
            if run.expected["contracts"]:
                confirm("Issue them?", yes=yes)
        elif not as_json:
            click.echo(f"Run {run.id} of {run.run_date} goes on.")
        _issue(settings, connection, run, as_json=as_json)


@command.command("confirm")
@click.argument("number", type=int, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def confirm_(settings: Settings, number: int, *, as_json: bool) -> None:
    """Let a prepared RUN issue, and issue it; one that was stopped goes on."""
    with _open(settings) as connection:
        _issue(settings, connection, _known(connection, number), as_json=as_json)


@command.command("cancel")
@click.argument("number", type=int, metavar="RUN")
@click.pass_obj
def cancel(settings: Settings, number: int) -> None:
    """Give up a prepared RUN: nothing of it is issued."""
    with _open(settings) as connection:
        run = _known(connection, number)
        with connection.transaction():
            acting(connection, os_user())
            if not cancel_run(connection, run.id):
                raise Refused(f"run {run.id} is {state_words(run)}: only a prepared one can be cancelled")
    click.echo(f"Cancelled run {run.id} of {run.run_date}.")


@command.command("show")
@click.argument("number", type=int, metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show(settings: Settings, number: int, *, as_json: bool) -> None:
    """Show RUN: what its preview found, and what it has issued."""
    with _open(settings) as connection:
        run = _known(connection, number)
        if not as_json and run.expected:
            show_preview(run.expected)
            click.echo()
        _tell(connection, run, as_json=as_json)


@command.command("errors")
@click.argument("number", type=int, metavar="RUN", required=False)
@click.option("--issuer", metavar="NAME", help="Of its last run, where no RUN is named.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def errors(settings: Settings, number: int | None, *, issuer: str | None, as_json: bool) -> None:
    """List who could not be billed in RUN, and why; in the last one by default."""
    with _open(settings) as connection:
        if number is None:
            runs = load_runs(connection, load_book_keeper(connection, issuer).id, limit=1)
            if not runs:
                raise Refused("there is no run yet: `corrente bill run`")
            number = runs[0].id
        found = load_errors(connection, _known(connection, number).id)
    if as_json:
        print_json(found)
        return
    show_errors(found)


@command.command("list")
@click.option("--issuer", metavar="NAME", help="Whose runs, where there are several issuers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, issuer: str | None, as_json: bool) -> None:
    """List the last runs."""
    with _open(settings) as connection:
        runs = load_runs(connection, load_book_keeper(connection, issuer).id, limit=RUNS_SHOWN)
        made = {run.id: load_made(connection, run.id) for run in runs} if as_json else {}
    if as_json:
        print_json([run_json(run, made[run.id]) for run in runs])
        return
    show_runs(runs)


@contextmanager
def _open(settings: Settings) -> Iterator[Connection]:
    """A connection whose statements commit one by one, for runs have transactions of their own."""
    with open_database(settings, autocommit=True) as connection:
        try:
            yield connection
        except BillingError as error:
            raise Refused(str(error)) from error


def _part(
    connection: Connection,
    *,
    issuer: str | None,
    run_date: date | None,
    through: date | None,
    customer: str | None,
    contract: int | None,
    group: str | None,
    far_ahead: bool,
) -> tuple[BookKeeper, date, Scope]:
    payer = known_customer(connection, customer).id if customer is not None else None
    keeper = load_book_keeper(connection, issuer, customer_id=payer, contract_id=contract)
    today = today_of(keeper.zone)
    day = run_date or today
    check_run_days(day, through, today=today, far_ahead=far_ahead)
    scope = Scope(payer, contract, group, None if through == day else through)
    check_scope(connection, keeper.id, scope)
    return keeper, day, scope


def _prepared(connection: Connection, keeper: BookKeeper, run_date: date, scope: Scope, *, as_json: bool) -> Run:
    with walking("Working it out", as_json=as_json) as (progress, stop):
        return prepare_run(
            connection, keeper.id, run_date=run_date, scope=scope, by=os_user(), progress=progress, stop=stop
        )


def _issue(settings: Settings, connection: Connection, run: Run, *, as_json: bool) -> None:
    """Confirm and issue, and tell what came of it."""
    with connection.transaction():
        run = confirm_run(connection, run, by=os_user())
    conninfo = settings.conninfo("corrente")
    with walking("Issuing", as_json=as_json) as (progress, stop):
        try:
            tally = issue_run(
                lambda: db.connect(conninfo, name="billing run", autocommit=True),
                run,
                made_by=os_user(),
                progress=progress,
                stop=stop,
            )
        except psycopg.OperationalError as error:
            # Batches before this one are committed: it would be wrong to say that nothing was changed.
            raise Refused(
                f"the database ended the run: {str(error).strip().splitlines()[0]}\nWhat was issued is whole and stays;"
                f" `corrente bill confirm {run.id}` goes on"
            ) from error
    now = _known(connection, run.id)
    if now.state is RunState.ISSUING:
        raise Refused(
            f"stopped: {tally.payers:,} customers are billed whole, the others not at all; `corrente bill confirm {run.id}` goes on"
        )
    _tell(connection, now, as_json=as_json)


def _tell(connection: Connection, run: Run, *, as_json: bool) -> None:
    made, found = load_made(connection, run.id), load_errors(connection, run.id)
    if as_json:
        print_json(run_json(run, made, found))
        return
    click.echo(f"Run {run.id} of {run.run_date} ({scope_words(run)}) is {state_words(run)}.")
    if run.state is not RunState.PREPARED:
        show_made(made, errors=len(found))
    else:
        click.echo(f"`corrente bill confirm {run.id}` issues it, `corrente bill cancel {run.id}` gives it up.")


def _known(connection: Connection, number: int) -> Run:
    run = load_run(connection, number)
    if run is None:
        raise Refused(f"there is no run {number}: `corrente bill list` shows them")
    return run

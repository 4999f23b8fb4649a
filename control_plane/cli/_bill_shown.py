"""How runs, their previews and what came of them stand on a terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from billing.runs.walk import Progress
from billing.store.runs import Made, Run, RunError
from control_plane.cli._console import print_table

# The rest of a long list is in --json and in `corrente bill errors`.
ROWS_SHOWN: Final = 20
_KINDS: Final = {"invoice": "invoices", "credit_note": "credit notes"}
_KIND: Final = {"invoice": "invoice", "credit_note": "credit note"}


@contextmanager
def walking(what: str, *, as_json: bool) -> Iterator[tuple[Callable[[Progress], None], threading.Event]]:
    """A bar on a terminal's standard error, and an event that Ctrl-C sets; a second one ends the program where it is."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    stop = threading.Event()

    def interrupted(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        click.echo("\nStopping after the customers in hand …", err=True)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        with Bar(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done: bar.update(task, completed=done.payers, total=done.of), stop
    finally:
        signal.signal(signal.SIGINT, before)


def show_preview(expected: Mapping[str, Any]) -> None:
    """What a run will come to."""
    documents = expected["documents"]
    click.echo(
        f"{expected['contracts']:,} contracts of {expected['customers']:,} customers: {expected['charges']:,} new charges"
        + (f", {expected['waiting']:,} wait for the next document" if expected["waiting"] else "")
        + (f", {expected['covered']:,} come to nothing" if expected["covered"] else "")
    )
    print_table(
        ("DOCUMENTS", "NUMBER OF THEM", "NET", "TAX", "GROSS", "CURRENCY"),
        (
            (_KINDS[one["kind"]], f"{one['count']:,}", one["net"], one["tax"], one["gross"], one["currency"])
            for one in documents
        ),
        empty="No documents.",
    )
    lines = expected.get("lines", ())
    _part(
        "Lines, without tax",
        ("ON", "CUSTOMER", "CONTRACT", "WHAT", "FROM", "UNTIL", "NET", "CURRENCY"),
        [(_KIND[one["kind"]], *(one[name] for name in ("customer", "contract", "text", "from", "until", "net", "currency"))) for one in lines],
        of=len(lines),
    )  # fmt: skip
    _part(
        "Biggest changes against the last time",
        ("CONTRACT", "CUSTOMER", "BEFORE", "NOW", "CURRENCY"),
        [(one["contract"], one["customer"], one["before"], one["now"], one["currency"]) for one in expected["changes"]],
        of=len(expected["changes"]),
    )
    _part(
        "Can't be billed",
        ("CUSTOMER", "CONTRACT", "WHY"),
        [(one["customer"], one["contract"], one["reason"]) for one in expected["failures"]],
        of=expected["failed"],
    )
    unbilled = expected["unbilled"]
    _part(
        "Active, and nothing of them will ever fall due",
        ("CONTRACT", "CUSTOMER", "WHY"),
        [(one["contract"], one["customer"], one["reason"]) for one in unbilled["contracts"]],
        of=unbilled["count"],
    )


def show_made(made: Sequence[Made], *, errors: int) -> None:
    """What a run has issued."""
    print_table(
        ("ISSUED", "NUMBER OF THEM", "NET", "TAX", "GROSS", "CURRENCY"),
        ((_KINDS[one.kind], f"{one.documents:,}", one.net, one.tax, one.gross, one.currency) for one in made),
        empty="No documents.",
    )
    if errors:
        click.echo(f"{errors:,} could not be billed: `corrente bill errors` says why.")


def show_runs(runs: Sequence[Run]) -> None:
    """Runs, a line each."""
    print_table(
        ("RUN", "OF", "WHAT", "STATE", "DOCUMENTS EXPECTED", "STARTED BY", "CONFIRMED BY", "ENDED"),
        (
            (
                run.id,
                run.run_date,
                scope_words(run),
                state_words(run),
                f"{sum(one['count'] for one in run.expected.get('documents', ())):,}",
                run.started_by,
                run.confirmed_by,
                run.ended_at and f"{run.ended_at:%Y-%m-%d %H:%M}Z",
            )
            for run in runs
        ),
        empty="There is no run yet: `corrente bill run`.",
    )


def show_errors(errors: Sequence[RunError]) -> None:
    """Who was not billed, and why."""
    print_table(
        ("CUSTOMER", "NAME", "CONTRACT", "WHY"),
        ((one.customer_id, one.customer, one.contract_id, one.reason) for one in errors),
        empty="Everybody was billed.",
    )


def run_json(run: Run, made: Sequence[Made] = (), errors: Sequence[RunError] = ()) -> dict[str, Any]:
    """A run as one JSON object."""
    return {
        "id": run.id,
        "run_date": run.run_date,
        "through": run.through,
        "customer": run.scope.customer_id,
        "contract": run.scope.contract_id,
        "group": run.scope.billing_group,
        "state": run.state,
        "started_by": run.started_by,
        "started_at": run.started_at,
        "issue_after": run.issue_after,
        "confirmed_by": run.confirmed_by,
        "confirmed_at": run.confirmed_at,
        "ended_at": run.ended_at,
        "expected": dict(run.expected),
        "issued": list(made),
        "errors": list(errors),
    }


def state_words(run: Run) -> str:
    """How far a run is, as a person says it."""
    if run.state == "prepared":
        at = f", issues by itself at {run.issue_after:%Y-%m-%d %H:%M}Z" if run.issue_after is not None else ""
        return f"prepared, waits to be confirmed{at}"
    return str(run.state)


def scope_words(run: Run) -> str:
    """Which part a run is of."""
    scope = run.scope
    parts = [
        f"customer {scope.customer_id}" if scope.customer_id is not None else "",
        f"contract {scope.contract_id}" if scope.contract_id is not None else "",
        f"group {scope.billing_group}" if scope.billing_group is not None else "",
        f"through {scope.through}" if scope.through is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "everything"


def _part(title: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]], *, of: int) -> None:
    if not rows:
        return
    click.echo(f"\n{title}" + (f" ({min(len(rows), ROWS_SHOWN)} of {of:,})" if of > ROWS_SHOWN else "") + ":")
    print_table(columns, rows[:ROWS_SHOWN], empty="")

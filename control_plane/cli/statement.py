"""`corrente statement`: a customer's account with every document and entry, and the balance after each."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click

from billing.operations.printing import load_statement_paper
from billing.reports import StatementRow
from billing.store import reports
from control_plane.cli._console import Connection
from control_plane.cli._ledger_reports import PERIOD, asked_of
from control_plane.cli._print import print_to
from control_plane.cli._report_output import SPAN, Output, Span, report_options, show_report, today_for
from control_plane.settings import Settings


@click.command()
@click.argument("customer")
@click.option("--period", type=SPAN, help=f"{PERIOD}all of it by default.")
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), help="Print it to this file, to hand out.")
@report_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    customer: str,
    *,
    period: Span | None,
    pdf: Path | None,
    issuer: str | None,
    **options: Any,
) -> None:
    """The account of CUSTOMER (number, reference or whole name): what it owes is above zero.

    A period begins with the balance before it. The last balance is the ledger's.
    """
    with asked_of(settings, issuer, options, customer=customer) as asked:
        if pdf is not None and asked.output != Output():
            raise click.UsageError("one of --pdf, --json, --csv and --xlsx at a time")
        who = asked.customer
        assert who is not None, "it is named"
        until = today_for(asked.keeper)
        if pdf is not None:
            _print(settings, asked.connection, asked.keeper.id, who.id, span=period, today=until, file=pdf)
            return
        span = period or Span(date(1990, 1, 1), until)
        rows = list(
            reports.stream_statement(asked.connection, asked.keeper.id, who.id, since=span.since, until=span.until)
        )
        if period is None:
            # Before everything there was nothing.
            rows = [row for row in rows if row.entry is not None]
        balances = {row.currency: row.balance for row in rows}
        below = "; ".join(
            f"{who.name} {'owes' if amount > 0 else 'has a credit of' if amount < 0 else 'owes nothing, balance'} {abs(amount)} {currency}"
            for currency, amount in balances.items()
        )
        empty = f"{who.name} has no documents or entries with {asked.keeper.name} up to {span.until}."
        show_report(asked.output, "statement", StatementRow, rows, empty=empty, below=f"{below} on {span.until}.")


def _print(
    settings: Settings,
    connection: Connection,
    issuer_id: int,
    customer_id: int,
    *,
    span: Span | None,
    today: date,
    file: Path,
) -> None:
    paper = load_statement_paper(
        connection,
        issuer_id=issuer_id,
        customer_id=customer_id,
        since=span.since if span else None,
        until=span.until if span else today,
    )
    print_to(settings, issuer_id, paper, file)

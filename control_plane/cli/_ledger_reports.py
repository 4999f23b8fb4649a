"""`corrente ledger journal`, `card`, `trial-balance`, `vat`, `deferred`, `turnover`, `open`, `ageing` and `export`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from billing.errors import BillingError
from billing.export import Sheet, sheet_of
from billing.reports import AgeingRow, CardRow, JournalRow, OpenRow, TrialBalanceRow
from billing.store import books, reports, turnover
from billing.store.customers import Customer
from billing.store.deferred_revenue import DeferredRevenueRow, stream_deferred_revenue
from billing.store.ledger import load_registers
from control_plane.cli._books import DAY, known_customer
from control_plane.cli._console import Connection, Refused, open_database, unknown
from control_plane.cli._ledger_accounts import known_account_of
from control_plane.cli._report_output import (
    SPAN,
    Output,
    Span,
    output_of,
    report_options,
    show_report,
    this_month,
    this_year,
    today_for,
    write_file,
)
from control_plane.settings import Settings

PERIOD = "2026, 2026-Q1, 2026-03, 2026-03-05 or 2026-03-05..2026-04-30; "
GROUPINGS = ("month", "category", "product", "account")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a report command was asked for: connection, whose books, where it goes, and of which customer alone."""

    connection: Connection
    keeper: books.BookKeeper
    output: Output
    customer: Customer | None = None


@contextmanager
def asked_of(
    settings: Settings, issuer: str | None, options: dict[str, Any], *, customer: str | None = None
) -> Iterator[_Asked]:
    """Reads from one state of the database; what billing refuses ends the command with its words.

    Where a customer is named, the books are those that it is in; where it is in several, --issuer says which.
    """
    output = output_of(options)
    with open_database(settings) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            who = None if customer is None else known_customer(connection, customer)
            keeper = books.load_book_keeper(connection, issuer, customer_id=None if who is None else who.id)
            yield _Asked(connection, keeper, output, who)
        except BillingError as error:
            raise Refused(str(error)) from error


@click.command("journal")
@click.option("--period", type=SPAN, help=f"{PERIOD}this month by default.")
@click.option("--by-hand", is_flag=True, help="Without the entries of documents.")
@report_options
@click.pass_obj
def journal(settings: Settings, /, *, period: Span | None, by_hand: bool, issuer: str | None, **options: Any) -> None:
    """Every posting in order of its day, with document, text and evidence."""
    with asked_of(settings, issuer, options) as asked:
        span = period or this_month(asked.keeper)
        rows = reports.stream_journal(
            asked.connection, asked.keeper.id, since=span.since, until=span.until, by_hand=by_hand
        )
        show_report(asked.output, "journal", JournalRow, rows, empty=_nothing("posted", span))


@click.command("card")
@click.argument("code")
@click.option("--period", type=SPAN, help=f"{PERIOD}this year by default.")
@report_options
@click.pass_obj
def card(settings: Settings, /, code: str, *, period: Span | None, issuer: str | None, **options: Any) -> None:
    """What moved on account CODE, with a running balance."""
    with asked_of(settings, issuer, options) as asked:
        span = period or this_year(asked.keeper)
        account = known_account_of(asked.connection, asked.keeper, code)
        rows = reports.stream_card(asked.connection, asked.keeper.id, account.id, since=span.since, until=span.until)
        show_report(asked.output, f"account {code}", CardRow, rows, empty=_nothing("posted", span))


@click.command("trial-balance")
@click.option("--at", "day", type=DAY, help="At the end of this day; today by default.")
@click.option("--period", type=SPAN, help=f"What moved in it, and what stood before: {PERIOD}instead of --at.")
@report_options
@click.pass_obj
def trial_balance(
    settings: Settings, /, *, day: date | None, period: Span | None, issuer: str | None, **options: Any
) -> None:
    """What stands on each account; debits and credits of all together are equal."""
    if day is not None and period is not None:
        raise click.UsageError("--at or --period, not both")
    with asked_of(settings, issuer, options) as asked:
        until = period.until if period else day or today_for(asked.keeper)
        since = period.since if period else None
        rows = list(reports.stream_trial_balance(asked.connection, asked.keeper.id, since=since, until=until))
        sums = _by_currency((row.currency, row.debit - row.credit + row.opening) for row in rows)
        off = {currency: amount for currency, amount in sums.items() if amount}
        if off:
            raise Refused(f"the accounts do not sum to nothing but to {off}: run `corrente ledger check`")
        show_report(
            asked.output,
            "trial balance",
            TrialBalanceRow,
            rows,
            empty=f"Nothing was posted up to {until}.",
            below=f"At the end of {until}; all accounts together: 0.",
        )


@click.command("vat")
@click.option("--period", type=SPAN, help=f"{PERIOD}this month by default.")
@click.option("--register", metavar="CODE", help="Only this register.")
@click.option("--sums", is_flag=True, help="The liquidation: sums by liability and rate, instead of each document.")
@report_options
@click.pass_obj
def vat(
    settings: Settings, /, *, period: Span | None, register: str | None, sums: bool, issuer: str | None, **options: Any
) -> None:
    """The VAT register: a row a document and rate, or with --sums what the period owes."""
    with asked_of(settings, issuer, options) as asked:
        span = period or this_month(asked.keeper)
        registers = {one.code for one in load_registers(asked.connection, asked.keeper.id) if one.kind.is_booked}
        if register is not None and register not in registers:
            raise unknown("register of invoices or credit notes", register, registers)
        facts: dict[str, Any] = {"since": span.since, "until": span.until, "register": register}
        if not sums:
            rows = turnover.stream_vat_register(asked.connection, asked.keeper.id, **facts)
            show_report(asked.output, "VAT register", turnover.VatRow, rows, empty=_nothing("invoiced", span))
            return
        owed = list(turnover.stream_vat_sums(asked.connection, asked.keeper.id, **facts))
        together = _by_currency((row.currency, row.tax_due) for row in owed)
        below = "Owed for the period: " + ", ".join(f"{amount} {currency}" for currency, amount in together.items())
        left = _by_currency((row.currency, row.tax_not_due) for row in owed if row.tax_not_due)
        if left:
            below += f"; deferred and not paid by {span.until}: " + ", ".join(f"{a} {of}" for of, a in left.items())
        show_report(asked.output, "VAT", turnover.VatSum, owed, empty=_nothing("invoiced", span), below=below)


@click.command("deferred")
@click.option("--at", "day", type=DAY, help="At the end of this day; today by default.")
@report_options
@click.pass_obj
def deferred(settings: Settings, /, *, day: date | None, issuer: str | None, **options: Any) -> None:
    """What was invoiced of days still to come, by revenue account and product: revenue to put off at a balance's day."""
    with asked_of(settings, issuer, options) as asked:
        at = day or today_for(asked.keeper)
        rows = list(stream_deferred_revenue(asked.connection, asked.keeper.id, at=at))
        together = _by_currency((row.currency, row.deferred) for row in rows)
        below = f"Of days after {at}: " + ", ".join(f"{amount} {currency}" for currency, amount in together.items())
        empty = f"Nothing was invoiced up to {at} of days after it."
        show_report(asked.output, "deferred revenue", DeferredRevenueRow, rows, empty=empty, below=below)


@click.command("turnover")
@click.option("--period", type=SPAN, help=f"{PERIOD}this year by default.")
@click.option(
    "--by",
    "grouping",
    multiple=True,
    type=click.Choice(GROUPINGS),
    help="What to tell apart; month, category and product by default. Repeat.",
)
@report_options
@click.pass_obj
def turnover_(
    settings: Settings, /, *, period: Span | None, grouping: tuple[str, ...], issuer: str | None, **options: Any
) -> None:
    """What was sold, by month, category and product; it is the ledger's to the cent, or the command says that it is not."""
    with asked_of(settings, issuer, options) as asked:
        span = period or this_year(asked.keeper)
        facts: dict[str, Any] = {"since": span.since, "until": span.until}
        rows = list(turnover.stream_turnover(asked.connection, asked.keeper.id, **facts))
        ledger = list(turnover.stream_ledger_turnover(asked.connection, asked.keeper.id, **facts))
        sold = _by_currency((row.currency, row.net) for row in rows)
        booked = _by_currency((row.currency, row.net) for row in ledger)
        if sold != booked:
            raise Refused(f"documents come to {sold} and the ledger to {booked}: run `corrente ledger check`")
        together = ", ".join(f"{amount} {currency}" for currency, amount in sold.items())
        show_report(
            asked.output,
            "turnover",
            turnover.TurnoverRow,
            _grouped(rows, set(grouping) or set(GROUPINGS)),
            empty=_nothing("sold", span),
            below=f"Together {together}, as the ledger says.",
        )


@click.command("open")
@click.option("--customer", metavar="CUSTOMER", help="Only this customer's: number, reference or name.")
@click.option("--overdue", is_flag=True, help="Only what should have been paid before today.")
@report_options
@click.pass_obj
def open_(settings: Settings, /, *, customer: str | None, overdue: bool, issuer: str | None, **options: Any) -> None:
    """What is not settled, the oldest due day first."""
    with asked_of(settings, issuer, options, customer=customer) as asked:
        rows = reports.stream_open(
            asked.connection,
            asked.keeper.id,
            today=today_for(asked.keeper),
            customer_id=None if asked.customer is None else asked.customer.id,
            overdue=overdue,
        )
        empty = "Nothing is overdue." if overdue else "Nothing is open."
        show_report(asked.output, "open documents", OpenRow, rows, empty=empty)


@click.command("ageing")
@click.option("--customer", metavar="CUSTOMER", help="Only this customer's: number, reference or name.")
@report_options
@click.pass_obj
def ageing(settings: Settings, /, *, customer: str | None, issuer: str | None, **options: Any) -> None:
    """What each customer has open, by how many days it is over its due day."""
    with asked_of(settings, issuer, options, customer=customer) as asked:
        rows = reports.stream_ageing(
            asked.connection,
            asked.keeper.id,
            today=today_for(asked.keeper),
            customer_id=None if asked.customer is None else asked.customer.id,
        )
        show_report(asked.output, "ageing", AgeingRow, rows, empty="Nothing is open.")


@click.command("export")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--period", type=SPAN, required=True, help=PERIOD.removesuffix("; ") + ".")
@click.option("--format", "kind", type=click.Choice(("csv", "xlsx")), default="xlsx", help="XLSX by default.")
@click.option("--issuer", metavar="NAME", help="Whose books, where there are several issuers.")
@click.pass_obj
def export(settings: Settings, directory: Path, *, period: Span, kind: str, issuer: str | None) -> None:
    """Write all reports of a period into DIRECTORY, a file each; the same books give the same bytes."""
    options = {"as_json": False, "csv_file": None, "xlsx_file": None}
    with asked_of(settings, issuer, options) as asked:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"can't make {directory}: {error.strerror}") from error
        for sheet in _sheets(asked, period):
            path = directory / f"{sheet.name.replace(' ', '-').lower()}.{kind}"
            click.echo(f"{write_file(path, [sheet])} rows in {path}")


def _sheets(asked: _Asked, span: Span) -> Iterator[Sheet]:
    connection, number = asked.connection, asked.keeper.id
    facts: dict[str, Any] = {"since": span.since, "until": span.until}
    today = today_for(asked.keeper)
    yield sheet_of("journal", JournalRow, reports.stream_journal(connection, number, **facts))
    balance = reports.stream_trial_balance(connection, number, **facts)
    yield sheet_of("trial balance", TrialBalanceRow, balance)
    yield sheet_of("VAT register", turnover.VatRow, turnover.stream_vat_register(connection, number, **facts))
    yield sheet_of("VAT", turnover.VatSum, turnover.stream_vat_sums(connection, number, **facts))
    yield sheet_of("turnover", turnover.TurnoverRow, turnover.stream_turnover(connection, number, **facts))
    put_off = stream_deferred_revenue(connection, number, at=span.until)
    yield sheet_of("deferred revenue", DeferredRevenueRow, put_off)
    yield sheet_of("open documents", OpenRow, reports.stream_open(connection, number, today=today))
    yield sheet_of("ageing", AgeingRow, reports.stream_ageing(connection, number, today=today))


def _grouped(rows: list[turnover.TurnoverRow], told: set[str]) -> list[turnover.TurnoverRow]:
    """Rows that differ only in what is not told apart become one, without that."""
    sums: dict[turnover.TurnoverRow, Decimal] = {}
    for row in rows:
        key = replace(
            row,
            net=Decimal(0),
            month=row.month if "month" in told else None,
            category=row.category if "category" in told else None,
            product=row.product if "product" in told else None,
            account=row.account if "account" in told else None,
            account_name=row.account_name if "account" in told else None,
        )
        sums[key] = sums.get(key, Decimal(0)) + row.net
    return [replace(key, net=net) for key, net in sums.items()]


def _by_currency(amounts: Iterator[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Sums that are never across currencies."""
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        sums[currency] = sums.get(currency, Decimal(0)) + amount
    return sums


def _nothing(done: str, span: Span) -> str:
    return f"Nothing was {done} from {span.since} to {span.until}."

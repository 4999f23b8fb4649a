"""`corrente ledger`: the books: accounts, entries by hand, closing, reports, exports and the check of everything."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import click

from billing.chart import NotTaken
from billing.ledger import HandEntry, Wish, decide_correction, decide_entry, first_open_day
from billing.store import books
from control_plane.cli._books import CURRENCY, DAY, DECIMAL, known_customer, open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._ledger_accounts import accounts
from control_plane.cli._ledger_check import check
from control_plane.cli._ledger_reports import (
    ageing,
    card,
    deferred,
    export,
    journal,
    open_,
    trial_balance,
    turnover_,
    vat,
)
from control_plane.cli._options import confirm
from control_plane.cli._report_output import today_for
from control_plane.settings import Settings

command = Group("ledger", help="The books: accounts, entries by hand, closing, reports, exports and the check.")
for part in (accounts, journal, card, trial_balance, vat, deferred, turnover_, open_, ageing, export, check):
    command.add_command(part)


@command.command("entry")
@keyed
@click.option("--text", default="", help="What it is; an entry by hand says so.")
@click.option("--date", "dated", type=DAY, help="Its day; today by default.")
@click.option("--evidence", help="What proves it, such as a bank statement and its page.")
@click.option("--debit", "debits", nargs=2, multiple=True, metavar="ACCOUNT AMOUNT", help="Such as 6500 12.50; repeat.")
@click.option(
    "--credit", "credits_", nargs=2, multiple=True, metavar="ACCOUNT AMOUNT", help="1500/17 is customer 17's."
)
@click.option("--corrects", type=int, metavar="ENTRY", help="Take this entry back, whole, instead of giving amounts.")
@click.option("--currency", type=CURRENCY, help="The issuer's by default.")
@click.option("--issuer", metavar="NAME", help="Whose books, where there are several issuers.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def entry_(
    settings: Settings,
    *,
    text: str,
    dated: date | None,
    evidence: str | None,
    debits: tuple[tuple[str, str], ...],
    credits_: tuple[tuple[str, str], ...],
    corrects: int | None,
    currency: str | None,
    issuer: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write an entry by hand, over as many accounts as it takes, or take one back with --corrects.

    Debits and credits are equal. What was written is never changed: a mistake is taken back and written again.
    """
    if corrects is not None and (debits or credits_ or evidence or currency):
        raise click.UsageError("--corrects takes a whole entry back: it goes with --text and --date alone")
    with open_books(settings) as connection:
        keeper = books.load_book_keeper(connection, issuer)
        today = today_for(keeper)
        closed = books.load_closed(connection, keeper.id)
        if corrects is not None:
            booked = books.load_booked(connection, keeper.id, corrects)
            if booked is None:
                raise Refused(f"there is no entry {corrects} in the books of {keeper.name}")
            wanted = decide_correction(booked, dated=dated or today, note=text, closed=closed, today=today)
        else:
            wanted = decide_entry(
                _wishes(connection, debits, credits_),
                {account.code: account for account in books.load_chart(connection, keeper.id)},
                dated=dated or today,
                currency=(currency or keeper.currency).upper(),
                note=text,
                closed=closed,
                today=today,
                evidence=evidence,
            )
        if isinstance(wanted, NotTaken):
            raise Refused(wanted.message)
        number = None if dry_run else books.write_entry(connection, keeper.id, wanted, made_by=os_user())
        _tell_entry(connection, keeper, wanted, number, as_json=as_json)


def _wishes(
    connection: Connection, debits: tuple[tuple[str, str], ...], credits_: tuple[tuple[str, str], ...]
) -> list[Wish]:
    """The legs as they were typed: ACCOUNT, or ACCOUNT/CUSTOMER by number, reference or name, with an amount above zero."""
    wishes = []
    for sign, legs in ((1, debits), (-1, credits_)):
        for place, text in legs:
            amount: Decimal = DECIMAL.convert(text, None, None)
            if amount <= 0:
                raise click.UsageError(f"{place} {text}: amounts are above zero; --debit and --credit say which side")
            code, _, customer = place.partition("/")
            wishes.append(Wish(code, sign * amount, known_customer(connection, customer).id if customer else None))
    return wishes


def _tell_entry(
    connection: Connection, keeper: books.BookKeeper, entry: HandEntry, number: int | None, *, as_json: bool
) -> None:
    codes = {account.id: account for account in books.load_chart(connection, keeper.id)}
    legs = [
        {
            "account": codes[leg.account_id].code,
            "account_name": codes[leg.account_id].name,
            "customer": leg.customer_id,
            "debit": leg.amount.amount if leg.amount.minor > 0 else None,
            "credit": -leg.amount.amount if leg.amount.minor < 0 else None,
        }
        for leg in entry.legs
    ]
    if as_json:
        print_json(
            {
                "entry": number,
                "dated": entry.dated,
                "text": entry.note,
                "evidence": entry.evidence,
                "corrects": entry.corrects_id,
                "currency": entry.currency,
                "postings": legs,
            }
        )
        return
    said = "Would write" if number is None else f"Entry {number}"
    back = "" if entry.corrects_id is None else f", which takes entry {entry.corrects_id} back"
    click.echo(f"{said} of {entry.dated}: {entry.note}{back} ({entry.currency})")
    print_table(tuple(legs[0]), (tuple(leg.values()) for leg in legs), empty="")


@command.command("close")
@click.option("--through", required=True, type=DAY, help="The last day to close; all open days before it close too.")
@click.option("--despite-unfinished", is_flag=True, help="Close although something of these days still waits.")
@click.option("--issuer", metavar="NAME", help="Whose books, where there are several issuers.")
@click.option("--dry-run", is_flag=True, help="Show what is unfinished and what would close, close nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def close(
    settings: Settings, *, through: date, despite_unfinished: bool, issuer: str | None, dry_run: bool, yes: bool
) -> None:
    """Close days for good: nothing is posted on them any more. What is unfinished is shown first."""
    with open_books(settings) as connection:
        keeper = books.load_book_keeper(connection, issuer)
        unfinished = books.load_unfinished(connection, keeper.id, through)
        print_table(
            ("unfinished", "how many", "for example", "what to do"),
            ((one.what, one.count, one.example, one.remedy) for one in unfinished),
            empty=f"Nothing of {keeper.name} up to {through} is unfinished.",
        )
        if not dry_run:
            if unfinished and not despite_unfinished:
                raise Refused(
                    f"up to {through} something is unfinished: finish it, or close with --despite-unfinished."
                    " What is closed takes no more entries"
                )
            confirm(f"Close all days of {keeper.name} up to {through}? It can't be undone.", yes=yes)
        closed = books.close_through(
            connection,
            keeper.id,
            through,
            today=today_for(keeper),
            closed_by=os_user(),
            despite_unfinished=despite_unfinished or dry_run,
        )
        if isinstance(closed, NotTaken):
            raise Refused(closed.message)
        if dry_run:
            connection.rollback()
            click.echo(f"Would close {closed.start} to {books.last_day(closed)}.")
            return
    free = first_open_day([closed], closed.start)
    click.echo(f"Closed {closed.start} to {books.last_day(closed)}; entries are dated {free} or later.")

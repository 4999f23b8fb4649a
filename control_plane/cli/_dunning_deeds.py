"""`corrente dunning`: what people say to it: exclusions, disputes, plans, confirmations, deliveries, a look now."""

from __future__ import annotations

import mimetypes
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from billing.calendar import billing_day
from billing.documents import Due
from billing.money import read_money
from billing.operations.holding_back import (
    NewExclusion,
    NewPlan,
    agree_plan,
    close_dispute,
    confirm_step,
    end_exclusion,
    end_plan,
    exclude,
    notice_delivered,
    open_dispute,
)
from billing.payments import NotDone
from billing.store.holding_back import load_open_invoice
from billing.store.issued import find_document
from billing.store.issuers import load_issuers
from control_plane.cli._books import DAY, DECIMAL, known_customer, open_books, read_day, read_decimal, today_of
from control_plane.cli._console import Connection, Refused, open_database, os_user
from control_plane.cli._keyed import keyed
from control_plane.jobs.dunning import dunning
from control_plane.settings import Settings

_REASON = click.option("--reason", required=True, help="Why, in a few words.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would come of it; write nothing.")
# Bills of a provider's letter shop and scans of return receipts are smaller.
_LARGEST_FILE: Final = 20_000_000


@click.command("exclude")
@keyed
@click.option("--customer", help="Who: number, reference or whole name.")
@click.option("--contract", "contract_id", type=int, help="One contract alone.")
@click.option("--essential", is_flag=True, help="An essential service: told of the debt, never limited.")
@click.option("--not-before", is_flag=True, help="Neither limit nor fee before --until; notices go on.")
@click.option("--from", "since", type=DAY, help="First day; today.")
@click.option("--until", type=DAY, help="First day on which it isn't any more; without it, for good.")
@_REASON
@_DRY_RUN
@click.pass_obj
def exclude_(
    settings: Settings,
    /,
    *,
    customer: str | None,
    contract_id: int | None,
    since: date | None,
    dry_run: bool,
    **typed: Any,
) -> None:
    """Leave a customer or a contract alone: what dunning limits there is open at once, and nothing new is done."""
    if (customer is None) == (contract_id is None):
        raise click.UsageError("either --customer or --contract")
    if typed["essential"] and typed["not_before"]:
        raise click.UsageError("either --essential or --not-before")
    kind = "essential" if typed["essential"] else "not_before" if typed["not_before"] else "whitelist"
    with open_books(settings) as connection:
        wanted = NewExclusion(
            kind=kind,
            reason=typed["reason"],
            since=since or _today(connection),
            until=typed["until"],
            customer_id=None if customer is None else known_customer(connection, customer).id,
            contract_id=contract_id,
        )
        number = _done(exclude(connection, wanted, now=datetime.now(UTC), actor=os_user()))
        _rolled_back(connection, dry_run)
    until = f"until {wanted.until}" if wanted.until else "for good"
    click.echo(f"Exclusion {number} {until}; `corrente dunning include {number} --reason …` ends it.")


@click.command("include")
@keyed
@click.argument("number", type=int)
@_REASON
@click.pass_obj
def include(settings: Settings, number: int, *, reason: str) -> None:
    """End exclusion NUMBER: from the next pass on debts are pursued again."""
    with open_books(settings) as connection:
        _done(end_exclusion(connection, number, reason=reason, now=datetime.now(UTC), actor=os_user()))
    click.echo(f"Exclusion {number} is over.")


@click.command("dispute")
@keyed
@click.argument("invoice")
@click.option("--amount", type=DECIMAL, help="How much of it; all that is open, if not said.")
@_REASON
@_DRY_RUN
@click.pass_obj
def dispute(settings: Settings, invoice: str, *, amount: Decimal | None, reason: str, dry_run: bool) -> None:
    """The invoice of that printed number is contested: that much is no debt until `resolve`."""
    with open_books(settings) as connection:
        document = find_document(connection, invoice)
        known = load_open_invoice(connection, document)
        if known is None:
            raise Refused(f"{invoice} has nothing open")
        money = None if amount is None else read_money(amount, known.open.currency)
        number = _done(open_dispute(connection, document, money, reason=reason, now=datetime.now(UTC), actor=os_user()))
        _rolled_back(connection, dry_run)
    click.echo(f"Dispute {number}; `corrente dunning resolve {number} --outcome …` closes it.")


@click.command("resolve")
@keyed
@click.argument("number", type=int)
@click.option("--outcome", required=True, help="What came of it: a credit note is written besides.")
@click.pass_obj
def resolve(settings: Settings, number: int, *, outcome: str) -> None:
    """Close dispute NUMBER: what is still open of it is debt again."""
    with open_books(settings) as connection:
        _done(close_dispute(connection, number, outcome=outcome, now=datetime.now(UTC), actor=os_user()))
    click.echo(f"Dispute {number} is closed.")


@click.command("plan")
@keyed
@click.option("--invoice", "invoices", multiple=True, required=True, help="Which invoices it is for; several times.")
@click.option(
    "--part", "parts", multiple=True, required=True, metavar="DAY=AMOUNT", help="An instalment; several times."
)
@click.option("--grace-days", type=click.IntRange(0, 60), default=5, show_default=True, help="Later than this, it is broken.")  # fmt: skip
@_REASON
@_DRY_RUN
@click.pass_obj
def plan(
    settings: Settings,
    *,
    invoices: tuple[str, ...],
    parts: tuple[str, ...],
    grace_days: int,
    reason: str,
    dry_run: bool,
) -> None:
    """Agree on instalments for all that invoices have open: their days count in the place of the invoices' own."""
    with open_books(settings) as connection:
        documents = tuple(find_document(connection, one) for one in invoices)
        known = load_open_invoice(connection, documents[0])
        if known is None:
            raise Refused(f"{invoices[0]} has nothing open")
        wanted = NewPlan(documents, tuple(_part(one, known.open.currency) for one in parts), reason, grace_days)
        number = _done(agree_plan(connection, wanted, now=datetime.now(UTC), actor=os_user()))
        _rolled_back(connection, dry_run)
    click.echo(f"Plan {number}; `corrente dunning end-plan {number} --reason …` ends it.")


def _part(text: str, currency: str) -> Due:
    day, _, amount = text.partition("=")
    try:
        return Due(read_day(day), read_money(read_decimal(amount), currency))
    except ValueError as error:
        raise Refused(f"instalment {text!r}: such as 2026-04-01=50.00; {error}") from error


@click.command("end-plan")
@keyed
@click.argument("number", type=int)
@_REASON
@click.pass_obj
def end_plan_(settings: Settings, number: int, *, reason: str) -> None:
    """End plan NUMBER: the invoices' own days count again."""
    with open_books(settings) as connection:
        now = datetime.now(UTC)
        _done(end_plan(connection, number, reason=reason, today=_today(connection), now=now, actor=os_user()))
    click.echo(f"Plan {number} is over.")


@click.command("confirm")
@keyed
@click.argument("case_id", metavar="CASE", type=int)
@click.argument("step")
@click.pass_obj
def confirm_(settings: Settings, case_id: int, step: str) -> None:
    """Let a STEP of CASE go that its policy wants confirmed; it runs with the next pass that its day and hours allow."""
    with open_books(settings) as connection:
        _done(confirm_step(connection, case_id, step, now=datetime.now(UTC), actor=os_user()))
    click.echo(f"Step {step} of case {case_id} may go.")


@click.command("delivered")
@keyed
@click.argument("notice_ids", metavar="NOTICE...", type=int, nargs=-1, required=True)
@click.option("--on", "day", type=DAY, help="The day on which it came; today.")
@click.option("--proof", type=click.Path(dir_okay=False, path_type=Path), help="The receipt, kept with the customer.")  # fmt: skip
@click.pass_obj
def delivered(settings: Settings, notice_ids: tuple[int, ...], *, day: date | None, proof: Path | None) -> None:
    """Formal notices came: from that day the law's days count."""
    with open_books(settings) as connection:
        now = datetime.now(UTC)
        zone = ZoneInfo(next((one.zone for one in load_issuers(connection)), "UTC"))
        # A day without its hour: noon there, or now on the day itself.
        came = now if day in (None, billing_day(now, zone)) else datetime.combine(day or now.date(), time(12), zone)
        file = None if proof is None else read_file(proof)
        _done(notice_delivered(connection, notice_ids, delivered_at=came, now=now, actor=os_user(), proof=file))
    click.echo(f"Delivered: {', '.join(map(str, notice_ids))}.")


def read_file(path: Path) -> tuple[str, str, bytes]:
    """A file's name, media type and content, as it is kept with a customer."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    if not content or len(content) > _LARGEST_FILE:
        raise Refused(f"{path} is empty or larger than 20 MB")
    return path.name, mimetypes.guess_type(path.name)[0] or "application/octet-stream", content


@click.command("run")
@click.pass_obj
def run(settings: Settings) -> None:
    """Do now what the worker's job does each half minute: the day's pass if it is due, and whoever is to be looked at."""
    with open_database(settings, autocommit=True) as connection:
        click.echo(dunning(connection, settings, datetime.now(UTC)))


def _today(connection: Connection) -> date:
    """What day it is for the first issuer; days of several differ by hours."""
    return today_of(next((one.zone for one in load_issuers(connection)), "UTC"))


def _done(outcome: int | NotDone | None) -> int | None:
    if isinstance(outcome, NotDone):
        raise Refused(outcome.message)
    return outcome


def _rolled_back(connection: Connection, dry_run: bool) -> None:
    if dry_run:
        connection.rollback()
        click.echo("Dry run: nothing was written.")


COMMANDS: Final = (exclude_, include, dispute, resolve, plan, end_plan_, confirm_, delivered, run)

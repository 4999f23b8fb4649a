"""`corrente gateway tonight`, `charges` and `cancel`: what accounts collect by themselves, what came of it, and taking a debit back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any, Final

import click

from billing.gateways.due import LeftOut, ToAsk
from billing.money import Money, total
from billing.store.gateway_lists import load_charges
from billing.store.gateways import GatewayAccount
from control_plane.cli._books import DAY, known_customer
from control_plane.cli._console import open_database, print_json, print_table
from control_plane.cli._gateway import known_account, withdraw_of_invoice
from control_plane.gateways.office import load_due
from control_plane.settings import Settings

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_ACCOUNT = click.option("--account", help="Which account; not needed where one can do it.")


def collecting_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what an account collects by itself."""
    for option in (
        click.option("--pages-from", type=DAY, help="Invoices of this day and later get a page to pay on by themselves, unless a debit is to pay them."),
        click.option("--no-pages", is_flag=True, help="No pages by themselves any more."),
        click.option("--debits-from", type=DAY, help="Invoices of this day and later are debited by themselves when they are due, where the customer has a mandate."),
        click.option("--no-debits", is_flag=True, help="No debits by themselves any more."),
        click.option("--debit-days", type=click.IntRange(0, 30), help="Ask for debits so many days before they are due."),
    ):  # fmt: skip
        command = option(command)
    return command


def collecting_columns(typed: Mapping[str, Any]) -> dict[str, object]:
    """What those options change of an account."""
    columns: dict[str, object] = {}
    for kind, since, none in (("link", "pages_from", "no_pages"), ("debit", "debits_from", "no_debits")):
        if typed[since] is not None and typed[none]:
            raise click.UsageError(f"--{since.replace('_', '-')} or --{none.replace('_', '-')}, not both")
        if typed[since] is not None or typed[none]:
            columns["pages_since" if kind == "link" else "debits_since"] = typed[since]
    if typed["debit_days"] is not None:
        columns["debit_days"] = typed["debit_days"]
    return columns


def by_itself(account: GatewayAccount) -> str | None:
    """What an account collects by itself, in a list's words."""
    said = []
    if account.debits_since is not None:
        ahead = f", {account.debit_days} days ahead" if account.debit_days else ""
        said.append(f"debits from {account.debits_since}{ahead}")
    if account.pages_since is not None:
        said.append(f"pages from {account.pages_since}")
    return "; ".join(said) or None


@click.command("tonight")
@click.option("--days", type=click.IntRange(0, 60), default=1, show_default=True, help="Look so many days ahead; 0: what is due already.")  # fmt: skip
@_JSON
@click.pass_obj
def tonight(settings: Settings, *, days: int, as_json: bool) -> None:
    """What is debited by itself when the next day begins (at 5 o'clock), and what is left out and why. Nothing is written."""
    with open_database(settings) as connection:
        found = load_due(connection, days=days, now=datetime.now(UTC))
    asked, left_out, collecting = list(found.asked), found.left_out, found.collecting
    if as_json:
        print_json({"debits": [_fields(one) for one in asked], "left_out": [_fields(one) for one in left_out]})
        return
    if not collecting:
        click.echo("No account debits by itself: `corrente gateway set NAME --debits-from DAY` begins.")
        return
    rows = ((one.candidate.label, f"{one.candidate.customer} ({one.candidate.customer_id})", one.due_on, one.amount, one.candidate.account) for one in asked)  # fmt: skip
    print_table(("INVOICE", "CUSTOMER", "DUE", "AMOUNT", "ACCOUNT"), rows, empty="Nothing is to be debited.")
    for account, amount in sorted(_sums(asked).items()):
        click.echo(f"{account}: {amount[0]} debits, {', '.join(map(str, amount[1]))}")
    if left_out:
        click.echo("Left out:")
        print_table(
            ("INVOICE", "CUSTOMER", "OPEN", "WHY"),
            ((one.candidate.label, f"{one.candidate.customer} ({one.candidate.customer_id})", one.candidate.open, one.why) for one in left_out),
            empty="",
        )  # fmt: skip


def _sums(asked: list[ToAsk]) -> dict[str, tuple[int, list[Money]]]:
    by_account: dict[str, list[Money]] = defaultdict(list)
    for one in asked:
        by_account[one.candidate.account].append(one.amount)
    return {
        name: (len(found), [total((one for one in found if one.currency == code), code) for code in sorted({one.currency for one in found})])
        for name, found in by_account.items()
    }  # fmt: skip


def _fields(one: ToAsk | LeftOut) -> dict[str, Any]:
    found = one.candidate
    named = {"document": found.label, "customer_id": found.customer_id, "customer": found.customer, "account": found.account, "open": found.open}  # fmt: skip
    if isinstance(one, LeftOut):
        return {**named, "why": str(one.why)}
    return {**named, "amount": one.amount, "due_on": one.due_on}


@click.command("charges")
@_ACCOUNT
@click.option("--customer", help="Those of one customer: number, reference or whole name.")
@click.option("--from", "since", type=DAY, help="Asked for on this day or later.")
@click.option("--failed", is_flag=True, help="Those alone that failed, came back, or that the provider declined.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@_JSON
@click.pass_obj
def charges_(settings: Settings, /, *, account: str | None, customer: str | None, since: date | None, failed: bool, limit: int, as_json: bool) -> None:  # fmt: skip
    """Pages and debits that were asked for, newest first, and how they stand."""
    with open_database(settings) as connection:
        found = load_charges(
            connection,
            account_id=None if account is None else known_account(connection, account).id,
            customer_id=None if customer is None else known_customer(connection, customer).id,
            since=since,
            only_failed=failed,
            limit=limit,
        )
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = (
        (one.id, one.document, f"{one.customer} ({one.customer_id})", one.kind, one.due_on, one.amount, one.account, one.state, one.problem or None)
        for one in found
    )  # fmt: skip
    columns = ("NUMBER", "INVOICE", "CUSTOMER", "KIND", "DUE", "AMOUNT", "ACCOUNT", "STATE", "PROBLEM")
    print_table(columns, rows, empty="Nothing was asked for.")


@click.command("cancel")
@click.argument("document")
@_ACCOUNT
@click.pass_obj
def cancel(settings: Settings, document: str, *, account: str | None) -> None:
    """Cancel the debit of invoice DOCUMENT, as long as the provider can. It is not debited by itself again: `corrente gateway collect` does."""
    withdraw_of_invoice(settings, document, account, kind="debit")


COMMANDS: Final = (tonight, charges_, cancel)

"""`corrente ledger accounts`: the chart of accounts, and where revenue goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from billing.chart import Account, NotTaken, Role
from billing.store import books
from control_plane.cli._books import open_books
from control_plane.cli._console import Connection, Refused, open_database, unknown
from control_plane.cli._group import Group
from control_plane.cli._report_output import output_of, report_options, show_report
from control_plane.settings import Settings

ROLES = [str(role) for role in Role]


@dataclass(frozen=True, slots=True)
class ChartRow:
    """One account as it is shown; `takes` is what goes to it without naming it."""

    account: str
    name: str
    role: str
    takes: str
    posted: str


accounts = Group("accounts", help="The chart of accounts, and to which account revenue goes.")


@accounts.command("list")
@report_options
@click.pass_obj
def list_(settings: Settings, /, *, issuer: str | None, **options: Any) -> None:
    """All accounts by code, with what goes to each."""
    output = output_of(options)
    with open_database(settings) as connection:
        keeper = _keeper(connection, issuer)
        products: dict[str, list[str]] = {}
        for product, code in books.load_own_accounts(connection, keeper.id):
            products.setdefault(code, []).append(product)
        rows = [
            ChartRow(one.code, one.name, one.role, _takes(one, products.get(one.code, [])), "yes" if one.posted else "")
            for one in books.load_chart(connection, keeper.id)
        ]
        show_report(output, "accounts", ChartRow, rows, empty=f"{keeper.name} has no accounts yet.")


def _takes(account: Account, products: list[str]) -> str:
    own = []
    if account.stands_for:
        own = [f"{account.role} of {account.family}" if account.family else f"any {account.role}"]
    return "; ".join(own + [f"product {name}" for name in products]) or "only what names it"


@accounts.command("add")
@click.argument("code")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it is for; other: for entries by hand.")
@click.option("--family", help="Only revenue of this product family, or clearing of this way of payment.")
@click.option("--only-named", is_flag=True, help="Nothing goes to it by its role; products and entries name it.")
@click.option("--issuer", metavar="NAME", help="Whose books, where there are several issuers.")
@click.pass_obj
def add(
    settings: Settings, code: str, name: str, *, role: str, family: str | None, only_named: bool, issuer: str | None
) -> None:
    """Add account CODE NAME."""
    with open_books(settings) as connection:
        keeper = books.load_book_keeper(connection, issuer)
        stands_for = not only_named and role != Role.OTHER
        added = books.add_account(connection, keeper.id, code, name, Role(role), family=family, stands_for=stands_for)
        if isinstance(added, NotTaken):
            raise Refused(f"{added.message}; --only-named adds one beside it" if stands_for else added.message)
    click.echo(f"Account {code} {name}: {_takes(added, [])}.")


@accounts.command("edit")
@click.argument("code")
@click.option("--code", "new_code", help="Another code.")
@click.option("--name", help="Another name.")
@click.option("--role", type=click.Choice(ROLES), help="Another role, while nothing is posted to it.")
@click.option("--issuer", metavar="NAME", help="Whose books, where there are several issuers.")
@click.pass_obj
def edit(
    settings: Settings, code: str, *, new_code: str | None, name: str | None, role: str | None, issuer: str | None
) -> None:
    """Give account CODE another code, name or role. Its postings stay with it."""
    if new_code is None and name is None and role is None:
        raise click.UsageError("give --code, --name or --role")
    with open_books(settings) as connection:
        keeper = books.load_book_keeper(connection, issuer)
        refused = books.change_account(
            connection,
            known_account_of(connection, keeper, code),
            code=new_code,
            name=name,
            role=None if role is None else Role(role),
        )
        if refused:
            raise Refused(refused.message)
        (changed,) = (one for one in books.load_chart(connection, keeper.id) if one.code == (new_code or code))
    click.echo(f"Account {changed.code} {changed.name}: {changed.role}.")


@accounts.command("default")
@click.argument("code", required=False)
@click.option("--family", help="Revenue of this product family goes to it.")
@click.option("--product", help="Revenue of this product goes to it; without CODE it goes by its family again.")
@click.option("--all-other", is_flag=True, help="Revenue that has no account of its own goes to it.")
@click.option("--issuer", metavar="NAME", help="Whose books, where there are several issuers.")
@click.pass_obj
def default(
    settings: Settings,
    code: str | None,
    *,
    family: str | None,
    product: str | None,
    all_other: bool,
    issuer: str | None,
) -> None:
    """Where revenue goes from now on: to account CODE, for a family, a product, or all that has none of its own.

    Documents that are issued keep the account that they were posted to.
    """
    if sum((family is not None, product is not None, all_other)) != 1 or (code is None and product is None):
        raise click.UsageError("give CODE with one of --family, --product and --all-other, or --product alone")
    with open_books(settings) as connection:
        keeper = books.load_book_keeper(connection, issuer)
        account = None if code is None else known_account_of(connection, keeper, code)
        if product is not None:
            refused = books.set_product_account(connection, keeper.id, product, account)
        else:
            assert account is not None, "CODE was asked for above"
            refused = books.set_family_account(connection, keeper.id, account, family)
        if refused:
            raise Refused(refused.message)
    what = f"product {product}" if product else f"family {family}" if family else "anything else"
    click.echo(f"Revenue of {what} goes to {'its family' if code is None else f'account {code}'} from now on.")


def known_account_of(connection: Connection, keeper: books.BookKeeper, code: str) -> Account:
    """The account of that code, or the refusal that names similar ones."""
    chart = {account.code: account for account in books.load_chart(connection, keeper.id)}
    if code not in chart:
        raise unknown("account", code, chart, also="`corrente ledger accounts list` shows them")
    return chart[code]


def _keeper(connection: Connection, issuer: str | None) -> books.BookKeeper:
    try:
        return books.load_book_keeper(connection, issuer)
    except books.NoSuchIssuerError as error:
        raise Refused(str(error)) from error

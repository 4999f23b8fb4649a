"""`corrente payment bank`: accounts at banks whose files are imported, and how each bank writes its CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from billing.bank_account import WrongBankAccount
from billing.banking.bank_line import MAX_FILE_OCTETS, BankFileError, BankLine
from billing.banking.csv_file import CsvStatement
from billing.banking.layout import DAY_FORMS, ENCODINGS, SEPARATORS, SIGNS, Layout, layout_data
from billing.store.bank_files import BankAccount, hold_bank_account, load_accounts_at_banks
from control_plane import bank_accounts
from control_plane.cli._books import CURRENCY, issuer_meant, open_books
from control_plane.cli._console import Connection, Refused, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.settings import Settings
from nas_drivers.errors import printable

command = Group(
    "bank", help="Accounts at banks: their files are imported, by a layout of the bank's where they are CSV."
)

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_SCORE = click.IntRange(1, 101)
_SHOWN: Final = 10
_NAMED_SEPARATORS: Final = {"tab": "\t"}
_OPTIONS: Final = (
    click.option("--booked", "booked_on", help="The column of the booking day. Columns are named, or counted: #1."),
    click.option("--value", "value_on", help="The column of the value day."),
    click.option("--text", multiple=True, help="A column of words; may be given several times."),
    click.option("--amount", help="The column of the amount with its sign."),
    click.option("--credit", help="The column of what came in, beside --debit."),
    click.option("--debit", help="The column of what went out, beside --credit."),
    click.option("--sign", help="The column that says which way --amount goes."),
    click.option("--out-word", "out_words", multiple=True, help="What --sign says of money out, such as D or DARE."),
    click.option("--signs", type=click.Choice(SIGNS), help="Whether the bank writes money in with a minus."),
    click.option("--party", help="The column of who paid."),
    click.option("--party-iban", help="The column of that one's account."),
    click.option("--reference", help="The column of the bank's own reference: it tells equal lines apart."),
    click.option("--end-to-end", help="The column of the end-to-end reference."),
    click.option("--currency-column", "currency", help="The column of the currency."),
    click.option("--code", help="The column of the code with which money came back."),
    click.option("--return-word", "return_words", multiple=True, help="A word in --text that says that money came back, such as INSOLUTO."),
    click.option("--separator", help=f"Between columns: {', '.join(one for one in SEPARATORS if one != chr(9))} or tab."),
    click.option("--decimal", type=click.Choice((",", "."))),
    click.option("--day-form", help=f"How days are written, such as {', '.join(DAY_FORMS[:3])}."),
    click.option("--encoding", type=click.Choice(ENCODINGS)),
    click.option("--header-rows", type=click.IntRange(0, 50), help="Rows before the first line; the last of them names the columns."),
)  # fmt: skip


@command.command("new")
@click.argument("name")
@click.argument("account")
@click.option("--issuer", help="Whose account; not needed where there is one issuer.")
@click.option("--method", default="transfer", show_default=True, help="By which method what comes in was paid.")
@click.option("--currency", type=CURRENCY, help="Of the account; the issuer's, if not said.")
@click.option("--automatic-from", type=_SCORE, default=90, show_default=True, help="From which score on nobody needs to look; 101: never.")  # fmt: skip
@click.pass_obj
def new(settings: Settings, /, *, name: str, account: str, issuer: str | None, **typed: Any) -> None:
    """Files of ACCOUNT, an IBAN or another number, are imported as NAME."""
    number = bank_accounts.read_number(account)
    if isinstance(number, WrongBankAccount):
        raise Refused(number.reason)
    used = bank_accounts.Used(name, typed["method"], typed["automatic_from"])
    with open_books(settings) as connection:
        whose = issuer_meant(connection, issuer)
        currency = typed["currency"] or whose.currency
        try:
            bank_accounts.add(connection, used, issuer_id=whose.id, number=number, currency=currency, actor=os_user())
        except bank_accounts.UnknownMethodError as error:
            raise unknown("method", error.method, error.known, also="`corrente payment methods` shows them") from error
        except bank_accounts.TakenError as error:
            raise Refused(str(error)) from error
    click.echo(f"{name}: files of {number} of {whose.name} can be imported: `corrente payment import FILE`.")


@command.command("list")
@_JSON
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """Accounts whose files are imported."""
    with open_books(settings) as connection:
        found = load_accounts_at_banks(connection)
    if as_json:
        layouts = [None if one.layout is None else layout_data(one.layout) for one in found]
        print_json([{**_fields(one), "layout": layout} for one, layout in zip(found, layouts, strict=True)])
        return
    rows = (
        (one.name, one.account, one.issuer, one.currency, one.method, one.automatic_from, "yes" if one.layout else None)
        for one in found
    )
    columns = ("NAME", "ACCOUNT", "ISSUER", "CURRENCY", "METHOD", "AUTOMATIC FROM", "CSV LAYOUT")
    print_table(columns, rows, empty="None: `corrente payment bank new NAME IBAN` makes one.")


@command.command("set")
@click.argument("name")
@click.option(
    "--automatic-from", type=_SCORE, required=True, help="From which score on nobody needs to look; 101: never."
)
@click.pass_obj
def set_(settings: Settings, name: str, *, automatic_from: int) -> None:
    """Say from which score on lines of NAME are matched without a person."""
    with open_books(settings) as connection:
        account = hold_bank_account(connection, known_account_at_bank(connection, name).id)
        assert account is not None, "accounts at banks are never taken away"
        used = bank_accounts.Used(account.name, account.method, automatic_from)
        bank_accounts.change(connection, account, used, actor=os_user())
    said = (
        "a person looks at each line" if automatic_from > 100 else f"lines from score {automatic_from} on are matched"
    )
    click.echo(f"{name}: {said}.")


def _layout_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@command.command("layout")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_layout_options
@click.option("--save", is_flag=True, help="Keep the layout; without it the file is only tried.")
@_JSON
@click.pass_obj
def layout_(settings: Settings, /, *, name: str, file: Path, save: bool, as_json: bool, **typed: Any) -> None:
    """Try how the first lines of a CSV FILE of NAME read, and keep that with --save.

    What is not said is taken from the saved layout, or guessed from the file when there is none.
    """
    octets = read_bank_file(file)
    typed["separator"] = _NAMED_SEPARATORS.get(typed["separator"] or "", typed["separator"])
    said = {key: value for key, value in typed.items() if value not in (None, ())}
    with open_books(settings) as connection:
        account = known_account_at_bank(connection, name)
        try:
            layout, found = bank_accounts.try_layout(octets, account, said)
        except BankFileError as error:
            raise Refused(f"{file}: {error}") from error
        if save:
            bank_accounts.keep_layout(connection, account.id, layout, actor=os_user())
    if as_json:
        print_json(
            {
                "layout": layout_data(layout),
                "lines": [line_fields(one) for one in found.statement.lines[:_SHOWN]],
                "saved": save,
            }
        )
        return
    _show(layout, found)
    click.echo(f"Saved for {name}." if save else "This was a try; --save keeps it.")


def read_bank_file(file: Path) -> bytes:
    """The octets of a file that is not too large. Raises: Refused."""
    try:
        if file.stat().st_size > MAX_FILE_OCTETS:
            raise Refused(f"{file}: larger than {MAX_FILE_OCTETS:,} octets: ask the bank for shorter periods")
        return file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: can't be read: {error.strerror}") from error


def known_account_at_bank(connection: Connection, name: str) -> BankAccount:
    """The account of that name, or the refusal that names similar ones."""
    accounts = {one.name: one for one in load_accounts_at_banks(connection)}
    if name not in accounts:
        also = (
            "`corrente payment bank list` shows them" if accounts else "`corrente payment bank new NAME IBAN` makes one"
        )
        raise unknown("account at a bank", name, accounts, also=also)
    return accounts[name]


def line_fields(line: BankLine) -> dict[str, object]:
    """What a bank said of a line, as programs read it."""
    return {
        "row": line.number,
        "booked_on": line.booked_on,
        "value_on": line.value_on,
        "amount": line.amount.amount,
        "currency": line.amount.currency,
        "party": line.party,
        "party_iban": line.party_iban,
        "text": line.text,
        "end_to_end": line.end_to_end,
        "creditor_reference": line.creditor_reference,
        "returned": line.returned,
    }


def _show(layout: Layout, found: CsvStatement) -> None:
    for key, value in layout_data(layout).items():
        if value and (key != "out_words" or layout.sign):
            click.echo(
                f"  {key}: {', '.join(value) if isinstance(value, list) else repr(value) if key == 'separator' else value}"
            )
    rows = (
        (one.number, one.booked_on, one.value_on, one.amount, one.party, one.text, one.returned)
        for one in found.statement.lines[:_SHOWN]
    )
    print_table(("ROW", "BOOKED", "VALUE", "AMOUNT", "PARTY", "TEXT", "RETURNED"), rows, empty="No lines.")
    lines = found.statement.lines
    came_in, out = (sum(1 for one in lines if (one.amount.minor > 0) is way) for way in (True, False))
    click.echo(
        f"{came_in:,} lines came in, {out:,} went out, {found.statement.skipped:,} rows are no lines, {len(found.refused):,} refused"
    )
    for row in found.refused[:_SHOWN]:
        click.echo(printable(f"  row {row.number}: {row.reason}"))


def _fields(account: BankAccount) -> dict[str, object]:
    return {name: getattr(account, name) for name in type(account).__slots__}

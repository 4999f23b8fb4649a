"""`corrente issuer`: who invoices, with its registers, accounts and taxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from billing.country_data import known_countries, load_country
from billing.store.books import load_chart
from billing.store.issuers import (
    Issuer,
    add_register,
    load_issuer_registers,
    load_issuers,
)
from control_plane import issuers
from control_plane.cli._books import AMOUNT, CURRENCY, known_issuer, open_books
from control_plane.cli._console import changed_words, open_database, os_user, print_json, print_table
from control_plane.cli._customer_parts import TELEPHONE
from control_plane.cli._group import Group
from control_plane.cli._issuer_duty import duty
from control_plane.cli._issuer_tax import exemption, position, tax
from control_plane.settings import Settings

command = Group("issuer", help="Issuers: who invoices, with registers, accounts and taxes.")
for part in (tax, position, exemption, duty):
    command.add_command(part)

_TEXTS = (
    ("--vat-number", "As its tax authority writes it."),
    ("--tax-number", "Where it differs from the VAT number."),
    ("--street", "With or without the number."),
    ("--house-number", "The number in the street."),
    ("--postal-code", "Its postal code."),
    ("--city", "Its city."),
    ("--province", "As addresses of the country have it, such as TO."),
    ("--email", "Where customers write to."),
    ("--zone", "In which its billing days begin and end, such as Europe/Rome."),
    ("--tax-regime", "As its tax authority codes it, such as RF01."),
    ("--iban", "Where customers pay to."),
)


def _common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What `new` and `edit` share."""
    for option in reversed(
        (
            *(click.option(name, help=text) for name, text in _TEXTS),
            click.option("--phone", type=TELEPHONE, help="Where customers call; with + and country."),
            click.option(
                "--recharges-stamp/--bears-stamp", "recharges_stamp", default=None,
                help="Stamp duty is a line that the customer pays, or the issuer bears it.",
            ),
            click.option(
                "--confirm-hours", type=click.IntRange(0, 720),
                help="A prepared run issues by itself after so many hours; without it only a person confirms.",
            ),
            click.option("--minimum-document", type=AMOUNT, help="What comes to less waits for the next run, once."),
            click.option(
                "--mails-invoices/--no-mails", "mails_invoices", default=None,
                help="What a run invoices is mailed by itself when it is done; it is, if not said.",
            ),
            click.option(
                "--bank-days", metavar="CALENDAR",
                help="What falls due on a Saturday, a Sunday or a holiday of IT or IT-TO is due on the next bank day; none: on the day itself.",
            ),
        )
    ):  # fmt: skip
        function = option(function)
    return function


@command.command("new")
@click.argument("name")
@click.option("--country", required=True, type=click.Choice(known_countries()), help="Whose law it bills by.")
@click.option("--currency", type=CURRENCY, help="Of its books; the country's by default.")
@_common_options
@click.pass_obj
def new(settings: Settings, /, name: str, *, country: str, currency: str | None, **options: Any) -> None:
    """A new issuer NAME with a chart of accounts, registers, and the taxes of its country."""
    for needed in ("street", "postal_code", "city"):
        if not options[needed]:
            raise click.UsageError(f"an issuer has an address: --{needed.replace('_', '-')}")
    with open_books(settings) as connection:
        given = {**_given(options), "name": name, "currency": currency}
        begun = issuers.begin(connection, given, country=country, actor=os_user())
    click.echo(f"Issuer {name}: {begun.accounts} accounts, registers {', '.join(begun.registers)}.")
    if begun.tax_codes_made:
        click.echo(f"Tax codes made: {', '.join(begun.tax_codes_made)}.")
    if begun.tax_codes_there:
        click.echo(f"Tax codes that were there: {', '.join(begun.tax_codes_there)}.")
    if not load_country(country).tax_codes:
        click.echo(f"No rates are known of {country}: `corrente issuer tax add` and `tax rate` enter them.", err=True)


def _given(options: dict[str, Any]) -> dict[str, object]:
    """What was typed; of the calendar `none` empties it."""
    given = {name: value for name, value in options.items() if value is not None}
    if str(given.get("bank_days", "")).lower() == "none":
        given["bank_days"] = None
    return given


@command.command("edit")
@click.argument("name")
@click.option("--name", "new_name", help="Rename it; documents keep the name they were issued under.")
@_common_options
@click.pass_obj
def edit(settings: Settings, /, name: str, *, new_name: str | None, **options: Any) -> None:
    """Change what is given of issuer NAME. What is issued stays as it was."""
    with open_books(settings) as connection:
        issuer = known_issuer(connection, name)
        columns = _given(options) | ({"name": new_name} if new_name else {})
        if not columns:
            raise click.UsageError("nothing to change: name at least one option")
        changed = issuers.change(connection, issuer, columns, actor=os_user())
    click.echo(f"Changed issuer {name}: {changed_words(changed)}.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """List all of them."""
    with open_database(settings) as connection:
        issuers = load_issuers(connection)
    if as_json:
        print_json(issuers)
        return
    print_table(
        ("NAME", "COUNTRY", "VAT NUMBER", "CITY", "CURRENCY", "ZONE"),
        ((one.name, one.country, one.vat_number, one.city, one.currency, one.zone) for one in issuers),
        empty="There is no issuer yet: corrente issuer new NAME --country IT --street … --postal-code … --city …",
    )


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """All of issuer NAME: its data, registers and accounts."""
    with open_database(settings) as connection:
        issuer = known_issuer(connection, name)
        registers = load_issuer_registers(connection, issuer.id)
        accounts = load_chart(connection, issuer.id)
    if as_json:
        print_json({"issuer": issuer, "registers": registers, "accounts": accounts})
        return
    for label, value in _page(issuer):
        if value not in (None, ""):
            click.echo(f"{label:19}{value}")
    click.echo(f"{'registers':19}{', '.join(f'{one.code} {one.name}' for one in registers)}")
    click.echo(f"{'accounts':19}{len(accounts)}; `corrente ledger accounts list` shows them")


def _page(issuer: Issuer) -> list[tuple[str, object]]:
    street = " ".join(part for part in (issuer.street, issuer.house_number) if part)
    city = " ".join(part for part in (issuer.postal_code, issuer.city, issuer.province, issuer.country) if part)
    hours = "a person" if issuer.confirm_hours is None else f"a person, or by itself after {issuer.confirm_hours} h"
    return [
        ("name", issuer.name),
        ("VAT number", issuer.vat_number),
        ("tax number", issuer.tax_number),
        ("regime", issuer.tax_regime),
        ("address", f"{street}, {city}"),
        ("e-mail", issuer.email),
        ("phone", issuer.phone),
        ("IBAN", issuer.iban),
        ("days of", issuer.zone),
        ("currency", issuer.currency),
        ("stamp duty", "recharged" if issuer.recharges_stamp else "borne"),
        ("due days", f"bank days of {issuer.bank_days}" if issuer.bank_days else "any day"),
        ("runs confirmed by", hours),
        ("smallest document", issuer.minimum_document),
        ("runs mailed", "when they are done" if issuer.mails_invoices else "by a person"),
    ]


_register = Group("register", help="Registers: each a series of legal numbers for one kind of document.")
command.add_command(_register)


@_register.command("add")
@click.argument("issuer")
@click.argument("code")
@click.argument("kind", type=click.Choice(["invoice", "credit_note", "quote", "order"]))
@click.option("--name", required=True, help="What stands on lists.")
@click.option("--pattern", help="How a number is printed; {number}/{code}/{year} by default.")
@click.option("--purpose", type=click.Choice(["recurring", "manual"]), help="What runs invoice, or what people do.")
@click.option("--position", help="Only for customers of this fiscal position.")
@click.pass_obj
def add_register_(
    settings: Settings,
    issuer: str,
    code: str,
    kind: str,
    *,
    name: str,
    pattern: str | None,
    purpose: str | None,
    position: str | None,
) -> None:
    """A new register CODE of ISSUER for documents of a KIND. Of those that fit, the most specific is taken."""
    with open_books(settings) as connection:
        found = known_issuer(connection, issuer)
        add_register(
            connection, found.id, code, kind=kind, name=name, pattern=pattern, purpose=purpose, position=position
        )
    click.echo(f"Register {code} of {issuer}: {name}.")


@_register.command("list")
@click.argument("issuer")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_registers(settings: Settings, issuer: str, *, as_json: bool) -> None:
    """The registers of ISSUER, and how far each has come."""
    with open_database(settings) as connection:
        registers = load_issuer_registers(connection, known_issuer(connection, issuer).id)
    if as_json:
        print_json(registers)
        return
    print_table(
        ("CODE", "KIND", "NAME", "FOR", "CUSTOMERS", "PATTERN", "YEAR", "LAST", "LAST DATE"),
        (
            (
                *(one.code, one.kind, one.name, one.purpose, one.fiscal_position, one.pattern),
                *(one.year, one.last_number, one.last_date),
            )
            for one in registers
        ),
        empty=f"{issuer} has no register: corrente issuer register add",
    )

"""`corrente customer`: who owes, how they are reached, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from billing.customer_search import search_patterns
from billing.store.customer_search import load_found
from billing.store.customers import load_others_with_number
from billing.store.issuers import load_positions
from control_plane.cli._books import known_customer, open_books
from control_plane.cli._console import (
    Connection,
    changed_words,
    open_database,
    os_user,
    print_json,
    print_table,
    unknown,
)
from control_plane.cli._customer_import import import_
from control_plane.cli._customer_papers import attach, consent, detach, fetch, history, note
from control_plane.cli._customer_parts import TELEPHONE, address, checked_identifier, contact, tax_id, tell_others
from control_plane.cli._customer_show import show
from control_plane.cli._group import Group
from control_plane.cli._keyed import keyed
from control_plane.cli._options import confirm
from control_plane.customers import KINDS, LANGUAGES, add_customer, drop_customer, edit_customer, refuse_held, spoken_in
from control_plane.settings import Settings

command = Group("customer", help="Customers: who owes, how they are reached, what is kept of them.")
for part in (show, tax_id, address, contact, note, attach, fetch, detach, consent, history, import_):
    command.add_command(part)

_PLACE = ("street", "house_number", "postal_code", "city", "province", "country")
_REACH = ("email", "phone", "mobile")


def _common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What `new` and `edit` share."""
    for option in reversed(
        (
            click.option("--kind", type=click.Choice(KINDS), help="What the law sees in it; person by default."),
            click.option("--given-name", help="A person's, for authorities; with --family-name."),
            click.option("--family-name", help="A person's."),
            click.option("--language", type=click.Choice(LANGUAGES), help="Of its documents; at first its country's."),
            click.option("--reference", "external_reference", help="Its number in another system."),
            click.option("--position", help="Its own fiscal position, before any that fits."),
        )
    ):
        function = option(function)
    return function


@command.command("new")
@keyed
@click.argument("name")
@_common_options
@click.option("--tax-id", "tax_ids", multiple=True, metavar="SCHEME=NUMBER", help="Such as it.iva=01234560017; repeat.")
@click.option("--street")
@click.option("--house-number")
@click.option("--postal-code")
@click.option("--city")
@click.option("--province")
@click.option("--country", help="Two capitals, such as IT.")
@click.option("--email")
@click.option("--phone", type=TELEPHONE, help="With + and country.")
@click.option("--mobile", type=TELEPHONE, help="With + and country.")
@click.pass_obj
def new(settings: Settings, /, name: str, *, tax_ids: tuple[str, ...], **options: Any) -> None:
    """A new customer NAME, with its seat and its main contact where they are given."""
    identifiers = [checked_identifier(text) for text in tax_ids]
    place, reach = _taken(options, _PLACE), _taken(options, _REACH)
    missing = [column for column in ("street", "postal_code", "city", "country") if place and column not in place]
    if missing:
        raise click.UsageError("an address needs " + ", ".join(f"--{column.replace('_', '-')}" for column in missing))
    options["language"] = options["language"] or spoken_in(place.get("country"))
    with open_books(settings) as connection:
        found = add_customer(
            connection,
            {"name": name, **_columns(connection, options)},
            identifiers=identifiers,
            place=place,
            reach=reach,
            actor=os_user(),
        )
        for identifier in identifiers:
            tell_others(identifier.number, load_others_with_number(connection, found.id, identifier))
    click.echo(f"Customer {found.id} {name.removesuffix('.')}.")


def _taken(options: dict[str, Any], names: tuple[str, ...]) -> dict[str, object]:
    """These options out of all of them, as far as they were given."""
    taken = {name: options.pop(name) for name in names}
    return {name: value for name, value in taken.items() if value}


def _columns(connection: Connection, options: dict[str, Any]) -> dict[str, object]:
    """The options that were given, as columns of customer."""
    columns = {name: value for name, value in options.items() if value is not None and name != "position"}
    if options["position"] is not None:
        positions = {one.name: one.id for one in load_positions(connection)}
        if options["position"] not in positions:
            raise unknown(
                "fiscal position",
                options["position"],
                positions,
                also="`corrente issuer position list` shows them",
            )
        columns["fiscal_position_id"] = positions[options["position"]]
    return columns


@command.command("edit")
@click.argument("customer")
@click.option("--name", help="Another name; documents keep the one they were issued under.")
@_common_options
@click.option("--no-position", is_flag=True, help="Taxed by kind and place again.")
@click.pass_obj
def edit(settings: Settings, /, customer: str, *, name: str | None, no_position: bool, **options: Any) -> None:
    """Change what is given of CUSTOMER; the rest stays, and so does what is issued."""
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        columns = _columns(connection, options) | ({"name": name} if name else {})
        columns |= {"fiscal_position_id": None} if no_position else {}
        if not columns:
            raise click.UsageError("nothing to change: name at least one option")
        edit_customer(connection, found, columns, actor=os_user())
    click.echo(f"Changed customer {found.id} {name or found.name}: {changed_words(columns)}.")


@command.command("delete")
@click.argument("customer")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(settings: Settings, customer: str, *, yes: bool) -> None:
    """Delete CUSTOMER, which only works while nothing depends on it: one that was written by mistake."""
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        refuse_held(connection, found)
        confirm(f"Delete customer {found.id} {found.name}?", yes=yes)
        drop_customer(connection, found, actor=os_user())
    click.echo(f"Customer {found.id} {found.name} deleted.")


@command.command("list")
@click.argument("words", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@click.option("--after", type=int, default=0, help="From behind this number on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, words: tuple[str, ...], *, limit: int, after: int, as_json: bool) -> None:
    """Customers by number; with WORDS those of whom all are found in name, tax number, phone, mail or address."""
    with open_database(settings) as connection:
        found = load_found(connection, search_patterns(" ".join(words)), limit=limit + 1, after=after)
    shown = found[:limit]
    if as_json:
        print_json(shown)
        return
    print_table(
        ("NUMBER", "NAME", "KIND", "REFERENCE", "ADDRESS", "TAX NUMBER", "PHONE", "E-MAIL", "IN SERVICE"),
        (
            (
                *(one.id, one.name, one.kind, one.external_reference, one.place, one.tax_number, one.phone, one.email),
                one.contracts,
            )
            for one in shown
        ),
        empty="No customer is known by these words"
        if words
        else "There is no customer yet: corrente customer new NAME",
    )
    if len(found) > limit:
        click.echo(f"There are more: add a word, or --after {shown[-1].id}.", err=True)

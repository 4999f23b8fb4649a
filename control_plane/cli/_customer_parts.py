"""`corrente customer tax-id`, `address` and `contact`: what a customer has one or several of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import click

from billing.contacts import ContactRole
from billing.store.customers import Customer, load_addresses, load_contacts
from billing.tax_identifiers import TaxIdentifier, WrongIdentifier, read_identifier
from billing.telephone import WrongTelephone, read_telephone
from control_plane.cli._books import DECIMAL, known_customer, open_books
from control_plane.cli._console import Connection, Refused, os_user
from control_plane.cli._options import Quantity
from control_plane.customers import (
    LANGUAGES,
    drop_address,
    drop_contact,
    drop_identifier,
    put_address,
    put_contact,
    put_identifier,
)
from control_plane.quantities import QuantityError
from control_plane.settings import Settings

ROLES: Final = tuple(role.value for role in ContactRole)
_NEEDED: Final = ("street", "postal_code", "city", "country")


def _read_telephone(text: str) -> str:
    read = read_telephone(text)
    if isinstance(read, WrongTelephone):
        raise QuantityError(read.reason)
    return read


TELEPHONE: Final = Quantity("telephone", _read_telephone)


def checked_identifier(text: str) -> TaxIdentifier:
    """`it.iva=01234560017`, or the refusal that says what is wrong with it."""
    scheme, equals, number = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r}: expected SCHEME=NUMBER, such as it.iva=01234560017")
    read = read_identifier(scheme, number)
    if isinstance(read, WrongIdentifier):
        raise Refused(read.reason)
    return read


def tell_others(number: str, others: list[int]) -> None:
    """Say when other customers have a tax number, too: often the same one twice."""
    if others:
        click.echo(f"Note: customer {' and '.join(map(str, others))} has {number} too.", err=True)


@click.command("tax-id")
@click.argument("customer")
@click.argument("scheme")
@click.argument("number", required=False)
@click.option("--remove", is_flag=True, help="Take the number of this scheme away.")
@click.pass_obj
def tax_id(settings: Settings, customer: str, scheme: str, number: str | None, *, remove: bool) -> None:
    """The tax NUMBER of CUSTOMER under a SCHEME such as it.codicefiscale; it is checked first."""
    if remove == (number is not None):
        raise click.UsageError("give the number, or --remove")
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        if number is None:
            if not drop_identifier(connection, found, scheme, actor=os_user()):
                raise Refused(f"customer {found.id} has no {scheme}")
            click.echo(f"Customer {found.id} {found.name}: no {scheme} any more.")
            return
        identifier = checked_identifier(f"{scheme}={number}")
        tell_others(identifier.number, put_identifier(connection, found, identifier, actor=os_user()))
    click.echo(f"Customer {found.id} {found.name}: {scheme} {identifier.number}.")


@click.command("address")
@click.argument("customer")
@click.argument("kind", type=click.Choice(["legal", "billing", "service"]))
@click.option("--id", "address_id", type=int, help="Which one of several; `customer show` has their numbers.")
@click.option("--street")
@click.option("--house-number")
@click.option("--postal-code")
@click.option("--city")
@click.option("--province")
@click.option("--country", help="Two capitals, such as IT.")
@click.option("--latitude", type=DECIMAL, help="Degrees north; with --longitude.")
@click.option("--longitude", type=DECIMAL, help="Degrees east.")
@click.option("--directions", help="How it is found, for technicians.")
@click.option("--remove", is_flag=True, help="Take it away.")
@click.pass_obj
def address(
    settings: Settings, /, customer: str, kind: str, *, address_id: int | None, remove: bool, **options: Any
) -> None:
    """An address of CUSTOMER: its seat, where documents go when elsewhere, or where a line ends."""
    columns = {name: value for name, value in options.items() if value is not None}
    if remove and columns:
        raise click.UsageError("--remove takes nothing else than --id")
    if ("latitude" in columns) != ("longitude" in columns):
        raise click.UsageError("--latitude and --longitude come together")
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        there = [one for one in load_addresses(connection, found.id) if one.kind == kind]
        if remove:
            _remove_address(connection, found, kind, [one.id for one in there], address_id)
            return
        new = address_id is None and (kind == "service" or not there)
        missing = [name for name in _NEEDED if new and not columns.get(name)]
        if missing:
            raise click.UsageError(
                "a new address needs " + ", ".join(f"--{name.replace('_', '-')}" for name in missing)
            )
        if not columns:
            raise click.UsageError("nothing to change: name at least one option")
        number = put_address(connection, found, kind, columns, address_id=address_id, actor=os_user())
    click.echo(f"Customer {found.id} {found.name}: {kind} address {number} {'added' if new else 'changed'}.")


def _remove_address(
    connection: Connection, customer: Customer, kind: str, there: list[int], address_id: int | None
) -> None:
    if address_id is None and len(there) > 1:
        raise Refused(f"customer {customer.id} has {len(there)} {kind} addresses: --id {' or '.join(map(str, there))}")
    wanted = address_id if address_id is not None else next(iter(there), None)
    if wanted not in there or wanted is None:
        raise Refused(f"customer {customer.id} has no such {kind} address")
    drop_address(connection, customer, kind, wanted, actor=os_user())
    click.echo(f"Customer {customer.id} {customer.name}: {kind} address {wanted} removed.")


@click.command("contact")
@click.argument("customer")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--contract", "contract_id", type=int, help="For this contract alone.")
@click.option(
    "--parent", type=click.Choice(ROLES), help="What this one leaves empty, the customer's contact of that role tells."
)
@click.option("--name")
@click.option("--email")
@click.option("--phone", type=TELEPHONE, help="With + and country.")
@click.option("--mobile", type=TELEPHONE, help="With + and country.")
@click.option("--language", type=click.Choice(LANGUAGES))
@click.option("--remove", is_flag=True, help="Take it away.")
@click.pass_obj
def contact(
    settings: Settings,
    /,
    customer: str,
    role: str,
    *,
    contract_id: int | None,
    parent: str | None,
    remove: bool,
    **options: Any,
) -> None:
    """Who is written to about a ROLE of CUSTOMER; without one for it, main is. What is empty its parent tells."""
    columns = {name: value for name, value in options.items() if value is not None}
    if remove == bool(columns or parent):
        raise click.UsageError("say what changes, or --remove")
    with open_books(settings) as connection:
        found = known_customer(connection, customer)
        where = f"{role}{f' of contract {contract_id}' if contract_id is not None else ''}"
        if remove:
            if not drop_contact(connection, found, role, contract_id, actor=os_user()):
                raise Refused(f"customer {found.id} has no contact {where}")
            click.echo(f"Customer {found.id} {found.name}: contact {where} removed.")
            return
        if parent is not None:
            columns["parent_id"] = _parent_id(connection, found, parent)
        put_contact(connection, found, role, contract_id, columns, actor=os_user())
    click.echo(f"Customer {found.id} {found.name}: contact {where}.")


def _parent_id(connection: Connection, customer: Customer, role: str) -> int:
    for one in load_contacts(connection, customer.id):
        if one.contract_id is None and one.role == role:
            return one.id
    raise Refused(f"customer {customer.id} has no contact {role} to stand above this one")


def coordinates(latitude: Decimal | None, longitude: Decimal | None) -> str:
    """`45.066667 7.700000`, or nothing."""
    return "" if latitude is None or longitude is None else f"{latitude} {longitude}"

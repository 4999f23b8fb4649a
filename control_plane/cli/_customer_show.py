"""`corrente customer show`: all that is known of a customer, as a page or JSON."""

from __future__ import annotations

from typing import Any, Final

import click

from billing.contacts import Contact
from billing.store.customer_page import CustomerPage, load_customer_page
from billing.store.customer_papers import Consent
from billing.store.customers import Address
from control_plane.cli._books import known_customer
from control_plane.cli._console import open_database, print_json
from control_plane.cli._customer_parts import coordinates
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from nas_drivers.errors import printable

_NEWEST_NOTES: Final = 3


@click.command("show")
@click.argument("customer")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show(settings: Settings, customer: str, *, as_json: bool) -> None:
    """All of CUSTOMER: a number, a reference or a whole name."""
    with open_database(settings) as connection:
        page = load_customer_page(connection, known_customer(connection, customer))
    if as_json:
        print_json(page)
        return
    for label, lines in _sections(page, settings):
        for number, line in enumerate(line for line in lines if line):
            click.echo(f"{label if number == 0 else '':12}{printable(line)}")


def _sections(page: CustomerPage, settings: Settings) -> list[tuple[str, list[str]]]:
    one = page.customer
    return [
        ("customer", [f"{one.id} {one.name}"]),
        ("kind", [one.kind.replace("_", " ")]),
        ("person", [" ".join(part for part in (one.given_name, one.family_name) if part)]),
        ("language", [one.language]),
        ("reference", [one.external_reference or ""]),
        ("position", [one.fiscal_position or ""]),
        ("tax number", [f"{number.scheme} {number.number}" for number in page.tax_identifiers]),
        ("address", [_address_line(address) for address in page.addresses]),
        ("contact", [_contact_line(contact) for contact in page.contacts]),
        ("contract", [_contract_line(contract) for contract in page.contracts]),
        ("balance", [f"{balance} {currency}" for currency, balance in page.balances.items()]),
        ("consent", [_consent_line(consent) for consent in page.consents if consent.in_force]),
        ("exemption", [f"{e.tax_code} {e.since} until {e.until}: {e.legal_reference}" for e in page.exemptions]),
        ("file", [f"{file.id} {file.name}, {file.octets:,} octets, {file.author}" for file in page.attachments]),
        (
            "note",
            [f"{instant_text(note.written_at, settings.zone)} {note.author}: {note.text}" for note in page.notes][
                :_NEWEST_NOTES
            ],
        ),
    ]


def _address_line(address: Address) -> str:
    street = " ".join(part for part in (address.street, address.house_number) if part)
    city = " ".join(part for part in (address.postal_code, address.city, address.province, address.country) if part)
    extra = [coordinates(address.latitude, address.longitude), address.directions or ""]
    return f"{address.kind} {address.id}: {', '.join(part for part in (street, city, *extra) if part)}"


def _contact_line(contact: Contact) -> str:
    of = f" of contract {contact.contract_id}" if contact.contract_id is not None else ""
    told = [contact.name, contact.email, contact.phone, contact.mobile, contact.language]
    return f"{contact.role}{of}: {', '.join(part for part in told if part)}"


def _contract_line(contract: dict[str, Any]) -> str:
    since = f" since {contract['starts_on']}" if contract["starts_on"] else ""
    until = f", ends {contract['ends_on']}" if contract["ends_on"] else ""
    return f"{contract['id']} {contract['plan']}: {contract['status']}{since}{until}"


def _consent_line(consent: Consent) -> str:
    return f"{consent.purpose} by {consent.channel}: {'given' if consent.given else 'withdrawn'} {consent.taken_at:%Y-%m-%d}"

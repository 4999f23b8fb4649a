"""Products and currencies as people name them."""

from __future__ import annotations

from datetime import date

import click

from billing.store.catalogue import Product, load_products
from billing.store.issuers import load_issuers
from control_plane.cli._console import Connection, unknown


def known_product(connection: Connection, name: str, day: date) -> Product:
    """The product of that name, or the refusal that names similar ones."""
    found = load_products(connection, day=day, name=name)
    if found:
        return found[0]
    names = [one.name for one in load_products(connection, day=day)]
    raise unknown("product", name, names, also="`corrente catalogue list` shows them")


def known_currency(connection: Connection, currency: str | None) -> str:
    """The currency that was given, or that of all issuers."""
    if currency is not None:
        return currency
    there = sorted({issuer.currency for issuer in load_issuers(connection)})
    if len(there) != 1:
        raise click.UsageError(f"say --currency: issuers have {' and '.join(there) or 'none yet'}")
    return there[0]

"""Options that say which contracts are meant in bulk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from billing.store.selection import Selection
from control_plane.cli._books import known_customer, known_issuer
from control_plane.cli._console import Connection, Refused

# A larger file is no list of customers.
_MOST_OCTETS = 50_000_000


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--issuer`, `--product` and the rest; what several say all must hold."""
    for option in reversed(
        (
            click.option("--issuer", help="Contracts of this issuer."),
            click.option("--product", help="That have this product."),
            click.option("--family", help="That have a product of this family."),
            click.option("--city", help="Served in this city."),
            click.option("--postal-prefix", help="Served where postal codes begin like this."),
            click.option("--customer", "customers", multiple=True, help="Of this customer; repeat."),
            click.option(
                "--customers-file", type=click.Path(path_type=Path, dir_okay=False),
                help="Of the customers in this file, a number or reference a line.",
            ),
            click.option("--contract", "contracts", type=int, multiple=True, help="This contract; repeat."),
            click.option("--everybody", is_flag=True, help="All contracts in service."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


def read_selection(connection: Connection, options: dict[str, Any]) -> Selection:
    """The options as a selection; refuses none at all, and names that there are not."""
    if options["issuer"] is not None:
        known_issuer(connection, options["issuer"])
    named = [*options["customers"], *_lines(options["customers_file"])]
    if options["customers_file"] is not None and not named:
        raise Refused(f"{options['customers_file']}: names no customer")
    selection = Selection(
        issuer=options["issuer"],
        product=options["product"],
        family=options["family"],
        city=options["city"],
        postal_prefix=options["postal_prefix"],
        customers=tuple(known_customer(connection, name).id for name in named),
        contracts=options["contracts"],
    )
    if selection.is_everything == (not options["everybody"]):
        raise click.UsageError("say which contracts: --product, --family, --city, --customer …, or --everybody alone")
    return selection


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        if file.stat().st_size > _MOST_OCTETS:
            raise Refused(f"{file}: larger than {_MOST_OCTETS:,} octets: this is no list of customers")
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]

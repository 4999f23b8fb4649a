"""What `corrente nas add` asks for when it was left out and somebody sits at a terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import click

from control_plane.cli._options import NETWORK, given_secret
from control_plane.quantities import Network
from nas_drivers.driver import vendor_names


@dataclass(frozen=True, slots=True)
class NewNas:
    """What a NAS must have. `secret` None: one is to be made."""

    name: str
    source: Network
    vendor: str
    secret: str | None = field(repr=False)


def given_nas(
    name: str | None,
    source: Network | None,
    vendor: str | None,
    *,
    secret_file: str | None,
    ask_secret: bool,
    what: str,
) -> NewNas:
    """What was given, and what is answered for the rest. Raises: click.UsageError when nobody can be asked."""
    missing = [said for value, said in ((name, "NAME"), (source, "SOURCE"), (vendor, "--vendor")) if value is None]
    if missing and not sys.stdin.isatty():
        raise click.UsageError(f"missing {', '.join(missing)}; at a terminal it is asked for")
    if name is None:
        name = str(click.prompt("Its name, such as bras-1"))
    if source is None:
        source = click.prompt("The address it sends from, or the prefix of a group", type=NETWORK)
    if vendor is None:
        vendor = str(click.prompt("Vendor", type=click.Choice(vendor_names())))
    secret = given_secret(secret_file, ask=ask_secret, what=what)
    if missing and secret is None and click.confirm(f"Has it {what} already (else a strong one is made)?"):
        secret = given_secret(None, ask=True, what=what)
    assert source is not None
    return NewNas(name, source, vendor, secret)

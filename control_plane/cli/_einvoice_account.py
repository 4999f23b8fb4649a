"""`corrente einvoice account` and what is done with an account at a tax authority: made, blocked, switched off, given numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from billing.store import einvoices as store
from billing.store.einvoices import EinvoiceAccount
from control_plane.cli._books import DAY, issuer_meant, open_books, today_of
from control_plane.cli._console import Connection, Refused, os_user, print_table, sealer_of, unknown
from control_plane.einvoice import office
from control_plane.einvoice.provider import provider_for, provider_names
from control_plane.settings import Settings

ACCOUNT = click.argument("name", metavar="ACCOUNT")


@click.command("account")
@click.argument("name")
@click.option("--provider", required=True, help="Through whom: `corrente einvoice providers`.")
@click.option("--issuer", help="Whose documents; not needed where there is one issuer.")
@click.option("--production", is_flag=True, help="Where it counts; the authority's test service otherwise.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of the provider; repeat.")
@click.option(
    "--secret-file",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The private key or password; it is kept sealed.",
)
@click.option("--series", default="A", show_default=True, help="The series that we count for it, where it has series.")
@click.option("--from", "from_on", type=DAY, help="Documents from that day on; today.")
@click.pass_obj
def account(
    settings: Settings,
    /,
    *,
    name: str,
    provider: str,
    issuer: str | None,
    production: bool,
    pairs: tuple[str, ...],
    file: Path,
    series: str,
    from_on: date | None,
) -> None:
    """Make account NAME: what its issuer issues from then on goes to the authority."""
    with open_books(settings) as connection:
        by = issuer_meant(connection, issuer)
        found = provider_for(provider).describe()
        given = dict(one.partition("=")[::2] for one in pairs)
        for key in given:
            if key not in found.settings:
                raise unknown("setting", key, found.settings)
        new = office.NewEinvoiceAccount(
            name, provider, production, given, file.read_bytes(), series, from_on or today_of(by.zone)
        )
        try:
            office.open_account(connection, settings, sealer_of(settings), new, by, by=os_user())
        except office.WrongAccountSettingError as error:
            told = str(error).replace(f" needs {error.key}:", f" needs --set {error.key}=…:")
            raise Refused(told) from error
        except office.WrongAccountSecretError as error:
            raise Refused(f"{file}: {error}") from error
    click.echo(f"Account {name}: documents of {by.name} go to {found.name} from {from_on or today_of(by.zone)} on.")
    click.echo("`corrente einvoice status --check` asks whether it answers.")


@click.command("providers")
def providers() -> None:
    """Through whom documents can be sent, and what each needs to know."""
    rows = []
    for name in provider_names():
        one = provider_for(name).describe()
        needs = "; ".join(f"{key}: {what}" for key, what in one.settings.items())
        rows.append((name, one.name, one.country or "no country", f"{needs}; {one.signs_with}"))
    print_table(("NAME", "", "COUNTRY", "NEEDS"), rows, empty="None.")


@click.command("enable")
@ACCOUNT
@click.pass_obj
def enable(settings: Settings, *, name: str) -> None:
    """Queue and send again; what was issued meanwhile is queued by `send`."""
    _switch(settings, name, enabled=True)
    click.echo(f"Account {name} is on.")


@click.command("disable")
@ACCOUNT
@click.pass_obj
def disable(settings: Settings, *, name: str) -> None:
    """Queue, send and ask nothing through this account."""
    _switch(settings, name, enabled=False)
    click.echo(f"Account {name} is off.")


def _switch(settings: Settings, name: str, *, enabled: bool) -> None:
    with open_books(settings) as connection:
        office.switch(connection, known_account(connection, name), enabled=enabled, by=os_user())


@click.command("unblock")
@ACCOUNT
@click.option(
    "--secret-file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sign or log in with this from now on.",
)
@click.pass_obj
def unblock(settings: Settings, *, name: str, file: Path | None) -> None:
    """Go on with an account of which the authority took nothing, once that is mended."""
    with open_books(settings) as connection:
        one = known_account(connection, name)
        try:
            count = (
                office.unblock(connection, one, by=os_user())
                if file is None
                else office.renew_secret(connection, sealer_of(settings), one, file.read_bytes(), by=os_user())
            )
        except office.WrongAccountSecretError as error:
            raise Refused(f"{file}: {error}") from error
    click.echo(f"Account {name} goes on; {count} documents are sent again.")


@click.command("range")
@ACCOUNT
@click.argument("first", type=click.IntRange(1))
@click.argument("last", type=click.IntRange(1))
@click.option("--kind", type=click.Choice(["invoice", "credit_note"]), default="invoice", show_default=True)
@click.option("--until", "valid_to", type=DAY, help="The last day on which these numbers may be used.")
@click.pass_obj
def range_(settings: Settings, *, name: str, first: int, last: int, kind: str, valid_to: date | None) -> None:
    """Number an account's documents within what the authority allowed: FIRST to LAST."""
    if last < first:
        raise click.UsageError("a range ends behind where it begins")
    with open_books(settings) as connection:
        one = known_account(connection, name)
        try:
            office.allow_range(connection, one, office.NumberRange(kind, first, last, valid_to), by=os_user())
        except office.UsedRangeError as error:
            raise Refused(str(error)) from error
    click.echo(f"Account {name} numbers its documents ({kind.replace('_', ' ')}) from {first} to {last}.")


def known_account(connection: Connection, name: str) -> EinvoiceAccount:
    """The account of that name, or the refusal that names similar ones."""
    accounts = {one.name: one for one in store.load_accounts(connection)}
    if name not in accounts:
        raise unknown("account", name, accounts, also="`corrente einvoice status` shows them")
    return accounts[name]

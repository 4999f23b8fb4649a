"""`corrente einvoice account` and what is done with an account at a tax authority: made, blocked, switched off, given numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import click

from billing.store import einvoice_desk as desk
from billing.store import einvoices as store
from billing.store.einvoices import EinvoiceAccount
from control_plane import audit
from control_plane.cli._books import DAY, issuer_meant, open_books, today_of
from control_plane.cli._console import Connection, Refused, os_user, print_table, sealer_of, unknown
from control_plane.einvoice import office
from control_plane.einvoice.provider import Description, provider_for, provider_names
from control_plane.outward.target import TargetError, read_target
from control_plane.settings import Settings
from radius_hooks.sealing import einvoice_row

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
        found = provider_for(provider)
        given = _given(pairs, found.describe(), settings)
        secret = file.read_bytes()
        if fault := found.check_secret(secret):
            raise Refused(f"{file}: {fault}; expected {found.describe().signs_with}")
        number = desk.take_account_id(connection)
        desk.add_account(
            connection,
            number,
            issuer_id=by.id,
            name=name,
            provider=provider,
            environment="production" if production else "test",
            settings=given,
            sealed=sealer_of(settings).seal(secret, row=einvoice_row(number)),
            series=series,
            from_on=from_on or today_of(by.zone),
            by=os_user(),
        )
        detail = {"provider": provider, "issuer": by.name, "production": production, "series": series}
        audit.append(connection, actor=os_user(), action="einvoice.account", subject=name, detail=detail)
    click.echo(
        f"Account {name}: documents of {by.name} go to {found.describe().name} from {from_on or today_of(by.zone)} on."
    )
    click.echo("`corrente einvoice status --check` asks whether it answers.")


def _given(pairs: Iterable[str], description: Description, settings: Settings) -> dict[str, str]:
    given = dict(one.partition("=")[::2] for one in pairs)
    for key in given:
        if key not in description.settings:
            raise unknown("setting", key, description.settings)
    for key, what in description.settings.items():
        if not given.get(key):
            raise Refused(f"{description.name} needs --set {key}=…: {what}")
    try:
        if "url" in given:
            read_target(given["url"], allow_private=settings.einvoice.allow_private_addresses)
    except TargetError as error:
        raise Refused(f"{error}; [einvoice] allow_private_addresses lets a test authority be nearby") from error
    return given


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
        if file is not None:
            secret, provider = file.read_bytes(), provider_for(one.provider)
            if fault := provider.check_secret(secret):
                raise Refused(f"{file}: {fault}; expected {provider.describe().signs_with}")
            desk.change_secret(connection, one.id, sealed=sealer_of(settings).seal(secret, row=einvoice_row(one.id)))
        count = office.unblock(connection, one, new_secret=file is not None, by=os_user())
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
        desk.allow_range(connection, one.id, kind, one.series, first=first, last=last, valid_to=valid_to)
        detail = {"kind": kind, "series": one.series, "first": first, "last": last, "until": valid_to}
        audit.append(connection, actor=os_user(), action="einvoice.range", subject=name, detail=detail)
    click.echo(f"Account {name} numbers its documents ({kind.replace('_', ' ')}) from {first} to {last}.")


def known_account(connection: Connection, name: str) -> EinvoiceAccount:
    """The account of that name, or the refusal that names similar ones."""
    accounts = {one.name: one for one in store.load_accounts(connection)}
    if name not in accounts:
        raise unknown("account", name, accounts, also="`corrente einvoice status` shows them")
    return accounts[name]

"""`corrente gateway`: payment gateways: accounts, links to pay on, mandates, what they told, what they paid out."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from billing.money import read_money
from billing.operations.charging import Asked, Outdated, ask_for_invoice, ask_for_mandate, ask_for_refund
from billing.payments import NotDone
from billing.store import gateway_charges as charges
from billing.store.gateway_lists import load_notices
from billing.store.gateways import load_gateway_accounts, load_payouts
from billing.store.issued import find_document
from billing.store.payments import load_payment
from control_plane.cli._books import DAY, DECIMAL, issuer_meant, known_customer, open_books
from control_plane.cli._console import Refused, os_user, print_json, print_table
from control_plane.cli._gateway import (
    account_meant,
    carry_out,
    checked,
    known_account,
    line_of,
    withdraw_charge,
    withdraw_of_invoice,
)
from control_plane.cli._gateway_due import COMMANDS, by_itself, collecting_columns, collecting_options
from control_plane.cli._group import Group
from control_plane.cli._options import given_secret, secret_options
from control_plane.gateways import office
from control_plane.gateways.desk import Desk
from control_plane.gateways.files import import_file
from control_plane.gateways.provider import GatewayError, provider_for, provider_names
from control_plane.gateways.reconciling import reconcile
from control_plane.settings import Settings

command = Group("gateway", help="Payment gateways: pages to pay on, direct debits, and what came of them.")
for one in COMMANDS:
    command.add_command(one)

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_ACCOUNT = click.option("--account", help="Which account; not needed where one can do it.")
_WEBHOOK_SECRET = click.option(
    "--webhook-secret-file", metavar="FILE", help="Read what notices are signed with from the first line of a file."
)
_SECRET: Final = "the key that the provider is asked with"  # noqa: S105 - words, not a secret
_SIGNING: Final = "what notices are signed with"


@command.command("add")
@click.argument("name")
@click.option("--provider", required=True, type=click.Choice(provider_names()), help="Who it is with.")
@click.option("--issuer", help="Whose money it is; not needed where there is one issuer.")
@click.option("--live", is_flag=True, help="Real money. Without it, the provider's test mode.")
@click.option("--method", help="By which method its payments are recorded; made if it is not there. NAME if not said.")
@click.option("--return-url", help="Where customers go on who have paid or signed.")
@click.option("--base-url", help="Another address in test mode; [gateways] test_hosts must name it.")
@click.option("--no-check", is_flag=True, help="Don't try the key.")
@_WEBHOOK_SECRET
@secret_options(_SECRET)
@click.pass_obj
def add(settings: Settings, /, name: str, *, provider: str, live: bool, **typed: Any) -> None:
    """Add account NAME with a provider. Its key is tried first, without changing anything there."""
    secret = given_secret(typed["secret_file"], ask=typed["ask_secret"], what=_SECRET)
    signing = given_secret(typed["webhook_secret_file"], ask=False, what=_SIGNING)
    if secret is None or signing is None:
        raise Refused("give the key with --secret-file or --ask-secret, and --webhook-secret-file")
    spoken = provider_for(provider)
    method = typed["method"] or name.replace("-", "_")
    new = office.NewAccount(name, provider, live, method, typed["return_url"], typed["base_url"])
    try:
        with open_books(settings) as connection:
            issuer = issuer_meant(connection, typed["issuer"])
            office.demand_free_name(connection, name)
        if not typed["no_check"]:
            click.echo(f"{spoken.title}: {office.try_key(settings, new, issuer.zone, secret=secret)}.")
        with open_books(settings) as connection:
            account = office.add(connection, settings, new, issuer, secret=secret, signing=signing, by=os_user())
    except office.KeyRefusedError as error:
        raise Refused(f"{error}; --no-check adds the account all the same") from error
    except (GatewayError, office.NameTakenError) as error:
        raise Refused(str(error)) from error
    mode = "real money" if live else "test mode"
    click.echo(
        f"Added gateway account {name} with {spoken.title}, {mode}; its payments are recorded as {account.method.code}."
    )
    click.echo(f"Let {spoken.title} send its notices to your address followed by\n/webhooks/{account.token}")


@command.command("list")
@_JSON
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """The accounts with providers, and where each sends its notices."""
    with open_books(settings) as connection:
        found = load_gateway_accounts(connection)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            one.name,
            provider_for(one.provider).title,
            "real money" if one.live else "test",
            one.method.code,
            "enabled" if one.enabled else "disabled",
            by_itself(one),
            f"/webhooks/{one.token}",
            one.problem or None,
        )
        for one in found
    )
    columns = ("NAME", "PROVIDER", "MODE", "METHOD", "STATE", "BY ITSELF", "NOTICES", "PROBLEM")
    print_table(columns, rows, empty="There is no account yet: corrente gateway add NAME --provider PROVIDER")


@command.command("set")
@click.argument("name")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is asked and takes notices.")
@click.option("--return-url", help="Where customers go on who have paid or signed.")
@collecting_options
@_WEBHOOK_SECRET
@secret_options(_SECRET)
@click.pass_obj
def set_(settings: Settings, /, name: str, *, enabled: bool | None, return_url: str | None, **typed: Any) -> None:
    """Change account NAME: its keys, whether it is used, what it collects by itself (`corrente gateway tonight` says what that is)."""
    secret = given_secret(typed["secret_file"], ask=typed["ask_secret"], what=_SECRET)
    signing = given_secret(typed["webhook_secret_file"], ask=False, what=_SIGNING)
    with open_books(settings) as connection:
        account = known_account(connection, name)
        columns: dict[str, object] = {} if enabled is None else {"enabled": enabled}
        columns |= {} if return_url is None else {"return_url": return_url}
        columns |= collecting_columns(typed)
        try:
            changed = office.change(
                connection, settings, account, columns, secret=secret, signing=signing, by=os_user()
            )
        except (office.NotOfferedError, office.PagesElsewhereError) as error:
            raise Refused(str(error)) from error
        if not changed:
            raise click.UsageError("nothing to change: name at least one option")
    click.echo(f"Changed {name}: {', '.join(column.replace('_', ' ') for column in changed)}.")


@command.command("check")
@click.argument("name")
@click.pass_obj
def check(settings: Settings, name: str) -> None:
    """Try the key of account NAME, without changing anything at the provider."""
    with open_books(settings) as connection:
        line = line_of(settings, connection, known_account(connection, name).id)
    click.echo(f"{line.provider.title}: {checked(line.provider, line.ask, line.context)}.")


@command.command("link")
@click.argument("document")
@_ACCOUNT
@_JSON
@click.pass_obj
def link(settings: Settings, document: str, *, account: str | None, as_json: bool) -> None:
    """A page on which invoice DOCUMENT is paid. It is printed on the invoice as a code; asked for again, it is the same page."""
    _present_invoice(settings, document, account, kind="link", as_json=as_json)


@command.command("unlink")
@click.argument("document")
@_ACCOUNT
@click.pass_obj
def unlink(settings: Settings, document: str, *, account: str | None) -> None:
    """Withdraw the page on which invoice DOCUMENT is paid. The worker does so by itself once the invoice is settled."""
    withdraw_of_invoice(settings, document, account, kind="link")


@command.command("collect")
@click.argument("document")
@_ACCOUNT
@_JSON
@click.pass_obj
def collect(settings: Settings, document: str, *, account: str | None, as_json: bool) -> None:
    """Collect what invoice DOCUMENT has open under its customer's mandate."""
    _present_invoice(settings, document, account, kind="debit", as_json=as_json)


@command.command("mandate")
@click.argument("customer")
@_ACCOUNT
@click.pass_obj
def mandate(settings: Settings, customer: str, *, account: str | None) -> None:
    """A page on which CUSTOMER signs a mandate for direct debits."""
    with open_books(settings) as connection:
        used = account_meant(connection, account, "mandate")
        whose = known_customer(connection, customer)
        asked = ask_for_mandate(connection, used, whose.id, actor=os_user())
        if isinstance(asked, NotDone):
            raise Refused(asked.message)
    made = carry_out(settings, asked.presentment_id)
    click.echo(f"{whose.name} signs on {made.value}")
    if made.expires is not None:
        click.echo(f"It can be used until {made.expires:%Y-%m-%d %H:%M} UTC.")


@command.command("mandates")
@click.option("--customer", help="Those of one customer: number, reference or whole name.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@_JSON
@click.pass_obj
def mandates(settings: Settings, *, customer: str | None, limit: int, as_json: bool) -> None:
    """The newest mandates and how they stand."""
    with open_books(settings) as connection:
        whose = None if customer is None else known_customer(connection, customer).id
        found = charges.load_mandates(connection, customer_id=whose, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = ((one.id, one.account, f"{one.customer} ({one.customer_id})", one.ref, one.state) for one in found)
    print_table(("NUMBER", "ACCOUNT", "CUSTOMER", "REFERENCE", "STATE"), rows, empty="No mandates.")


@command.command("refund")
@click.argument("payment", type=int)
@click.argument("amount", type=DECIMAL)
@click.option("--reason", required=True, help="Why, in a few words.")
@click.pass_obj
def refund(settings: Settings, payment: int, amount: Decimal, *, reason: str) -> None:
    """Give AMOUNT of PAYMENT back the way it came: no more than settles nothing. It is booked when the provider says so."""
    with open_books(settings) as connection:
        known = load_payment(connection, payment)
        if known is None:
            raise Refused(f"there is no payment {payment}: `corrente payment list` shows them")
        through = known.reference.split(" ")
        used = [one for one in load_gateway_accounts(connection) if through[:2] == ["gateway", str(one.id)]]
        if not used:
            raise Refused(f"payment {payment} came through no gateway: give it back by `corrente payment refund`")
        money = read_money(amount, known.money.currency)
        asked = ask_for_refund(connection, used[0], payment, money, reason=reason, actor=os_user())
        if isinstance(asked, NotDone):
            raise Refused(asked.message)
    made = carry_out(settings, asked.presentment_id)
    click.echo(f"{used[0].name} gives {money} of payment {payment} back as {made.ref}.")


@command.command("events")
@_ACCOUNT
@click.option("--problems", is_flag=True, help="Those alone that could not be recorded, or not booked.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@_JSON
@click.pass_obj
def events(settings: Settings, *, account: str | None, problems: bool, limit: int, as_json: bool) -> None:
    """What providers told last, and what came of it."""
    with open_books(settings) as connection:
        used = None if account is None else known_account(connection, account).id
        found = load_notices(connection, account_id=used, only_problems=problems, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            one.id,
            f"{one.told_at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}",
            one.account,
            one.topic,
            one.ref,
            one.outcome or one.problem or "waits",
            None if one.done_at else one.attempts,
        )
        for one in found
    )
    columns = ("NUMBER", "TOLD", "ACCOUNT", "EVENT", "OF", "CAME OF IT", "TRIES")
    print_table(columns, rows, empty="Nothing.")


@command.command("retry")
@click.argument("number", type=int, required=False)
@_ACCOUNT
@click.pass_obj
def retry(settings: Settings, number: int | None, *, account: str | None) -> None:
    """Have event NUMBER, or all that wait, looked into now, and ask again for what providers did not answer. The worker does it within seconds."""
    with open_books(settings) as connection:
        used = None if account is None else known_account(connection, account)
        notices, wanted = office.look_again(connection, used, notice_id=number, by=os_user())
    said = [f"{notices} events are looked into now"] if notices else []
    said += [f"{wanted} pages, debits and refunds are asked for again"] if wanted else []
    click.echo(f"{', '.join(said)}." if said else "Nothing waits.")


@command.command("reconcile")
@click.argument("name", required=False)
@click.option("--from", "since", type=DAY, help="From a day on; without it, from where it was done last.")
@click.pass_obj
def reconcile_(settings: Settings, name: str | None, *, since: date | None) -> None:
    """Ask providers for all that happened: what their notices failed to tell is recorded like what they told."""
    desk, failed = Desk(settings), []
    start = None if since is None else datetime.combine(since, time.min, UTC)
    with open_books(settings) as connection:
        accounts = [known_account(connection, name)] if name else load_gateway_accounts(connection)
        for one in accounts:
            try:
                found = reconcile(connection, desk, one.id, since=start, now=datetime.now(UTC))
            except GatewayError as error:
                failed.append(f"{one.name}: {error}")
                continue
            click.echo(
                f"{found.account}: since {found.since:%Y-%m-%d %H:%M} UTC {found.listed} events listed, {found.missed} of them never told"
            )
            connection.commit()
    if failed:
        raise Refused("\n".join(failed))
    if not accounts:
        click.echo("There is no account yet: corrente gateway add NAME --provider PROVIDER")


@command.command("payouts")
@_ACCOUNT
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@_JSON
@click.pass_obj
def payouts(settings: Settings, *, account: str | None, limit: int, as_json: bool) -> None:
    """What providers sent to the bank, what they kept, and what in it is not known here."""
    with open_books(settings) as connection:
        used = None if account is None else known_account(connection, account).id
        found = load_payouts(connection, account_id=used, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            one.id,
            one.arrives_on,
            one.account,
            one.ref,
            one.amount,
            one.fee.amount,
            one.lines,
            one.unexplained.amount if one.unexplained else None,
            ", ".join(one.unknown) or None,
        )
        for one in found
    )
    columns = ("NUMBER", "ARRIVES", "ACCOUNT", "REFERENCE", "AMOUNT", "FEE", "LINES", "IN NO LINE", "NOT KNOWN HERE")
    print_table(columns, rows, empty="No payouts.")


@command.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@_JSON
@click.pass_obj
def import_(settings: Settings, name: str, file: Path, *, as_json: bool) -> None:
    """Compare account NAME's reconciliation FILE with the books. It changes nothing but what is found."""
    with open_books(settings) as connection:
        account = known_account(connection, name)
        try:
            found = import_file(connection, account, file.name, file.read_bytes(), actor=os_user())
        except OSError as error:
            raise Refused(f"{file} can't be read: {error.strerror}") from error
        except GatewayError as error:
            raise Refused(f"{file}: {error}") from error
    if as_json:
        print_json(found)
        return
    again = " (read before)" if found.again else ""
    click.echo(f"{found.rows} rows of {found.payouts} payouts, {found.total} in all{again}.")
    print_table(("PAYOUT", "OF", "FINDING"), found.findings, empty="All of it is in the books as the file says.")


def _present_invoice(settings: Settings, document: str, name: str | None, *, kind: str, as_json: bool) -> None:
    with open_books(settings) as connection:
        document_id = find_document(connection, document)
        account = account_meant(connection, name, kind)
        asked = ask_for_invoice(connection, account, document_id, kind=kind, actor=os_user())
    if isinstance(asked, Outdated):
        # Paid in part since: the page of the old amount goes first.
        withdraw_charge(settings, account.id, asked.link.charge_id, asked.link.ref)
        with open_books(settings) as connection:
            asked = ask_for_invoice(connection, account, document_id, kind=kind, actor=os_user())
    if not isinstance(asked, Asked):
        raise Refused(asked.message if isinstance(asked, NotDone) else "its page changes just now: try again")
    made = carry_out(settings, asked.presentment_id)
    with open_books(settings) as connection:
        found = charges.load_link(connection, asked.presentment_id)
    if as_json:
        print_json(
            {
                "document": document,
                "account": account.name,
                "amount": found.amount,
                "link": made.value,
                "reference": made.ref,
            }
        )
        return
    if kind == "link":
        click.echo(f"{document}, {found.amount}, is paid on {made.value}")
    else:
        click.echo(f"{document}: {found.amount} are collected through {account.name} as {made.ref}.")

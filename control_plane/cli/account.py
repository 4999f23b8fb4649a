"""`corrente account`: subscriber accounts, what they get and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from billing.plain_text import is_seen
from billing.store.contract_page import has_terms
from control_plane.accounts import secrets
from control_plane.accounts.line_sessions import sessions_of
from control_plane.accounts.not_done import NotDoneError
from control_plane.accounts.secrets import NO_SECRET
from control_plane.accounts.writing import add_account, change_account
from control_plane.cli._account_limits import lift, relief, restrict
from control_plane.cli._account_plan import billed_words, change_billed_plan, change_plan, top_up
from control_plane.cli._account_show import page_json, print_page
from control_plane.cli._console import (
    Connection,
    Refused,
    changed_words,
    known_account,
    open_database,
    os_user,
    print_json,
    sealer_of,
    unknown,
)
from control_plane.cli._group import Group
from control_plane.cli._options import HOST, MAC, NETWORK, confirm, given_secret, secret_options
from control_plane.control_loop.by_hand import disconnect
from control_plane.explaining.account_page import load_page
from control_plane.made_secrets import made_password
from control_plane.quantities import QuantityError, read_instant
from control_plane.settings import Settings
from control_plane.store.account import contract_exists, load_nas_ids, save_new_contract
from control_plane.store.changes import save_changes
from control_plane.store.plan import load_plan_ids

command = Group("account", help="Subscriber accounts: who logs in, what they get and why.")
for part in (restrict, lift, relief, change_plan, top_up):
    command.add_command(part)

_SECRET: Final = "the password"  # noqa: S105 - words for a person
_CLEAR: Final = "clear"
_STATUSES: Final = ("draft", "proposal", "pending", "trial", "active", "free", "ended", "cancelled")
_KINDS: Final = ("clear", "nt", "crypt", "md5", "smd5", "sha1", "ssha1", "sha2", "password_with_header")
# Each option of one address or prefix is one kind of account_prefix.
_PREFIX_OPTIONS: Final = {
    "ipv4": "framed_ipv4",
    "ipv6_address": "framed_ipv6_address",
    "ipv6_prefix": "framed_ipv6_prefix",
    "delegated_prefix": "delegated_ipv6_prefix",
}
_DAY: Final = click.DateTime(["%Y-%m-%d"])


def _common_options(function: Any) -> Any:
    """What `add` and `set` share."""
    for option in (
        click.option("--status", type=click.Choice(_STATUSES), help="Commercial status of the contract."),
        click.option("--starts-on", type=_DAY, help="First day with service."),
        click.option("--ends-on", type=_DAY, help="First day without service."),
        click.option("--secret-kind", type=click.Choice(_KINDS), help="In what form the secret is given; clear."),
        click.option("--max-sessions", type=click.IntRange(0, 1000), help="Sessions at once; 0 is no limit."),
        click.option("--expires-at", metavar="TIME", help="The account ends, such as 2026-01-31 18:40 or +30d."),
        click.option("--mac", "macs", type=MAC, multiple=True, help="Bind to this MAC address; repeat for several."),
        click.option("--circuit", "circuits", multiple=True, help="Bind to this circuit id; repeat for several."),
        click.option("--nas", "nases", multiple=True, help="Bind to this NAS; repeat for several."),
        click.option("--ipv4", type=HOST, help="Static IPv4 address."),
        click.option("--ipv6-address", type=HOST, help="Static IPv6 address."),
        click.option("--ipv6-prefix", type=NETWORK, help="Static IPv6 prefix of the link."),
        click.option("--delegated-prefix", type=NETWORK, help="Static delegated IPv6 prefix."),
        click.option("--route", "routes", type=NETWORK, multiple=True, help="Network behind the line; repeat."),
    ):
        function = option(function)
    return secret_options(_SECRET)(function)


@command.command("add")
@click.argument("username")
@click.option("--plan", help="What was sold.")
@click.option("--customer", help="Who owes: makes a customer with one contract.")
@click.option("--contract", "contract_id", type=int, help="A further account of this contract, instead of --customer.")
@_common_options
@click.pass_obj
def add(settings: Settings, /, username: str, **options: Any) -> None:
    """Add account USERNAME. Without a secret given, a password is made and printed once."""
    given = given_secret(options["secret_file"], ask=options["ask_secret"], what=_SECRET)
    if given is None and options["secret_kind"] not in (None, _CLEAR):
        raise click.UsageError("--secret-kind needs --secret-file or --ask-secret")
    password = given or made_password()
    with open_database(settings) as connection:
        contract_id = _contract_for(connection, options)
        try:
            add_account(
                connection,
                sealer_of(settings),
                contract_id=contract_id,
                username=username,
                secret=password,
                columns={**_columns(connection, settings, options), "secret_kind": options["secret_kind"] or _CLEAR},
                addresses=_addresses(options),
                actor=os_user(),
            )
        except NotDoneError as error:
            raise Refused(str(error)) from error
    click.echo(f"Added account {username} to contract {contract_id}.")
    if given is None:
        click.echo(f"Its password, shown this once: {password}")


def _contract_for(connection: Connection, options: dict[str, Any]) -> int:
    """The contract that `add` names, or a new one."""
    if options["contract_id"] is not None:
        if any(options[name] is not None for name in ("customer", "plan", "status", "starts_on", "ends_on")):
            raise click.UsageError("--contract excludes --customer, --plan, --status, --starts-on and --ends-on")
        if not contract_exists(connection, options["contract_id"]):
            raise Refused(f"there is no contract {options['contract_id']}")
        return int(options["contract_id"])
    if options["customer"] is None or options["plan"] is None:
        raise click.UsageError("say whose account it is: --customer NAME --plan PLAN, or --contract NUMBER")
    if not is_seen(options["customer"]):
        raise click.UsageError("--customer: there is nothing in the name that is seen")
    columns = {"status": "active", **_contract_columns(options)}
    return save_new_contract(
        connection, customer=options["customer"], plan_id=_plan_id(connection, options["plan"]), columns=columns
    )


def _plan_id(connection: Connection, plan: str) -> int:
    plans = load_plan_ids(connection)
    if plan not in plans:
        raise unknown("plan", plan, plans, also="`corrente plan list` shows them")
    return plans[plan]


def _contract_columns(options: dict[str, Any]) -> dict[str, Any]:
    days: dict[str, date] = {name: options[name].date() for name in ("starts_on", "ends_on") if options[name]}
    return {**days, **({"status": options["status"]} if options["status"] else {})}


def _columns(connection: Connection, settings: Settings, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as columns of subscriber_account."""
    columns: dict[str, Any] = {}
    if options["max_sessions"] is not None:
        columns["max_sessions"] = options["max_sessions"]
    if options["expires_at"] is not None:
        columns["expires_at"] = _instant(options["expires_at"], settings)
    if options["macs"]:
        columns["macs"] = list(options["macs"])
    if options["circuits"]:
        columns["circuit_ids"] = list(options["circuits"])
    if options["nases"]:
        ids = load_nas_ids(connection, list(options["nases"]))
        for name in options["nases"]:
            if name not in ids:
                raise Refused(f"there is no NAS {name!r}; `corrente nas list` shows them")
        columns["nas_ids"] = sorted(set(ids.values()))
    return columns


def _instant(text: str, settings: Settings) -> datetime:
    try:
        return read_instant(text, zone=settings.zone, now=datetime.now(UTC))
    except QuantityError as error:
        raise click.UsageError(str(error)) from error


def _addresses(options: dict[str, Any]) -> dict[str, list[IPv4Network | IPv6Network]]:
    """The static addresses that were given or dropped, by kind."""
    given: dict[str, list[IPv4Network | IPv6Network]] = {
        kind: [options[name]] for name, kind in _PREFIX_OPTIONS.items() if options[name] is not None
    }
    if options["routes"]:
        given["route"] = list(options["routes"])
    kinds = {name.replace("_", "-"): kind for name, kind in _PREFIX_OPTIONS.items()} | {"routes": "route"}
    return {**given, **{kinds[name]: [] for name in options.get("dropped", ())}}


@command.command("set")
@click.argument("username")
@click.option("--username", "new_username", help="Rename it.")
@click.option("--plan", help="Change the contract to this plan.")
@click.option("--new-secret", is_flag=True, help="Make a new password and print it once.")
@click.option("--never-expires", is_flag=True, help="Take the expiry away.")
@click.option("--any-mac", is_flag=True, help="Take the MAC binding away.")
@click.option("--any-circuit", is_flag=True, help="Take the circuit binding away.")
@click.option("--any-nas", is_flag=True, help="Take the NAS binding away.")
@click.option(
    "--drop",
    "dropped",
    type=click.Choice(["ipv4", "ipv6-address", "ipv6-prefix", "delegated-prefix", "routes"]),
    multiple=True,
    help="Take these static addresses away.",
)
@_common_options
@click.option("--yes", is_flag=True, help="Do not ask before service ends or the password changes.")
@click.pass_obj
def set_(settings: Settings, /, username: str, *, yes: bool, **options: Any) -> None:
    """Change what is given of account USERNAME and its contract; the rest stays."""
    secret = given_secret(options["secret_file"], ask=options["ask_secret"], what=_SECRET)
    made = made_password() if options["new_secret"] else None
    _refuse_contradictions(options, secret=secret)
    with open_database(settings) as connection:
        account = known_account(connection, username)
        contract = _contract_columns(options)
        billed = has_terms(connection, account.contract_id)
        if billed and contract:
            raise Refused(billed_words(account.contract_id, contract))
        if options["plan"] is not None and not billed:
            contract["plan_id"] = _plan_id(connection, options["plan"])
        columns = {**_columns(connection, settings, options), **_taken_away(options)}
        losses = list(_losses(contract, columns, zone=settings.zone, has_new_secret=bool(secret or made)))
        if losses:
            confirm(f"{username} {', '.join(losses)}. Go on?", yes=yes)
        save_changes(connection, "contract", account.contract_id, contract)
        if options["plan"] is not None and billed:
            change_billed_plan(connection, account.contract_id, options["plan"], settings=settings)
            contract["plan_id"] = options["plan"]
        new = secret or made
        try:
            changed = change_account(
                connection,
                sealer_of(settings),
                account,
                columns=columns,
                addresses=_addresses(options),
                secret=None if new is None else (new, options["secret_kind"] or _CLEAR),
                contract=list(contract),
                actor=os_user(),
            )
        except NotDoneError as error:
            raise Refused(str(error)) from error
        if not changed:
            raise click.UsageError("nothing to change: name at least one option")
    click.echo(f"Changed account {username}: {changed_words(changed)}.")
    if made is not None:
        click.echo(f"Its password, shown this once: {made}")


def _refuse_contradictions(options: dict[str, Any], *, secret: str | None) -> None:
    if secret is not None and options["new_secret"]:
        raise click.UsageError("--new-secret excludes --secret-file and --ask-secret")
    if options["secret_kind"] is not None and secret is None:
        raise click.UsageError("--secret-kind needs --secret-file or --ask-secret")
    for away, given in (
        ("never_expires", "expires_at"),
        ("any_mac", "macs"),
        ("any_circuit", "circuits"),
        ("any_nas", "nases"),
    ):
        if options[away] and options[given]:
            raise click.UsageError(f"--{away.replace('_', '-')} takes away what another option gives")


def _taken_away(options: dict[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if options["new_username"] is not None:
        columns["username"] = options["new_username"]
    if options["never_expires"]:
        columns["expires_at"] = None
    for flag, column in (("any_mac", "macs"), ("any_circuit", "circuit_ids"), ("any_nas", "nas_ids")):
        if options[flag]:
            columns[column] = []
    return columns


def _losses(
    contract: dict[str, Any], columns: dict[str, Any], *, zone: ZoneInfo, has_new_secret: bool
) -> Iterator[str]:
    """What of a change takes service away at once, in words that follow the username."""
    now = datetime.now(UTC)
    today = now.astimezone(zone).date()
    if contract.get("status") in ("draft", "proposal", "pending", "ended", "cancelled"):
        yield f"gets no service while its contract is {contract['status']}"
    if contract.get("ends_on", date.max) <= today:
        yield f"gets no service any more: its contract ended on {contract['ends_on']}"
    if contract.get("starts_on", date.min) > today:
        yield f"gets no service before {contract['starts_on']}"
    if (columns.get("expires_at") or now) < now:
        yield "gets no service any more: the account has expired"
    if "username" in columns:
        yield f"can't log in until its router has the new username {columns['username']}"
    if has_new_secret:
        yield "can't log in until its router has the new password"


@command.command("show")
@click.argument("username")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show(settings: Settings, username: str, *, as_json: bool) -> None:
    """Show account USERNAME: contract, policy now and why, coming steps, session, logins, usage."""
    with open_database(settings) as connection:
        account = known_account(connection, username)
        page = load_page(connection, account, at=datetime.now(UTC), zone=settings.zone)
    if as_json:
        print_json(page_json(page, settings.zone))
    else:
        print_page(page, settings.zone)


@command.command("reveal-secret")
@click.argument("username")
@click.option("--reason", help="Why; it is written into the audit log. Asked for when left out.")
@click.pass_obj
def reveal_secret(settings: Settings, username: str, *, reason: str | None) -> None:
    """Print the password of account USERNAME, after writing into the audit log who saw it and why."""
    sealer = sealer_of(settings)
    with open_database(settings) as connection:
        account = known_account(connection, username)
        if account.secret_kind == NO_SECRET:
            raise Refused(f"account {username} has no secret")
        why = reason if reason is not None else str(click.prompt("Why must it be seen?"))
        try:
            secret = secrets.reveal_secret(connection, sealer, account, reason=why, actor=os_user())
        except NotDoneError as error:
            raise Refused(str(error)) from error
    # Only after the commit: what was not written down is not shown.
    click.echo(secret if account.secret_kind == _CLEAR else f"{account.secret_kind}: {secret}")


@command.command("kick")
@click.argument("username")
@click.option("--reason", required=True, help="Why; it stands in the audit log and in the enforcement.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def kick(settings: Settings, username: str, *, reason: str, yes: bool) -> None:
    """End the live sessions of account USERNAME; its router logs in anew, under the policy of then."""
    with open_database(settings) as connection:
        account = known_account(connection, username)
        confirm(f"{username} is offline until its router logs in anew. Go on?", yes=yes)
        asked = sessions_of(connection, account)
        done = disconnect(connection, settings, asked, reason=reason, by=os_user(), now=datetime.now(UTC))
    if not done.meant.sessions:
        raise Refused(f"account {username} has no live session")
    for number in done.enforcements:
        click.echo(f"Enforcement {number} ends a session of {username}.")
    if not done.opened:
        click.echo("Its sessions have another change on its way: `corrente enforcement list` shows it.")

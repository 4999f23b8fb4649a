"""`corrente nas`: the access devices that may ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from control_plane.cli._console import (
    Connection,
    Refused,
    changed_words,
    open_database,
    os_user,
    print_json,
    print_table,
    sealer_of,
    unknown,
)
from control_plane.cli._group import Group
from control_plane.cli._nas_asking import NewNas, given_nas, signing_note
from control_plane.cli._nas_check import commands as commands_command
from control_plane.cli._nas_check import commands_of_new, facing, facing_options, print_commands
from control_plane.cli._nas_check import test as test_command
from control_plane.cli._nas_options import (
    change_columns,
    change_options,
    emptied_columns,
    given_api_password,
    given_ssh_password,
)
from control_plane.cli._options import (
    DEVICE_SOURCE,
    NEW_NAME,
    confirm,
    given_secret,
    secret_options,
    warn_of_short_nas_secret,
)
from control_plane.device_commands import DeviceCommands
from control_plane.made_secrets import made_nas_secret
from control_plane.nases import (
    NasNameTakenError,
    NasRefusedError,
    NasSecrets,
    NasSourceOverlapsError,
    add_nas,
    change_nas,
    check_source,
    set_in_service,
    trust_host_key,
)
from control_plane.quantities import Network, network_text
from control_plane.settings import Settings
from control_plane.store.nas import Nas, load_nas, load_nases, load_or_save_site
from nas_drivers.driver import vendor_names

command = Group("nas", help="Access devices: who may ask, with which secret, and where CoA goes.")
command.add_command(commands_command)
command.add_command(test_command)
_SECRET = "the RADIUS shared secret"  # noqa: S105 - words for a person


def _common_options(function: Any) -> Any:
    """The columns that `add` and `set` share."""
    for option in (
        click.option("--identifier", help="What it calls itself (NAS-Identifier); shown, never trusted."),
        click.option(
            "--verification",
            type=click.Choice(["accounting", "routeros_api", "cli", "none"]),
            help="The second source that confirms a change.",
        ),
        click.option("--realm", "realms", multiple=True, help="Serve only usernames @REALM; repeat for several."),
        click.option("--site", help="The place it stands at; made when new."),
        click.option("--swap-octets/--no-swap-octets", default=None, help="It reports up and down exchanged."),
        click.option(
            "--require-message-authenticator/--no-require-message-authenticator",
            default=None,
            help="Requests without one are dropped (the default); old devices can't send it.",
        ),
        click.option("--nested", is_flag=True, help="Its prefix lies around or inside another's on purpose."),
    ):
        function = option(function)
    return secret_options(_SECRET)(change_options(function))


def _columns(connection: Connection, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as columns of the table."""
    names = ("identifier", "verification", "swap_octets", "require_message_authenticator")
    columns: dict[str, Any] = {name: options[name] for name in names if options[name] is not None}
    columns.update(change_columns(options))
    if options["realms"]:
        columns["realms"] = list(options["realms"])
    if options["site"] is not None:
        columns["site_id"] = load_or_save_site(connection, options["site"])
    return columns


def _check_vendor(vendor: str) -> None:
    if vendor not in vendor_names():
        raise unknown("vendor", vendor, vendor_names(), also=f"there are {', '.join(vendor_names())}")


@contextmanager
def _in_words() -> Iterator[None]:
    """What is refused in the block, as a command says it."""
    try:
        yield
    except NasNameTakenError as error:
        raise Refused(f"{error}; to change it: corrente nas set {error.name}") from error
    except NasSourceOverlapsError as error:
        raise Refused(f"{error}. Add --nested if that is meant") from error
    except NasRefusedError as error:
        raise Refused(str(error)) from error


@command.command("add")
@click.argument("name", type=NEW_NAME, required=False)
@click.argument("source", type=DEVICE_SOURCE, required=False)
@click.option("--vendor", help=f"How it is spoken to: {', '.join(vendor_names())}.")
@facing_options
@_common_options
@click.pass_obj
def add(settings: Settings, /, name: str | None, source: Network | None, vendor: str | None, **options: Any) -> None:
    """Add NAS NAME, and print what to paste on it.

    It sends from SOURCE: an address, or a prefix for a group with one secret. What is left out is asked for at a terminal. Without a secret given, a strong one is
    made and printed once.
    """
    if vendor is not None:
        _check_vendor(vendor)
    new = given_nas(
        name,
        source,
        vendor,
        secret_file=options["secret_file"],
        ask_secret=options["ask_secret"],
        what=_SECRET,
        has_access=options["api_username"] is not None or options["ssh_username"] is not None,
        signing=options["require_message_authenticator"],
    )
    coa_secret = given_secret(options["coa_secret_file"], ask=False, what="the CoA secret")
    options |= new.answers
    api_password, ssh_password = _access_passwords(new, options)
    made = made_nas_secret() if new.secret is None else None
    columns = {"name": new.name, "source": new.source, "vendor": new.vendor}
    with open_database(settings) as connection, _in_words():
        add_nas(
            connection,
            sealer_of(settings),
            columns | _columns(connection, options),
            NasSecrets(made or new.secret, coa_secret, api_password, ssh_password),
            nested=options["nested"],
            actor=os_user(),
        )
        commands = commands_of_new(
            connection, settings, new.name, facing(options), made_secret=made, made_access=new.made_password
        )
    _tell_added(new, commands, made, signing_note(new.vendor, new.name, required=_is_signed(options)))


def _access_passwords(new: NewNas, options: dict[str, Any]) -> tuple[str | None, str | None]:
    """Of the users of its API and of its command line: made here for one that was asked for, else as given."""
    if new.access is None:
        return given_api_password(options, has_user=False), given_ssh_password(options, has_user=False)
    password = new.access.password
    return (password, None) if new.access.by == "api" else (None, password)


def _is_signed(options: dict[str, Any]) -> bool:
    return options["require_message_authenticator"] is not False


def _tell_added(new: NewNas, commands: DeviceCommands, made: str | None, note: str | None) -> None:
    click.echo(
        f"Added NAS {new.name} at {network_text(new.source)}; it is answered as soon as the edge has published it."
    )
    if commands.text:
        click.echo("Paste this on it:\n")
    print_commands(commands)
    if commands.text:
        click.echo()
    if note is not None:
        click.echo(f"Note: {note}", err=True)
    steps = ", ".join(f"{number}. {step}" for number, step in enumerate(_next_steps(new), start=1))
    click.echo(f"Then: {steps}.")
    if new.access is not None:
        click.echo(f"Password of its user {new.access.username}, shown this once: {new.access.password}")
    if made is not None:
        click.echo(f"Its secret, shown this once: {made}")
    elif new.secret is not None:
        warn_of_short_nas_secret(new.secret)


def _next_steps(new: NewNas) -> list[str]:
    """What is left to do behind the commands, in this order."""
    steps = []
    if new.access is not None and new.access.by == "ssh":
        steps.append(f"trust its host key: `corrente nas host-key {new.name}`")
    if new.access is not None and new.access.by == "api":
        steps.append(
            f"pin the certificate that the last command shows: `corrente nas set {new.name} --api-certificate SHA256`"
        )
    return [*steps, "let one subscriber log in", f"see which part works: `corrente nas test {new.name}`"]


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """List all of them."""
    with open_database(settings) as connection:
        nases = load_nases(connection)
    if as_json:
        print_json(nases)
        return
    print_table(
        ("NAME", "SOURCE", "VENDOR", "COA", "VERIFIED BY", "REALMS", "SITE", "LIVE", "STATE"),
        (
            (
                nas.name,
                network_text(nas.source),
                nas.vendor,
                _coa_text(nas),
                nas.verification,
                ", ".join(nas.realms) or "all",
                nas.site,
                nas.live_sessions,
                "enabled" if nas.enabled else "disabled",
            )
            for nas in nases
        ),
        empty="There is no NAS yet: corrente nas add NAME ADDRESS --vendor VENDOR",
    )


def _coa_text(nas: Nas) -> str:
    if nas.coa_address is not None:
        return f"{nas.coa_address} port {nas.coa_port}"
    is_host = nas.source.prefixlen == nas.source.max_prefixlen
    return f"port {nas.coa_port}" if is_host else "each at its own address"


@command.command("set")
@click.argument("name")
@click.option("--name", "new_name", type=NEW_NAME, help="Rename it.")
@click.option("--source", type=DEVICE_SOURCE, help="It sends from another address or prefix now.")
@click.option("--vendor", help="It is spoken to in another way.")
@click.option("--new-secret", is_flag=True, help="Make a new RADIUS secret and print it once.")
@click.option("--any-realm", is_flag=True, help="Serve all usernames again.")
@click.option("--no-coa-address", is_flag=True, help="CoA goes to the source address again.")
@click.option("--no-coa-source", is_flag=True, help="CoA leaves from what the routing table picks again.")
@click.option("--no-coa-secret", is_flag=True, help="CoA is signed with the RADIUS secret again.")
@click.option("--no-api", is_flag=True, help="The RouterOS API is not used any more.")
@click.option("--no-ssh", is_flag=True, help="The command line is not used any more; its host key is forgotten.")
@click.option(
    "--no-api-certificate", is_flag=True, help="The API's certificate is checked by the system's authorities."
)
@_common_options
@click.option("--yes", is_flag=True, help="Do not ask before the secret or the source changes.")
@click.pass_obj
def set_(settings: Settings, /, name: str, *, yes: bool, **options: Any) -> None:
    """Change what is given of NAS NAME; the rest stays."""
    if options["vendor"] is not None:
        _check_vendor(options["vendor"])
    secret = given_secret(options["secret_file"], ask=options["ask_secret"], what=_SECRET)
    made = made_nas_secret() if options["new_secret"] else None
    if secret is not None and made is not None:
        raise click.UsageError("--new-secret excludes --secret-file and --ask-secret")
    coa_secret = given_secret(options["coa_secret_file"], ask=False, what="the CoA secret")
    with open_database(settings) as connection, _in_words():
        nas = _known(connection, name)
        columns = {**_columns(connection, options), **_renewed(options)}
        secrets = NasSecrets(
            secret or made,
            coa_secret,
            given_api_password(options, has_user=nas.api_username is not None),
            given_ssh_password(options, has_user=nas.ssh_username is not None),
        )
        if not columns and secrets == NasSecrets():
            raise click.UsageError("nothing to change: name at least one option")
        if "source" in columns:
            check_source(columns["source"], name, load_nases(connection), nested=options["nested"])
        if secrets.radius or "source" in columns:
            confirm(f"Until {name} is changed alike, its requests are refused. Go on?", yes=yes)
        changed = change_nas(
            connection, sealer_of(settings), nas, columns, secrets, nested=options["nested"], actor=os_user()
        )
    click.echo(f"Changed NAS {name}: {changed_words(changed)}.")
    if made is not None:
        click.echo(f"Its secret, shown this once: {made}")
    if secret is not None:
        warn_of_short_nas_secret(secret)


def _renewed(options: dict[str, Any]) -> dict[str, Any]:
    """The columns that only `set` changes."""
    if options["any_realm"] and options["realms"]:
        raise click.UsageError("--any-realm excludes --realm")
    columns: dict[str, Any] = {name: options[name] for name in ("source", "vendor") if options[name] is not None}
    if options["new_name"] is not None:
        columns["name"] = options["new_name"]
    if options["any_realm"]:
        columns["realms"] = []
    return columns | emptied_columns(options)


def _known(connection: Connection, name: str) -> Nas:
    nas = load_nas(connection, name)
    if nas is None:
        raise unknown(
            "NAS", name, (other.name for other in load_nases(connection)), also="corrente nas list has them all"
        )
    return nas


@command.command("host-key")
@click.argument("name")
@click.option("--trust", metavar="FINGERPRINT", help="Trust the key that it shows, if that has this fingerprint.")
@click.pass_obj
def host_key(settings: Settings, name: str, trust: str | None) -> None:
    """Show the SSH host key of NAS NAME, or trust it.

    Trust it once you have compared it with what the device itself says.
    Without a key that was trusted its command line is not used; a key that has changed is refused until it is trusted.
    """
    from control_plane.host_keys import NoHostKeyError, read_host_key  # noqa: PLC0415 - half a second that no other command shall take

    with open_database(settings) as connection:
        nas = _known(connection, name)
    try:
        key = read_host_key(nas)
    except NoHostKeyError as error:
        raise Refused(str(error)) from error
    if trust is None:
        click.echo(f"{name} at {nas.command_line_address} port {nas.ssh_port} shows {key.kind} {key.fingerprint}.")
        click.echo(_host_key_words(name, key.fingerprint, key.trusted))
        return
    if trust != key.fingerprint:
        raise Refused(f"{name} shows {key.fingerprint}, which is not {trust}: nothing was changed")
    with open_database(settings) as connection:
        trust_host_key(connection, nas, key.line, shown=key.fingerprint, before=key.trusted, actor=os_user())
    click.echo(f"Trusted: {name} is known by {key.fingerprint}.")


def _host_key_words(name: str, shown: str, trusted: str | None) -> str:
    if trusted == shown:
        return "It is the one that is trusted."
    before = "None is trusted yet." if trusted is None else f"It is NOT the one that is trusted, {trusted}."
    return f"{before} If the device itself says the same: corrente nas host-key {name} --trust {shown}"


@command.command("disable")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def disable(settings: Settings, name: str, *, yes: bool) -> None:
    """Answer NAS NAME no more; nothing of its history goes."""
    with open_database(settings) as connection:
        nas = _known(connection, name)
        confirm(
            f"{name} has {nas.live_sessions} live sessions, {nas.bound_accounts} accounts are bound to it; "
            "none of its logins will be answered. Disable it?",
            yes=yes,
        )
        set_in_service(connection, nas, enabled=False, actor=os_user())
    click.echo(f"Disabled NAS {name}.")


@command.command("enable")
@click.argument("name")
@click.pass_obj
def enable(settings: Settings, name: str) -> None:
    """Answer NAS NAME again."""
    with open_database(settings) as connection:
        set_in_service(connection, _known(connection, name), enabled=True, actor=os_user())
    click.echo(f"Enabled NAS {name}.")

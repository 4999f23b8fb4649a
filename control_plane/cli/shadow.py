"""`corrente shadow`: ask another RADIUS server and ours the same, and list in what the answers differ."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from control_plane import audit
from control_plane.cli._console import Connection, Refused, open_database, os_user, unknown
from control_plane.settings import Settings, SettingsError, secret_keys
from control_plane.takeover import store
from control_plane.takeover.access_packet import WireAttribute
from control_plane.takeover.apply_wanted import Sources
from control_plane.takeover.shadow import compare_replies, encode_attribute
from control_plane.takeover.shadow_asking import Asked, Question, Server, ask_both
from nas_drivers.dictionaries.reader import Dictionary, DictionaryError, load_dictionary
from radius_hooks.sealing import Sealer, SealError, account_row, nas_row

# What every PPPoE login holds; --attribute replaces and adds.
_USUAL: Final = (
    ("Service-Type", "Framed-User"),
    ("Framed-Protocol", "PPP"),
    ("NAS-Port-Type", "Ethernet"),
    ("NAS-Port-Id", "shadow"),
)
# The only kind of secret that we can prove to a server.
_CLEAR: Final = "clear"


class _HostPort(click.ParamType[tuple[str, int]]):
    name = "host:port"

    def convert(
        self, value: str | tuple[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
            self.fail(f"{value!r}: expected HOST:PORT such as 192.0.2.1:1812 or [2001:db8::1]:1812", param, ctx)
        return host.strip("[]"), int(port)


@click.command("shadow")
@click.option("--server", required=True, type=_HostPort(), help="The server to compare with.")
@click.option("--secret-file", required=True, type=click.Path(path_type=Path), help="Its shared secret with this host.")
@click.option("--ours", type=_HostPort(), help="Our FreeRADIUS; that of the settings by default.")
@click.option("--ours-secret-file", type=click.Path(path_type=Path), help="Its secret; that of the NAS at its address.")
@click.option(
    "--users", type=click.File(encoding="utf-8"), help="Usernames to ask for, one a line; - is standard input."
)
@click.option("--all", "everyone", is_flag=True, help="Ask for every account.")
@click.option("--sample", type=click.IntRange(min=1), help="Ask for so many accounts, drawn by chance.")
@click.option("--nas", "nas_name", help="Ask as this NAS: its address as NAS-IP-Address, its name as NAS-Identifier.")
@click.option("--attribute", "extra", multiple=True, metavar="NAME=VALUE", help="Put this into each question; repeat.")
@click.option("--chap", is_flag=True, help="Prove the password by CHAP instead of PAP.")
@click.option("--rate", type=click.FloatRange(0.1, 5000), default=200.0, show_default=True, help="Questions a second.")
@click.option("--timeout-s", type=click.FloatRange(0.1, 60), default=3.0, show_default=True, help="For one answer.")
@click.pass_obj
def command(
    settings: Settings,
    *,
    server: tuple[str, int],
    secret_file: Path,
    ours: tuple[str, int] | None,
    ours_secret_file: Path | None,
    users: TextIO | None,
    everyone: bool,
    sample: int | None,
    nas_name: str | None,
    extra: tuple[str, ...],
    chap: bool,
    rate: float,
    timeout_s: float,
) -> None:
    """Ask a running RADIUS server and ours the same questions with the accounts' own passwords.

    Prints each difference; the exit code is 1 when there is any. Passwords are never shown. Both servers see logins:
    they write them down as such, but no session begins.
    """
    if sum((users is not None, everyone, sample is not None)) != 1:
        raise click.UsageError("say whom to ask for: one of --users, --all, --sample")
    try:
        dictionary = load_dictionary(settings.radius.freeradius_dictionary)
        sealer = Sealer(secret_keys(settings))
        with open_database(settings, autocommit=True) as connection:
            attributes = _attributes(connection, nas_name, extra, dictionary)
            names = [line.strip() for line in users if line.strip()] if users is not None else None
            questions, hashed = _questions(connection, sealer, names, sample, attributes, chap=chap)
            address = ours or (settings.radius.listen_address, settings.radius.authentication_port)
            mine = _ours(connection, sealer, address=address, secret_file=ours_secret_file, timeout_s=timeout_s)
            detail = {"asked": len(questions), "server": f"{server[0]}:{server[1]}"}
            audit.append(connection, actor=os_user(), action="shadow.asked", subject="accounts", detail=detail)
    except (DictionaryError, SettingsError, SealError) as error:
        raise Refused(str(error)) from error
    theirs = Server(*server, _secret(secret_file), timeout_s)
    _ask_all(
        theirs, mine, questions, hashed, dictionary, rate=rate, jitter_percent=settings.access.timeout_jitter_percent
    )


def _ask_all(
    theirs: Server,
    ours: Server,
    questions: Sequence[Question],
    hashed: int,
    dictionary: Dictionary,
    *,
    rate: float,
    jitter_percent: int,
) -> None:
    compare = partial(compare_replies, dictionary=dictionary, jitter_percent=jitter_percent)
    # As many at once as keeps the rate when every answer is held back for as long as it may be.
    parallel = max(1, min(64, int(rate * theirs.timeout_s)))
    different = 0
    console = Console(stderr=True)
    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("asking", total=len(questions))
        for asked in ask_both(theirs, ours, questions, compare, rate=rate, parallel=parallel):
            different += bool(asked.differences)
            sys.stdout.writelines(_lines(asked))
            progress.advance(task)
    aside = f"; {hashed} with a hashed secret can't be asked for" if hashed else ""
    click.echo(f"{len(questions)} asked for, {different} answered differently{aside}")
    if different:
        raise click.exceptions.Exit(1)


def _lines(asked: Asked) -> list[str]:
    return [
        f"{asked.username}: {one.what}: there {one.theirs or 'nothing'}, here {one.ours or 'nothing'}\n"
        for one in asked.differences
    ]


def _secret(file: Path) -> bytes:
    try:
        secret = file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file}: the shared secret can't be read: {error}") from error
    if not secret:
        raise Refused(f"{file}: the shared secret is empty")
    return secret.encode()


def _ours(
    connection: Connection,
    sealer: Sealer,
    *,
    address: tuple[str, int],
    secret_file: Path | None,
    timeout_s: float,
) -> Server:
    if secret_file is not None:
        return Server(*address, _secret(secret_file), timeout_s)
    nases = {nas.source: nas for nas in store.load_nases(connection)}
    try:
        source = Sources(nases).holding(address[0])
    except ValueError:
        source = None
    if source is None:
        raise Refused(
            f"no NAS has the address {address[0]}, from which our server would be asked: make one with "
            "`corrente nas add`, or name its secret with --ours-secret-file"
        )
    nas = nases[source]
    return Server(*address, sealer.open(nas.sealed_secret, row=nas_row(nas.id)), timeout_s)


def _attributes(
    connection: Connection, nas_name: str | None, extra: Sequence[str], dictionary: Dictionary
) -> tuple[WireAttribute, ...]:
    named = dict(_USUAL)
    if nas_name is not None:
        nases = {nas.name: nas for nas in store.load_nases(connection)}
        if nas_name not in nases:
            raise unknown("NAS", nas_name, nases)
        address = nases[nas_name].source.partition("/")[0]
        named["NAS-IPv6-Address" if ":" in address else "NAS-IP-Address"] = address
        named["NAS-Identifier"] = nas_name
    for text in extra:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--attribute {text!r}: expected NAME=VALUE")
        named[name] = value
    try:
        return tuple(encode_attribute(name, value, dictionary) for name, value in named.items())
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--attribute: {error}") from error


def _questions(
    connection: Connection,
    sealer: Sealer,
    names: Sequence[str] | None,
    sample: int | None,
    attributes: tuple[WireAttribute, ...],
    *,
    chap: bool,
) -> tuple[list[Question], int]:
    """The questions, and how many accounts have a secret that only its subscriber knows."""
    known = store.load_secrets(connection, names)
    if names is not None:
        missing = sorted(set(names) - {one.username for one in known})
        if missing:
            raise Refused(
                f"no subscriber account {missing[0]!r}" + (f" and {len(missing) - 1} more" if missing[1:] else "")
            )
    clear = [one for one in known if one.secret_kind == _CLEAR]
    chosen = clear if sample is None else random.sample(clear, min(sample, len(clear)))
    questions = [
        Question(
            one.username,
            sealer.open(one.sealed_secret, row=account_row(one.id)),
            (*attributes, *_line_of(one.macs)),
            chap,
        )
        for one in chosen
    ]
    return questions, len(known) - len(clear)


def _line_of(macs: Sequence[str]) -> tuple[WireAttribute, ...]:
    """Calling-Station-Id as RouterOS writes it, for an account that is bound to a MAC address."""
    if not macs:
        return ()
    text = ":".join(macs[0][at : at + 2] for at in range(0, 12, 2)).upper()
    return (WireAttribute(0, 31, text.encode()),)

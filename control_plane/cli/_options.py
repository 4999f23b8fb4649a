"""Option types and secrets, shared by commands: what is typed becomes a value or one clear error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from control_plane.cli._console import Refused
from control_plane.made_secrets import GOOD_NAS_SECRET_CHARACTERS, MOST_SECRET_OCTETS, is_storable
from control_plane.quantities import (
    QuantityError,
    instant_text,
    read_device_address,
    read_device_policy,
    read_device_source,
    read_duration_s,
    read_host,
    read_instant,
    read_mac,
    read_network,
    read_new_name,
    read_octets,
    read_rates,
)


class Quantity(click.ParamType[Any]):
    """An option whose text one of the readers in quantities.py turns into a value."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, or a usage error with the reader's words."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except QuantityError as error:
            self.fail(str(error), param, ctx)


RATES: Final = Quantity("down/up", read_rates)
OCTETS: Final = Quantity("octets", read_octets)
DURATION: Final = Quantity("duration", read_duration_s)
NETWORK: Final = Quantity("address or prefix", read_network)
HOST: Final = Quantity("address", read_host)
DEVICE_SOURCE: Final = Quantity("address or prefix", read_device_source)
DEVICE_ADDRESS: Final = Quantity("address", read_device_address)
NEW_NAME: Final = Quantity("name", read_new_name)
DEVICE_POLICY: Final = Quantity("name", read_device_policy)
MAC: Final = Quantity("mac", read_mac)


def secret_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--secret-file` and `--ask-secret`: a secret never stands among the arguments, where every user of the machine
    and the shell's history could read it.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        asked = click.option("--ask-secret", is_flag=True, help=f"Ask for {what} twice, without showing it.")
        filed = click.option(
            "--secret-file", metavar="FILE", help=f"Read {what} from the first line of a file; - is standard input."
        )
        return filed(asked(command))

    return add


def given_secret(secret_file: str | None, *, ask: bool, what: str) -> str | None:
    """The secret that the options name, None when they name none."""
    if secret_file is not None and ask:
        raise click.UsageError("--secret-file and --ask-secret exclude each other")
    if ask:
        return _checked(str(click.prompt(what, hide_input=True, confirmation_prompt=True)), "what was typed")
    if secret_file is None:
        return None
    try:
        is_stdin = secret_file == "-"  # noqa: S105 - the usual name of standard input
        text = sys.stdin.readline() if is_stdin else Path(secret_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{secret_file}: {what} can't be read: {getattr(error, 'strerror', None) or error}") from error
    return _checked(text.split("\n", 1)[0].removesuffix("\r"), secret_file)


def _checked(secret: str, source: str) -> str:
    if not secret:
        raise Refused(f"{source}: the secret is empty")
    if not is_storable(secret):
        raise Refused(f"{source}: a secret has at most {MOST_SECRET_OCTETS} printable characters")
    return secret


def warn_of_short_nas_secret(secret: str) -> None:
    """Say so when a shared secret can be found by trying: what it protects is seen by everyone on the path."""
    if len(secret) < GOOD_NAS_SECRET_CHARACTERS:
        click.echo(f"Warning: {len(secret)} characters are few for a shared secret; use 16 or more.", err=True)


def coming_instant(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The time that was typed, such as 2026-01-31 18:40 or +2d; one that is over is refused."""
    try:
        instant = read_instant(text, zone=zone, now=now)
    except QuantityError as error:
        raise click.UsageError(str(error)) from error
    if instant <= now:
        raise Refused(f"{instant_text(instant, zone)} is over; give a time to come")
    return instant


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what takes service away, beside what is printed; `--yes` answers, and without a terminal nothing is done."""
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        raise Refused("nothing was changed: answer the question with y, or give --yes") from None
    if not agreed:
        raise Refused("nothing was changed")


def tell_live(sessions: int) -> None:
    """Say how many live sessions a change of a plan or profile reaches, and who may stop it."""
    if sessions:
        click.echo(
            f"  {sessions:,} live sessions are told at once; what takes away waits for a person when it is more than the "
            "guard lets go: `corrente guard status`"
        )

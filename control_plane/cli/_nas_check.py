"""`corrente nas commands` and `corrente nas test`: what to paste on a device, and whether it works."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from control_plane.cli._console import Connection, Refused, open_database, os_user, print_json, sealer_of, unknown
from control_plane.cli._findings import print_finding
from control_plane.cli._nas_asking import signing_note
from control_plane.cli._options import DEVICE_ADDRESS
from control_plane.device_commands import (
    DeviceCommands,
    Facing,
    device_commands,
    hidden_secrets,
)
from control_plane.exit_codes import INTERRUPTED
from control_plane.findings import Verdict
from control_plane.nases import reveal_secrets
from control_plane.settings import Settings
from control_plane.store.nas import load_nas, load_nases
from control_plane.store.targets import NasTarget, load_targets
from nas_drivers.errors import NasError
from radius_hooks.sealing import SealError


def _target(connection: Connection, name: str) -> NasTarget:
    targets = {nas.name: nas for nas in load_targets(connection)}
    if name not in targets:
        raise unknown("NAS", name, targets, also="corrente nas list has them all")
    return targets[name]


def facing_options(function: Any) -> Any:
    """What only a person may know of how a device sees us."""
    for option in (
        click.option(
            "--radius-address",
            "radius_addresses",
            type=DEVICE_ADDRESS,
            multiple=True,
            help="Our address as the device reaches it; repeat for several nodes. Else the one this machine would use.",
        ),
        click.option("--portal-address", type=DEVICE_ADDRESS, help="What the walled garden may reach."),
    ):
        function = option(function)
    return function


def facing(options: dict[str, Any]) -> Facing:
    """The options as values."""
    device, portal = options.get("device"), options["portal_address"]
    return Facing(
        None if device is None else device.network_address,
        tuple(one.network_address for one in options["radius_addresses"]),
        None if portal is None else portal.network_address,
    )


def commands_of_new(
    connection: Connection,
    settings: Settings,
    name: str,
    how: Facing,
    *,
    made_secret: str | None,
    made_access: str | None = None,
) -> DeviceCommands:
    """What to paste on a NAS that was just added: a secret or password that was made now is shown, one that was given is not.

    Where the commands can't be printed, a note says why: the NAS is added all the same.
    """
    nas = _target(connection, name)
    hidden = hidden_secrets(nas)
    try:
        secrets = hidden if made_secret is None else replace(hidden, radius=made_secret)
        secrets = secrets if made_access is None else replace(secrets, access=made_access)
        return device_commands(connection, settings, nas, secrets, how)
    except NasError as error:
        return DeviceCommands("", (f"no commands to paste: {error}",))


def print_commands(commands: DeviceCommands) -> None:
    """The text on standard output alone, so that it can be kept in a file; the notes beside it."""
    click.echo(commands.text, nl=False)
    for note in commands.notes:
        click.echo(f"Note: {note}", err=True)


@click.command("commands")
@click.argument("name")
@click.option("--device", type=DEVICE_ADDRESS, help="Which of the devices, where NAME stands for many.")
@facing_options
@click.option(
    "--show-secret", is_flag=True, help="With the secrets in clear; the audit log keeps who saw them and why."
)
@click.option("--reason", help="Why they must be seen. Asked for when left out.")
@click.pass_obj
def commands(settings: Settings, /, name: str, *, show_secret: bool, reason: str | None, **options: Any) -> None:
    """Print again what to paste on NAS NAME."""
    with open_database(settings) as connection:
        nas = _target(connection, name)
        whole = load_nas(connection, name)
        signed = whole is not None and whole.require_message_authenticator
        shown = None
        try:
            if show_secret:
                why = (reason if reason is not None else str(click.prompt("Why must it be seen?", err=True))).strip()
                if not why:
                    raise Refused("a reason is needed: the audit log keeps it")
                shown = reveal_secrets(connection, nas, sealer_of(settings), reason=why, actor=os_user())
            found = device_commands(connection, settings, nas, shown or hidden_secrets(nas), facing(options))
        except SealError as error:
            raise Refused(f"{error}; the settings need the key it was sealed with") from error
        except NasError as error:
            raise Refused(str(error)) from error
    # Only after the commit: what was not written down is not shown.
    note = signing_note(nas.vendor, name, required=signed)
    print_commands(found if note is None else replace(found, notes=(*found.notes, note)))


@click.command("test")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def test(settings: Settings, name: str, *, as_json: bool) -> None:
    """Say step by step which part of NAS NAME works, and what to do.

    No subscriber is touched. It takes seconds, and up to two minutes where the device does not answer; Ctrl-C ends it at once. The exit code is 1 when a line
    says FAIL, 130 after Ctrl-C.
    """
    from control_plane.device_test.looking import look_at  # noqa: PLC0415 - SSH is half a second, for this command alone

    rows = []
    sealer = sealer_of(settings)
    with open_database(settings, autocommit=True) as connection:
        nas = load_nas(connection, name)
        if nas is None:
            raise unknown("NAS", name, (other.name for other in load_nases(connection)))
        try:
            target = _target(connection, name)
            for finding in look_at(connection, settings, nas, target, sealer, tell=_tell_at_a_terminal):
                rows.append(finding)
                if not as_json:
                    print_finding(finding)
        except NasError as error:
            raise Refused(str(error)) from error
        except KeyboardInterrupt:
            # As a shell has it: 1 would say that a step failed.
            click.echo("Stopped; what stands above was seen.", err=True)
            raise SystemExit(INTERRUPTED) from None
    failed = sum(one.verdict is Verdict.FAIL for one in rows)
    if as_json:
        steps = [
            {"step": one.subject, "verdict": one.verdict.value, "text": str(one.text), "advice": str(one.advice)}
            for one in rows
        ]
        print_json({"nas": name, "failed": failed, "steps": steps})
    elif failed:
        click.echo(f"{failed} to put right.", err=True)
    if failed:
        raise SystemExit(1)


def _tell_at_a_terminal(words: str) -> None:
    """What takes a while; a script's output has none of it."""
    if sys.stderr.isatty():
        click.echo(click.style(f"      … {words}", dim=True), err=True)

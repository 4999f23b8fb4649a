"""`corrente enforcement`: changes on their way to live sessions, every packet of theirs, and one more try."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

import click

from control_plane.cli._console import Refused, leveled, open_database, os_user, print_json, print_table
from control_plane.cli._group import Group
from control_plane.control_loop.enforcement import State
from control_plane.control_loop.error_cause import CAUSES
from control_plane.drift_deeds import NotSentAgainError, send_again
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.enforcement_list import (
    Listed,
    load_enforcement,
    load_enforcements,
    load_packets,
)

command = Group("enforcement", help="Changes on their way to live sessions, their packets, and one more try.")
_CODES: Final = {
    0: "API or command line",
    40: "Disconnect-Request",
    41: "Disconnect-ACK",
    42: "Disconnect-NAK",
    43: "CoA-Request",
    44: "CoA-ACK",
    45: "CoA-NAK",
}


@command.command("list")
@click.option("--user", help="Only this username.")
@click.option("--nas", help="Only this NAS.")
@click.option("--state", type=click.Choice([one.value for one in State]), help="Only in this state.")
@click.option("--open", "open_only", is_flag=True, help="Only what is not closed yet.")
@click.option("--alarms", is_flag=True, help="Only what a person must look at.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_command(
    settings: Settings,
    *,
    user: str | None,
    nas: str | None,
    state: str | None,
    open_only: bool,
    alarms: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Changes, newest first, with where they stand and why."""
    with open_database(settings) as connection:
        found = load_enforcements(
            connection, username=user, nas=nas, state=state, alarms=alarms, open_only=open_only, limit=limit
        )
    if as_json:
        print_json([_plain(one) for one in found])
        return
    zone = settings.zone
    print_table(
        ("number", "wanted", "username", "nas", "level", "state", "method", "tried", "cause", "problem"),
        (
            (
                one.id,
                instant_text(one.wanted_at, zone),
                one.username,
                one.nas,
                one.level,
                "held" if one.held_since is not None and one.closed_at is None else one.state,
                one.method,
                one.attempt,
                one.error_cause,
                (one.held_reason if one.closed_at is None else "") or one.problem,
            )
            for one in found
        ),
        empty="nothing that a person must look at" if alarms else "no change",
    )


@command.command("show")
@click.argument("number", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def show_command(settings: Settings, *, number: int, as_json: bool) -> None:
    """One change: why, from what to what, each state with its time, every packet with its attributes."""
    with open_database(settings) as connection:
        found = _known(load_enforcement(connection, number), number)
        packets = load_packets(connection, number)
    if as_json:
        print_json({**_plain(found), "packets": [asdict(one) for one in packets]})
        return
    zone = settings.zone
    wanted = "the session must end" if found.profile_id is None else f"profile {found.profile or found.profile_id}"
    click.echo(f"Change {found.id} of {found.username} on {found.nas}, session {found.acct_session_id}")
    click.echo(f"  wanted   {leveled(found.level, found.reason)} ({wanted})")
    click.echo(f"  version  {_hex(found.from_version)} -> {_hex(found.desired_version)}")
    click.echo(
        f"  state    {found.state} by {found.method}, tried {found.attempt} time{'' if found.attempt == 1 else 's'}"
    )
    if found.error_cause is not None:
        rule = CAUSES.get(found.error_cause)
        click.echo(f"  cause    {found.error_cause}{'' if rule is None else f': {rule.meaning}'}")
    if found.problem:
        click.echo(f"  problem  {found.problem}")
    if found.held_since is not None:
        click.echo(f"  held     since {instant_text(found.held_since, zone)}: {found.held_reason}")
    for name in ("wanted_at", "created_at", "sent_at", "answered_at", "closed_at", "alarmed_at", "next_at"):
        at: datetime | None = getattr(found, name)
        if at is not None and (name != "next_at" or found.closed_at is None):
            click.echo(f"  {name.removesuffix('_at'):8} {instant_text(at, zone)}")
    for packet in packets:
        arrow = "->" if packet.direction == "sent" else "<-"
        name = _CODES.get(packet.code, f"code {packet.code}")
        click.echo(f"{packet.at.astimezone(zone):%H:%M:%S.%f} {arrow} {packet.peer} {name} id {packet.identifier}")
        for line in packet.attributes.splitlines():
            click.echo(f"    {line}")


@command.command("retry")
@click.argument("number", type=click.IntRange(1))
@click.pass_obj
def retry_command(settings: Settings, *, number: int) -> None:
    """Send a change now: one that waits becomes due, one that was given up is opened anew.

    The guard, maintenance and the global stop still hold; nothing is sent that is no longer wanted.
    """
    with open_database(settings) as connection:
        found = _known(load_enforcement(connection, number), number)
        try:
            again = send_again(connection, settings, found, actor=os_user(), now=datetime.now(UTC))
        except NotSentAgainError as error:
            raise Refused(str(error)) from error
    click.echo(f"Change {again} of {found.username} is due now.")


def _known(found: Listed | None, number: int) -> Listed:
    if found is None:
        raise Refused(f"there is no change {number}; `corrente enforcement list` shows them")
    return found


def _plain(one: Listed) -> dict[str, object]:
    return {**asdict(one), "from_version": _hex(one.from_version), "desired_version": _hex(one.desired_version)}


def _hex(version: bytes | None) -> str:
    return "none" if version is None else version.hex()

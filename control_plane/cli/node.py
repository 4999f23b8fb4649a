"""`corrente node`: the RADIUS nodes, and whose each name is."""

from __future__ import annotations

from dataclasses import asdict

import click

from control_plane import audit
from control_plane.cli._console import Refused, open_database, os_user, print_json, print_table, unknown
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.node import load_holder, load_holders, release_name

command = Group("node", help="RADIUS nodes: whose each name is, and how far its accounting has been read.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def list_command(settings: Settings, *, as_json: bool) -> None:
    """The nodes whose edges have shipped accounting, and on which machine."""
    with open_database(settings) as connection:
        found = load_holders(connection)
    if as_json:
        print_json([asdict(node) for node in found])
        return
    zone = settings.zone
    print_table(
        ("node", "host", "installation", "since", "read up to", ""),
        (
            (
                node.node,
                node.host,
                node.installation[:8],
                instant_text(node.since, zone),
                "nothing yet" if node.read_to is None else instant_text(node.read_to, zone),
                "alive" if node.alive else "silent",
            )
            for node in found
        ),
        empty="no edge has shipped yet",
    )


@command.command("release")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def release_command(settings: Settings, *, name: str, yes: bool) -> None:
    """Free the name of a node whose machine or disk is gone: the next edge that starts under it has it.

    Refused while the edge that has it is alive. Nothing that was counted is touched.
    """
    with open_database(settings) as connection:
        holder = load_holder(connection, name)
        if holder is None:
            raise unknown("node", name, (node.node for node in load_holders(connection)))
        if holder.alive:
            raise Refused(
                f"the edge of node {name} on host {holder.host} was heard a moment ago: stop it, and try again in a minute"
            )
        confirm(f"Is the edge of node {name} on host {holder.host} gone for good?", yes=yes)
        release_name(connection, name)
        detail = {"host": holder.host, "installation": holder.installation}
        audit.append(connection, actor=os_user(), action="node.release", subject=name, detail=detail)
    click.echo(f"Node name {name} is free: the next edge that starts under it has it.")

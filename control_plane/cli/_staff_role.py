"""`corrente staff role`: sets of permissions."""

from __future__ import annotations

import click

from control_plane.access.people import add_role, change_role, remove_role
from control_plane.access.permissions import Permission, section_of
from control_plane.cli._console import print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._staff_words import (
    GRANT,
    JSON,
    known_role,
    open_access,
    permission_words,
    read_permissions,
    typist,
)
from control_plane.settings import Settings
from control_plane.store.staff import load_roles

command = Group("role", help="Roles: what who has one may do.")


@command.command("list")
@JSON
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """All roles with what they grant and how many have them."""
    with open_access(settings) as connection:
        found = load_roles(connection)
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "permissions": sorted(one.permissions),
                    "members": one.members,
                    "needs_second_factor": one.needs_second_factor,
                }
                for one in found
            ]
        )
        return
    rows = (
        (one.name, one.members, "needed" if one.needs_second_factor else "", permission_words(one.permissions))
        for one in found
    )
    print_table(
        ("ROLE", "MEMBERS", "SECOND FACTOR", "GRANTS"), rows, empty="No roles: `corrente staff role new` makes one."
    )


@command.command("permissions")
@JSON
def permissions(*, as_json: bool) -> None:
    """The permissions that there are, by section of the console."""
    if as_json:
        print_json([one.value for one in Permission])
        return
    sections = dict.fromkeys(section_of(one) for one in Permission)
    rows = ((name, ", ".join(one.value for one in Permission if section_of(one) == name)) for name in sections)
    print_table(("SECTION", "PERMISSIONS"), rows, empty="None.")


@command.command("new")
@click.argument("name")
@GRANT
@click.option("--second-factor", is_flag=True, help="Who has it makes a second factor before anything else.")
@click.pass_obj
def new(settings: Settings, /, *, name: str, grants: tuple[str, ...], second_factor: bool) -> None:
    """Add role NAME; what is not granted is refused."""
    granted = read_permissions(grants)
    with open_access(settings) as connection:
        add_role(connection, name, permissions=granted, by=typist(), needs_second_factor=second_factor)
    click.echo(f"Role {name}: {permission_words(granted)}.")


@command.command("set")
@click.argument("name")
@GRANT
@click.option("--take", "takes", multiple=True, metavar="PERMISSION", help="What it grants no more, as with --grant.")
@click.option(
    "--second-factor/--no-second-factor",
    "second_factor",
    default=None,
    help="Whether who has it makes a second factor before anything else; tokens go on.",
)
@click.pass_obj
def set_(
    settings: Settings,
    /,
    *,
    name: str,
    grants: tuple[str, ...],
    takes: tuple[str, ...],
    second_factor: bool | None,
) -> None:
    """Grant more with role NAME, or less, or demand a second factor; it holds from everybody's next request on."""
    if not (grants or takes) and second_factor is None:
        raise click.UsageError("say what to --grant or to --take, or whether it needs a --second-factor")
    more, less = read_permissions(grants), read_permissions(takes)
    with open_access(settings) as connection:
        granted = (known_role(connection, name).permissions | more) - less
        change_role(connection, name, permissions=granted, by=typist(), needs_second_factor=second_factor)
    click.echo(f"Role {name}: {permission_words(granted)}.")


@command.command("remove")
@click.argument("name")
@click.pass_obj
def remove(settings: Settings, /, *, name: str) -> None:
    """Take role NAME away, which nobody has."""
    with open_access(settings) as connection:
        known_role(connection, name)
        remove_role(connection, name, by=typist())
    click.echo(f"Role {name} is removed.")

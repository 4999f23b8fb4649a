"""`corrente staff token`: what programs show instead of signing in."""

from __future__ import annotations

import click

from control_plane.access.api_tokens import make_api_token, revoke_api_token
from control_plane.cli._console import print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._options import coming_instant
from control_plane.cli._staff_words import (
    GRANT,
    JSON,
    known_person,
    now,
    open_access,
    permission_words,
    read_permissions,
    typist,
)
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.staff import permissions_of
from control_plane.store.staff_tokens import load_api_tokens

command = Group("token", help="Tokens of programs: what they show instead of signing in.")


@command.command("new")
@click.argument("holder")
@click.argument("name")
@GRANT
@click.option("--until", metavar="TIME", help="It is over then, such as 2027-01-31 or +90d; without it it stays.")
@JSON
@click.pass_obj
def new(
    settings: Settings, /, *, holder: str, name: str, grants: tuple[str, ...], until: str | None, as_json: bool
) -> None:
    """Make a token that acts for HOLDER, for a program called NAME. It is shown once.

    It may no more than it is granted, and no more than its holder may at that moment.
    """
    granted, at = read_permissions(grants), now()
    with open_access(settings) as connection:
        made = make_api_token(
            connection,
            known_person(connection, holder),
            name=name,
            permissions=granted,
            expires_at=None if until is None else coming_instant(until, settings.zone, at),
            by=typist(),
            now=at,
        )
    if as_json:
        print_json({"number": made.id, "name": made.name, "token": made.token})
        return
    click.echo(f"Token {made.id} {made.name}: {made.token} (not shown again)\nIt may: {permission_words(granted)}.")


@command.command("list")
@JSON
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """The tokens that are not revoked, the newest first."""
    with open_access(settings) as connection:
        found = load_api_tokens(connection)
    if as_json:
        print_json(found)
        return
    zone = settings.zone
    rows = (
        (
            one.id,
            one.staff_name,
            one.name,
            f"{one.prefix}…",
            permission_words(permissions_of(one.permissions)),
            instant_text(one.expires_at, zone) if one.expires_at else "",
            instant_text(one.last_used_at, zone) if one.last_used_at else "",
        )
        for one in found
    )
    print_table(("NUMBER", "HOLDER", "NAME", "TOKEN", "MAY", "UNTIL", "LAST USED"), rows, empty="No tokens.")


@command.command("revoke")
@click.argument("number", type=int)
@click.pass_obj
def revoke(settings: Settings, /, *, number: int) -> None:
    """Let token NUMBER open nothing from now on."""
    with open_access(settings) as connection:
        revoked = revoke_api_token(connection, number, by=typist(), now=now())
    click.echo(f"Token {number} {revoked.name} of {revoked.staff_name} is revoked.")

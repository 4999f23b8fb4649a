"""`corrente staff`: who may come into the console, what they may do there, and who is in."""

from __future__ import annotations

from typing import Any

import click

from control_plane.access.people import (
    add_person,
    change_person,
    drop_second_factors,
    end_all_sessions,
    end_session,
    give_one_time_password,
    unlock,
)
from control_plane.cli._agents import known_agent
from control_plane.cli._cash_words import known_collector
from control_plane.cli._console import Connection, Refused, print_json, print_table
from control_plane.cli._group import Group
from control_plane.cli._options import confirm
from control_plane.cli._staff_role import command as role_command
from control_plane.cli._staff_token import command as token_command
from control_plane.cli._staff_words import (
    JSON,
    YES,
    known_person,
    known_role,
    now,
    open_access,
    permission_words,
    typist,
)
from control_plane.quantities import instant_text
from control_plane.settings import Settings
from control_plane.store.staff import Person, load_people
from control_plane.store.staff_sessions import load_sessions

command = Group("staff", help="Who may come into the console, what they may do there, and who is in.")
command.add_command(role_command)
command.add_command(token_command)

_LANGUAGE = click.option(
    "--language", type=click.Choice(("en", "it", "es")), help="Of the pages; their browser's if not said."
)
_ROLE = click.option("--role", "roles", multiple=True, help="May be given several times; what they grant adds up.")
_COLLECTOR = click.option("--collector", help="Binds them to that collector (number or name): they see nothing else.")
_AGENT = click.option("--agent", help="Binds them to that agent (number or name): they see nothing else.")


@command.command("add")
@click.argument("name")
@click.option("--full-name", help="As people call them; NAME if not said.")
@click.option("--email", help="To where a forgotten password's link is sent.")
@_LANGUAGE
@_ROLE
@_COLLECTOR
@_AGENT
@click.pass_obj
def add(settings: Settings, /, *, name: str, full_name: str | None, roles: tuple[str, ...], **typed: Any) -> None:
    """Add NAME, with a password for the first sign-in, at which they choose another."""
    with open_access(settings) as connection:
        for role in roles:
            known_role(connection, role)
        details = _bound(connection, typed)
        made = add_person(
            connection, name, full_name=full_name or name, roles=roles, by=typist(), now=now(), details=details
        )
    click.echo(f"{made.name}: {', '.join(roles) or 'no role yet, so nothing is permitted'}.")
    _tell_password(made.name, made.password)


@command.command("set")
@click.argument("name")
@click.option("--full-name", help="As people call them.")
@click.option("--email", help="To where a forgotten password's link is sent; an empty one takes it away.")
@_LANGUAGE
@click.option("--role", "roles", multiple=True, help="Instead of the roles they have; may be given several times.")
@click.option("--no-roles", is_flag=True, help="Take all roles away.")
@click.option(
    "--enable/--disable", "enabled", default=None, help="Who is disabled is out at once, and stays on record."
)
@click.option("--collector", help="Binds them to that collector; an empty one lets go.")
@click.option("--agent", help="Binds them to that agent; an empty one lets go.")
@click.pass_obj
def set_(settings: Settings, /, *, name: str, roles: tuple[str, ...], no_roles: bool, **typed: Any) -> None:
    """Change who NAME is and what they may, from their next request on."""
    if roles and no_roles:
        raise click.UsageError("--role and --no-roles exclude each other")
    with open_access(settings) as connection:
        known_person(connection, name)
        for role in roles:
            known_role(connection, role)
        changes = _bound(connection, typed)
        if not (changes or roles or no_roles):
            raise click.UsageError("say what to change")
        wanted = roles if roles or no_roles else None
        after = change_person(connection, name, changes=changes, roles=wanted, by=typist(), now=now())
    click.echo(f"{after.name}: changed. May: {permission_words(after.permissions)}.")


@command.command("list")
@JSON
@click.pass_obj
def list_(settings: Settings, *, as_json: bool) -> None:
    """Everybody with their roles, second factors, and when they were last seen."""
    with open_access(settings) as connection:
        found = load_people(connection)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            one.name,
            one.full_name,
            ", ".join(one.roles),
            _factors(one),
            instant_text(one.last_seen_at, settings.zone) if one.last_seen_at else "never",
            "" if one.enabled else "disabled",
        )
        for one in found
    )
    columns = ("NAME", "CALLED", "ROLES", "SECOND FACTOR", "LAST SEEN", "")
    print_table(columns, rows, empty="Nobody: `corrente db create` or `corrente up` makes an administrator.")


@command.command("show")
@click.argument("name")
@JSON
@click.pass_obj
def show(settings: Settings, /, *, name: str, as_json: bool) -> None:
    """NAME with what they may and where they are signed in."""
    with open_access(settings) as connection:
        person = known_person(connection, name)
        sessions = load_sessions(connection, now=now(), staff_id=person.id)
    if as_json:
        print_json({"person": person, "permissions": sorted(person.permissions), "sessions": sessions})
        return
    zone = settings.zone
    state = "" if person.enabled else ", disabled"
    click.echo(f"{person.name}: {person.full_name}{state}")
    click.echo(f"  e-mail         {person.email or '-'}")
    click.echo(f"  roles          {', '.join(person.roles) or '-'}")
    click.echo(f"  may            {permission_words(person.permissions)}")
    once = ", to be changed at the next sign-in" if person.must_change_password else ""
    click.echo(f"  password       of {instant_text(person.password_changed_at, zone)}{once}")
    click.echo(f"  second factor  {_factors(person) or '-'}, {person.recovery_codes} recovery codes")
    for one in sessions:
        seen = instant_text(one.last_seen_at, zone)
        click.echo(f"  session {one.id}  from {one.address or '?'}, seen {seen}  {one.browser[:60]}")


@command.command("password")
@click.argument("name")
@YES
@click.pass_obj
def password(settings: Settings, /, *, name: str, yes: bool) -> None:
    """Give NAME a password for one sign-in; what they had is worth nothing, and they are out everywhere."""
    with open_access(settings) as connection:
        person = known_person(connection, name)
        confirm(f"Give {person.name} another password and sign them out everywhere?", yes=yes)
        made = give_one_time_password(connection, person.name, by=typist(), now=now())
    _tell_password(person.name, made)


@command.command("drop-second-factors")
@click.argument("name")
@YES
@click.pass_obj
def drop(settings: Settings, /, *, name: str, yes: bool) -> None:
    """Let NAME's app, passkeys and recovery codes count no more, as when a telephone is lost."""
    with open_access(settings) as connection:
        person = known_person(connection, name)
        confirm(f"Let {person.name} in with the password alone, and sign them out everywhere?", yes=yes)
        drop_second_factors(connection, person.name, by=typist(), now=now())
    click.echo(f"{person.name} signs in with the password alone now.")


@command.command("unlock")
@click.argument("name")
@click.pass_obj
def unlock_command(settings: Settings, /, *, name: str) -> None:
    """Let NAME try again at once, however often it failed."""
    with open_access(settings) as connection:
        person = known_person(connection, name)
        unlock(connection, person.name, by=typist(), now=now())
    click.echo(f"{person.name} may try again.")


@command.command("sessions")
@JSON
@click.pass_obj
def sessions_command(settings: Settings, *, as_json: bool) -> None:
    """Who is signed in, from where, the one seen last first."""
    with open_access(settings) as connection:
        found = load_sessions(connection, now=now())
    if as_json:
        print_json(found)
        return
    zone = settings.zone
    rows = (
        (
            one.id,
            one.name,
            one.address,
            instant_text(one.created_at, zone),
            instant_text(one.last_seen_at, zone),
            "yes" if one.second_factor_at else "",
            one.browser[:40],
        )
        for one in found
    )
    columns = ("NUMBER", "WHO", "FROM", "SINCE", "SEEN", "SECOND FACTOR", "BROWSER")
    print_table(columns, rows, empty="Nobody is signed in.")


@command.command("end-sessions")
@click.argument("name", required=False)
@click.option("--session", "number", type=int, help="That one alone, by its number.")
@click.pass_obj
def end_sessions(settings: Settings, /, *, name: str | None, number: int | None) -> None:
    """Sign NAME out everywhere."""
    if (name is None) == (number is None):
        raise click.UsageError("give a NAME, or a --session")
    with open_access(settings) as connection:
        if number is not None:
            if not end_session(connection, number, by=typist(), now=now()):
                raise Refused(f"session {number} is over already")
            click.echo(f"Session {number} is ended.")
            return
        person = known_person(connection, name or "")
        ended = end_all_sessions(connection, person.name, by=typist(), now=now())
    click.echo(f"{person.name}: {ended} {'session is' if ended == 1 else 'sessions are'} ended.")


def _bound(connection: Connection, typed: dict[str, Any]) -> dict[str, object]:
    """What was typed as columns: an empty text takes away, and a collector or an agent is named as people name them."""
    given = {key: value for key, value in typed.items() if value is not None}
    found: dict[str, object] = {key: value if value != "" else None for key, value in given.items()}
    if "collector" in found:
        text = found.pop("collector")
        found["collector_id"] = known_collector(connection, str(text)).id if text else None
    if "agent" in found:
        text = found.pop("agent")
        found["agent_id"] = known_agent(connection, str(text)).id if text else None
    return found


def _factors(one: Person) -> str:
    passkeys = f"{one.passkeys} passkeys" if one.passkeys > 1 else "a passkey" if one.passkeys else ""
    lacking = "demanded, and none yet" if one.lacks_second_factor else ""
    return ", ".join(filter(None, ("an app" if one.totp_since else "", passkeys, lacking)))


def _tell_password(name: str, one_time: str) -> None:
    click.echo(f"Password of {name} for the first sign-in: {one_time} (not shown again)")

"""What commands about staff share: who acts, what is refused, permissions as they are typed and shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import click

from control_plane.access.people import AccessError
from control_plane.access.permissions import EVERYTHING, Permission, section_of
from control_plane.access.person import Actor
from control_plane.cli._console import Connection, Refused, open_database, os_user, unknown
from control_plane.settings import Settings
from control_plane.store.staff import Person, Role, load_people, load_person, load_role, load_roles

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")
GRANT = click.option(
    "--grant",
    "grants",
    multiple=True,
    metavar="PERMISSION",
    help="Such as customer.see, or customer.* for all of a section; may be given several times.",
)
_KNOWN: Final = tuple(one.value for one in Permission)


@contextmanager
def open_access(settings: Settings) -> Iterator[Connection]:
    """A connection for one command about staff; what is refused ends the command with its words."""
    with open_database(settings) as connection:
        try:
            yield connection
        except AccessError as error:
            raise Refused(str(error)) from error


def typist() -> Actor:
    """Who types, and may whatever the database lets them."""
    return Actor(os_user(), EVERYTHING)


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def known_person(connection: Connection, name: str) -> Person:
    """The member of staff of that name, or the refusal that names similar ones."""
    person = load_person(connection, name)
    if person is None:
        names = [one.name for one in load_people(connection)]
        raise unknown("member of staff", name, names, also="`corrente staff list` shows them")
    return person


def known_role(connection: Connection, name: str) -> Role:
    """The role of that name, or the refusal that names similar ones."""
    role = load_role(connection, name)
    if role is None:
        names = [one.name for one in load_roles(connection)]
        raise unknown("role", name, names, also="`corrente staff role list` shows them")
    return role


def read_permissions(typed: Iterable[str]) -> frozenset[Permission]:
    """The permissions that were typed; `section.*` is all of one section, `*` is all there are."""
    found: set[Permission] = set()
    for text in typed:
        section, _, deed = text.partition(".")
        some = {one for one in Permission if text == one.value or (deed == "*" and section_of(one) == section)}
        if not some and text != "*":
            raise unknown("permission", text, _KNOWN, also="`corrente staff role permissions` shows them")
        found |= some or EVERYTHING
    return frozenset(found)


def permission_words(permissions: Iterable[Permission]) -> str:
    """Them by section: `customer.see, message.*`, or that it is all there are."""
    granted = frozenset(permissions)
    if granted == EVERYTHING:
        return "everything"
    words = []
    for section in dict.fromkeys(section_of(one) for one in Permission):
        whole = [one for one in Permission if section_of(one) == section]
        some = [one.value for one in whole if one in granted]
        words += [f"{section}.*"] if len(some) == len(whole) > 1 else some
    return ", ".join(words) or "nothing"

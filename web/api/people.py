"""Staff: who there is, what they may, where they are signed in, their tokens; and roles. Nobody hands on more than they have.

A program has what its token was made for, and hands on no more than that. One-time passwords are told once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import msgspec

from control_plane.access.api_tokens import revoke_api_token
from control_plane.access.people import (
    AccessError,
    NobodyError,
    add_person,
    add_role,
    change_person,
    change_role,
    drop_second_factors,
    end_all_sessions,
    end_session,
    give_one_time_password,
    remove_role,
    unlock,
)
from control_plane.access.permissions import Permission
from control_plane.store.staff import Person, Role, hold_grants, load_people, load_person, load_role, load_roles
from control_plane.store.staff_sessions import load_session, load_sessions
from control_plane.store.staff_tokens import load_api_token, load_api_tokens
from web.acting import clock
from web.api._shapes import NO_CONTROL, Number, Words, shaped, there_is_none
from web.calls import Noun
from web.database import Connection
from web.problems import Problem
from web.staff_words import actor
from web.versions import check_version, tell_version

pages = Noun("staff")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=NO_CONTROL)]
Names = Annotated[list[Name], msgspec.Meta(max_length=50)]
Granted = Annotated[list[Permission], msgspec.Meta(max_length=100)]


class Somebody(msgspec.Struct, frozen=True):
    """A member of staff. Bound to a collector or an agent they see only what is that one's. `demanded_by` are those of their roles that
    demand a second factor: who lacks it can do nothing in the console but make one, and their tokens go on.
    """

    name: str
    full_name: str
    email: str | None
    language: str | None
    enabled: bool
    must_change_password: bool
    totp_since: datetime | None
    passkeys: int
    collector_id: int | None
    agent_id: int | None
    created_at: datetime
    last_seen_at: datetime | None
    roles: list[str]
    granted: list[str]
    demanded_by: list[str]
    lacks_second_factor: bool


class Session(msgspec.Struct, frozen=True):
    """Where somebody is signed in."""

    id: int
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime
    address: str | None
    browser: str


class Token(msgspec.Struct, frozen=True):
    """A program's token, by its beginning."""

    id: int
    name: str
    prefix: str
    permissions: list[str]
    made_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class OnePerson(msgspec.Struct, frozen=True):
    """Somebody with their sessions and tokens."""

    person: Somebody
    sessions: list[Session]
    tokens: list[Token]


class OneRole(msgspec.Struct, frozen=True):
    """What a role grants, how many have it, and whether they need a second factor."""

    name: str
    granted: list[str]
    members: int
    needs_second_factor: bool


class Details(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who somebody is and what they may."""

    full_name: Words
    roles: Names
    email: Annotated[str, msgspec.Meta(min_length=3, max_length=254, pattern=NO_CONTROL)] | None = None
    language: Annotated[str, msgspec.Meta(pattern="^(en|it|es)$")] | None = None
    collector_id: Number | None = None
    agent_id: Number | None = None
    enabled: bool = True


class NewPerson(Details, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same of somebody new, with the name to sign in with."""

    name: Name


class Password(msgspec.Struct, frozen=True):
    """A password for one sign-in, told now and never again."""

    name: str
    password: str


class Grants(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role grants, and whether it demands a second factor; as it is where that is not said."""

    granted: Granted
    needs_second_factor: bool | None = None


class NewRole(Grants, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same of a new one."""

    name: Name


class Ended(msgspec.Struct, frozen=True):
    """How many sessions were ended."""

    ended: int


@pages.call("GET", "/staff", permission=Permission.STAFF_SEE, answers=list[Somebody], does=("people.show_all",))
def find(connection: Connection) -> list[Somebody]:
    """Everybody."""
    return [shaped(Somebody, one) for one in load_people(connection)]


@pages.call(
    "GET",
    "/staff/<name>",
    permission=Permission.STAFF_SEE,
    answers=OnePerson,
    refusals=(404,),
    does=("people.show",),
    version="told",
)
def show(connection: Connection, *, name: str) -> OnePerson:
    """One of them, where they are signed in, and their programs' tokens."""
    found = _known(connection, name)
    tell_version(_changeable(found))
    sessions = load_sessions(connection, now=clock(connection), staff_id=found.id)
    tokens = load_api_tokens(connection, staff_id=found.id)
    return OnePerson(
        shaped(Somebody, found),
        [shaped(Session, one) for one in sessions],
        [shaped(Token, one) for one in tokens],
    )


@pages.call(
    "POST",
    "/staff",
    permission=Permission.STAFF_CHANGE,
    body=NewPerson,
    answers=Password,
    status=201,
    refusals=(404, 409),
    does=("people.new",),
    tells_secret=True,
)
def new(connection: Connection, *, body: NewPerson) -> Password:
    """Add somebody; the password for their first sign-in is told now and never again."""
    with _access():
        made = add_person(
            connection,
            body.name,
            full_name=body.full_name,
            roles=body.roles,
            by=actor(),
            now=clock(connection),
            details=_details(body),
        )
    return Password(made.name, made.password)


@pages.call(
    "PUT",
    "/staff/<name>",
    permission=Permission.STAFF_CHANGE,
    body=Details,
    answers=Somebody,
    refusals=(404, 409),
    does=("people.change",),
    version="needed",
)
def change(connection: Connection, *, name: str, body: Details) -> Somebody:
    """Change who somebody is and what they may: it holds from their next click on."""
    hold_grants(connection)
    check_version(_changeable(_known(connection, name)))
    with _access():
        change_person(
            connection,
            name,
            changes={**_details(body), "full_name": body.full_name, "enabled": body.enabled},
            roles=body.roles,
            by=actor(),
            now=clock(connection),
        )
    return shaped(Somebody, _known(connection, name))


@pages.call(
    "POST",
    "/staff/<name>/password",
    permission=Permission.STAFF_CHANGE,
    answers=Password,
    refusals=(404, 409),
    does=("people.password",),
    tells_secret=True,
)
def password(connection: Connection, *, name: str) -> Password:
    """A password for one sign-in: the one they have is worth nothing, and they are signed out everywhere."""
    with _access():
        return Password(name, give_one_time_password(connection, name, by=actor(), now=clock(connection)))


@pages.call(
    "POST",
    "/staff/<name>/second-factors/drop",
    permission=Permission.STAFF_CHANGE,
    answers=Somebody,
    refusals=(404, 409),
    does=("people.drop",),
)
def drop(connection: Connection, *, name: str) -> Somebody:
    """Let somebody in with the password alone, as when a telephone is lost; they are signed out everywhere."""
    with _access():
        return shaped(Somebody, drop_second_factors(connection, name, by=actor(), now=clock(connection)))


@pages.call(
    "POST",
    "/staff/<name>/unlock",
    permission=Permission.STAFF_CHANGE,
    answers=None,
    refusals=(404, 409),
    does=("people.unlock_name",),
)
def unlock_(connection: Connection, *, name: str) -> None:
    """Let a name try again at once."""
    with _access():
        unlock(connection, name, by=actor(), now=clock(connection))


@pages.call(
    "POST",
    "/staff/<name>/sessions/end",
    permission=Permission.STAFF_CHANGE,
    answers=Ended,
    refusals=(404, 409),
    does=("people.end_sessions",),
)
def end_sessions(connection: Connection, *, name: str) -> Ended:
    """Sign somebody out everywhere."""
    with _access():
        return Ended(end_all_sessions(connection, name, by=actor(), now=clock(connection)))


@pages.call(
    "POST",
    "/staff/<name>/sessions/<int:number>/end",
    permission=Permission.STAFF_CHANGE,
    answers=Ended,
    refusals=(404, 409),
    does=("people.end_one",),
)
def end_one(connection: Connection, *, name: str, number: int) -> Ended:
    """Sign somebody out in one place."""
    known = load_session(connection, number)
    if known is None or known.name != name:
        raise there_is_none()
    with _access():
        return Ended(int(end_session(connection, number, by=actor(), now=clock(connection))))


@pages.call(
    "DELETE",
    "/staff/<name>/tokens/<int:number>",
    permission=Permission.STAFF_CHANGE,
    answers=None,
    refusals=(404, 409),
)
def revoke(connection: Connection, *, name: str, number: int) -> None:
    """Revoke somebody's token: it opens nothing from now on."""
    known = load_api_token(connection, number)
    if known is None or known.staff_name != name:
        raise there_is_none()
    with _access():
        revoke_api_token(connection, number, by=actor(), now=clock(connection))


@pages.call("GET", "/roles", permission=Permission.STAFF_SEE, answers=list[OneRole], does=("roles.show_all",))
def roles(connection: Connection) -> list[OneRole]:
    """All roles."""
    return [shaped(OneRole, one) for one in load_roles(connection)]


@pages.call(
    "GET",
    "/roles/<name>",
    permission=Permission.STAFF_SEE,
    answers=OneRole,
    refusals=(404,),
    does=("roles.show_all",),
    version="told",
)
def role(connection: Connection, *, name: str) -> OneRole:
    """One role."""
    known = _known_role(connection, name)
    tell_version(known.changeable)
    return shaped(OneRole, known)


@pages.call(
    "POST",
    "/roles",
    permission=Permission.STAFF_CHANGE,
    body=NewRole,
    answers=OneRole,
    status=201,
    refusals=(409,),
    does=("roles.new",),
)
def new_role(connection: Connection, *, body: NewRole) -> OneRole:
    """Add a role."""
    with _access():
        add_role(
            connection,
            body.name,
            permissions=frozenset(body.granted),
            by=actor(),
            needs_second_factor=bool(body.needs_second_factor),
        )
    return shaped(OneRole, _known_role(connection, body.name))


@pages.call(
    "PUT",
    "/roles/<name>",
    permission=Permission.STAFF_CHANGE,
    body=Grants,
    answers=OneRole,
    refusals=(404, 409),
    does=("roles.change",),
    version="needed",
)
def change_role_(connection: Connection, *, name: str, body: Grants) -> OneRole:
    """Grant more with a role, or less: it holds from everybody's next click on."""
    hold_grants(connection)
    check_version(_known_role(connection, name).changeable)
    with _access():
        change_role(
            connection,
            name,
            permissions=frozenset(body.granted),
            by=actor(),
            needs_second_factor=body.needs_second_factor,
        )
    return shaped(OneRole, _known_role(connection, name))


@pages.call(
    "DELETE",
    "/roles/<name>",
    permission=Permission.STAFF_CHANGE,
    answers=None,
    refusals=(404, 409),
    does=("roles.remove",),
    version="needed",
)
def remove(connection: Connection, *, name: str) -> None:
    """Take a role away that nobody has."""
    hold_grants(connection)
    check_version(_known_role(connection, name).changeable)
    with _access():
        remove_role(connection, name, by=actor())


@contextmanager
def _access() -> Iterator[None]:
    """What access refuses in the block is answered: 404 for what is gone, else 409."""
    try:
        yield
    except NobodyError as error:
        raise there_is_none() from error
    except AccessError as error:
        raise Problem(409, str(error)) from error


def _details(body: Details) -> dict[str, object]:
    return {
        "email": body.email,
        "language": body.language,
        "collector_id": body.collector_id,
        "agent_id": body.agent_id,
    }


def _changeable(one: Person) -> dict[str, object]:
    """What a change may change, so that its version is another one after it."""
    names = ("full_name", "email", "language", "collector_id", "agent_id", "enabled")
    return {**{name: getattr(one, name) for name in names}, "roles": sorted(one.roles)}


def _known(connection: Connection, name: str) -> Person:
    found = load_person(connection, name)
    if found is None:
        raise there_is_none()
    return found


def _known_role(connection: Connection, name: str) -> Role:
    found = load_role(connection, name)
    if found is None:
        raise there_is_none()
    return found

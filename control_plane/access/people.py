"""Staff and roles changed: by an administrator, by the command line, and by the first start. Each change is audited with before
and after, in its own transaction.

Nobody hands on more than they have: who may administer staff and is no full administrator neither grants a permission they lack,
nor changes somebody who has one, for a new password would be a way to it. One who may administer staff always stays, and where a
role demands a second factor, one of those who has it.

Next: own.py
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.access.passwords import hash_password, one_time_password
from control_plane.access.permissions import FIRST_ROLES, Permission
from control_plane.access.person import Actor
from control_plane.access.tokens import name_key
from control_plane.store import staff as store
from control_plane.store.sign_in_attempts import note_try
from control_plane.store.staff import Person, Role
from control_plane.store.staff_sessions import close_session, close_sessions, load_session
from control_plane.store.staff_tokens import drop_resets, remove_passkeys

Connection = psycopg.Connection[Any]
FIRST_NAME: Final = "admin"
_ADMINISTRATOR: Final = "administrator"
# What of a person is set as it stands; roles, passwords and factors go their own ways.
_CHANGEABLE: Final = frozenset({"full_name", "email", "language", "theme", "enabled", "collector_id", "agent_id"})


class AccessError(Exception):
    """Something about staff was not done; the message says what."""


class NobodyError(AccessError):
    """There is no such person, role, session or token."""


class TakenError(AccessError):
    """That name is somebody's already."""


class LastAdministratorError(AccessError):
    """Nobody would be left who may administer staff."""


class NoFactorYetError(AccessError):
    """Nobody who administers staff would be left who has the second factor that a role demands."""


class RoleInUseError(AccessError):
    """Somebody has that role."""


class MoreThanOwnError(AccessError):
    """Who does it has not themselves what would be given, or taken over."""


@dataclass(frozen=True, slots=True)
class Made:
    """A member of staff who was added, and the password for their first sign-in, which stands nowhere else."""

    id: int
    name: str
    password: str


def make_first_administrator(connection: Connection, *, now: datetime) -> Made | None:
    """Where there is nobody yet: the first roles, and one administrator. None where there is somebody.

    Two starts at once make one: the second waits for the first, and finds somebody.
    """
    with connection.transaction():
        store.hold_grants(connection)
        if store.any_staff(connection):
            return None
        known = {one.name for one in store.load_roles(connection)}
        for name, permissions in FIRST_ROLES.items():
            if name not in known:
                store.add_role(connection, name, permissions)
        return add_person(
            connection, FIRST_NAME, full_name="Administrator", roles=[_ADMINISTRATOR], by=Actor("corrente"), now=now
        )


def add_person(
    connection: Connection,
    name: str,
    *,
    full_name: str,
    roles: Iterable[str],
    by: Actor,
    now: datetime,
    details: Mapping[str, object] | None = None,
) -> Made:
    """A new member of staff with a one-time password. Raises: TakenError, NobodyError for a role, MoreThanOwnError."""
    given = dict(details or {})
    assert given.keys() <= _CHANGEABLE, given
    with connection.transaction():
        store.hold_grants(connection)
        if store.load_person(connection, name) is not None:
            raise TakenError(f"there is a member of staff {name!r} already")
        chosen = _roles(connection, roles)
        _refuse_more(by, frozenset().union(*(one.permissions for one in chosen)), f"give {name} that role")
        password = one_time_password()
        values = {
            "name": name,
            "full_name": full_name,
            "password_hash": hash_password(password),
            "password_changed_at": now,
        }
        number = store.add_staff(connection, values | given)
        store.save_roles_of(connection, number, (one.id for one in chosen))
        made = store.load_person_of(connection, number)
        assert made is not None
        _tell(connection, by, "staff.add", made.name, {"after": _shown(made)})
    return Made(number, made.name, password)


def change_person(
    connection: Connection,
    name: str,
    *,
    changes: Mapping[str, object],
    roles: Iterable[str] | None = None,
    by: Actor,
    now: datetime,
) -> Person:
    """Set these details, and these roles instead of those they have; who is disabled is out at once.

    Raises: NobodyError, MoreThanOwnError, LastAdministratorError, NoFactorYetError.
    """
    assert changes.keys() <= _CHANGEABLE, changes
    with connection.transaction():
        store.hold_grants(connection)
        administer = store.count_holders(connection, Permission.STAFF_CHANGE)
        before = _person(connection, name)
        _refuse_over(by, before)
        store.update_staff(connection, before.id, changes)
        if roles is not None:
            chosen = _roles(connection, roles)
            new = frozenset().union(*(one.permissions for one in chosen)) - before.permissions
            _refuse_more(by, new, f"give {before.name} that role")
            store.save_roles_of(connection, before.id, (one.id for one in chosen))
        after = store.load_person_of(connection, before.id)
        assert after is not None
        # Whoever is let go of a collector or an agent has then what the roles grant.
        _refuse_more(by, after.permissions - before.permissions, f"let {before.name} have that")
        if before.enabled and not after.enabled:
            close_sessions(connection, before.id, why="disabled", now=now)
            drop_resets(connection, before.id)
        _keep_an_administrator(connection, administer)
        changed = _differences(_shown(before), _shown(after))
        if changed:
            _tell(connection, by, "staff.change", before.name, changed)
    return after


def give_one_time_password(connection: Connection, name: str, *, by: Actor, now: datetime) -> str:
    """A password for one sign-in, at which it is changed; what they had is worth nothing, and they are out everywhere.

    Raises: NobodyError, MoreThanOwnError.
    """
    with connection.transaction():
        person = _person(connection, name)
        _refuse_over(by, person)
        password = one_time_password()
        changes = {"password_hash": hash_password(password), "password_changed_at": now, "must_change_password": True}
        store.update_staff(connection, person.id, changes)
        ended = close_sessions(connection, person.id, why="password", now=now)
        drop_resets(connection, person.id)
        _unlock(connection, person, now=now)
        _tell(connection, by, "staff.give_password", person.name, {"sessions_ended": ended})
    return password


def drop_second_factors(connection: Connection, name: str, *, by: Actor, now: datetime) -> Person:
    """Their app, passkeys and recovery codes count no more, as when a telephone is lost; they are out everywhere.

    Raises: NobodyError, MoreThanOwnError.
    """
    with connection.transaction():
        before = _person(connection, name)
        _refuse_over(by, before)
        store.update_staff(connection, before.id, {"sealed_totp": None, "totp_since": None, "totp_last_step": None})
        remove_passkeys(connection, before.id)
        store.save_recovery_codes(connection, before.id, ())
        ended = close_sessions(connection, before.id, why="second_factor", now=now)
        after = _person(connection, name)
        changed = _differences(_shown(before), _shown(after))
        _tell(connection, by, "staff.drop_second_factors", before.name, {**changed, "sessions_ended": ended})
    return after


def unlock(connection: Connection, name: str, *, by: Actor, now: datetime) -> None:
    """Let that name try again at once, however often it failed. Raises: NobodyError, MoreThanOwnError."""
    with connection.transaction():
        person = _person(connection, name)
        _refuse_over(by, person)
        _unlock(connection, person, now=now)
        _tell(connection, by, "staff.unlock", person.name, {})


def end_session(connection: Connection, session_id: int, *, by: Actor, now: datetime) -> bool:
    """End one session of anybody; false where it was over. Raises: NobodyError, MoreThanOwnError."""
    with connection.transaction():
        known = load_session(connection, session_id)
        if known is None:
            raise NobodyError(f"there is no session {session_id}")
        _refuse_over(by, _person(connection, known.name))
        ended = close_session(connection, session_id, why="revoked", now=now)
        if ended:
            _tell(connection, by, "session.end", known.name, {"session": session_id, "address": known.address})
    return ended


def end_all_sessions(connection: Connection, name: str, *, by: Actor, now: datetime) -> int:
    """End all sessions of that person; returns how many. Raises: NobodyError, MoreThanOwnError."""
    with connection.transaction():
        person = _person(connection, name)
        _refuse_over(by, person)
        ended = close_sessions(connection, person.id, why="revoked", now=now)
        _tell(connection, by, "session.end_all", person.name, {"sessions_ended": ended})
    return ended


# -- roles -----------------------------------------------------------------------------------------------------------


def add_role(
    connection: Connection,
    name: str,
    *,
    permissions: frozenset[Permission],
    by: Actor,
    needs_second_factor: bool = False,
) -> None:
    """A new role. Raises: TakenError, MoreThanOwnError."""
    with connection.transaction():
        store.hold_grants(connection)
        if store.load_role(connection, name) is not None:
            raise TakenError(f"there is a role {name!r} already")
        _refuse_more(by, permissions, f"make the role {name}")
        store.add_role(connection, name, permissions, needs_second_factor=needs_second_factor)
        after = {"permissions": sorted(permissions), "needs_second_factor": needs_second_factor}
        _tell(connection, by, "role.add", name, {"after": after})


def change_role(
    connection: Connection,
    name: str,
    *,
    permissions: frozenset[Permission],
    by: Actor,
    needs_second_factor: bool | None = None,
) -> None:
    """Let that role grant these and no others, from everybody's next request on, and demand a second factor or not; None: as it is.

    Raises: NobodyError, MoreThanOwnError, LastAdministratorError, NoFactorYetError.
    """
    with connection.transaction():
        store.hold_grants(connection)
        administer = store.count_holders(connection, Permission.STAFF_CHANGE)
        before = _role(connection, name)
        demands = before.needs_second_factor if needs_second_factor is None else needs_second_factor
        # What a role demands protects all that it grants.
        concerned = before.permissions if demands != before.needs_second_factor else frozenset()
        _refuse_more(by, (before.permissions ^ permissions) | concerned, f"change the role {name}")
        store.update_role(connection, before.id, permissions, needs_second_factor=demands)
        _keep_an_administrator(connection, administer)
        changed = _differences(
            {"permissions": sorted(before.permissions), "needs_second_factor": before.needs_second_factor},
            {"permissions": sorted(permissions), "needs_second_factor": demands},
        )
        if changed:
            _tell(connection, by, "role.change", name, changed)


def remove_role(connection: Connection, name: str, *, by: Actor) -> None:
    """Take a role away that nobody has. Raises: NobodyError, RoleInUseError, MoreThanOwnError."""
    with connection.transaction():
        store.hold_grants(connection)
        before = _role(connection, name)
        _refuse_more(by, before.permissions, f"remove the role {name}")
        if before.members:
            raise RoleInUseError(f"{before.members} have the role {name!r}: give them another one first")
        store.remove_role(connection, before.id)
        _tell(connection, by, "role.remove", name, {"before": {"permissions": sorted(before.permissions)}})


# -- parts -----------------------------------------------------------------------------------------------------------


def _person(connection: Connection, name: str) -> Person:
    known = store.load_person(connection, name)
    if known is None:
        raise NobodyError(f"there is no member of staff {name!r}")
    return known


def _role(connection: Connection, name: str) -> Role:
    known = store.load_role(connection, name)
    if known is None:
        raise NobodyError(f"there is no role {name!r}")
    return known


def _roles(connection: Connection, names: Iterable[str]) -> list[Role]:
    return [_role(connection, name) for name in dict.fromkeys(names)]


def _refuse_more(by: Actor, permissions: frozenset[Permission], what: str) -> None:
    lacking = sorted(permissions - by.permissions)
    if lacking:
        raise MoreThanOwnError(f"{by.name} can't {what} without having {', '.join(lacking)}")


def _refuse_over(by: Actor, person: Person) -> None:
    _refuse_more(by, person.permissions, f"change {person.name}")


def _keep_an_administrator(connection: Connection, before: tuple[int, int]) -> None:
    """One stays, and where one lacked no second factor before, one who lacks none: who set the demand has shown that it can be met."""
    have, ready = store.count_holders(connection, Permission.STAFF_CHANGE)
    if have == 0:
        raise LastAdministratorError(f"nobody would be left who has {Permission.STAFF_CHANGE.value}")
    if ready == 0 and before[1] > 0:
        raise NoFactorYetError(
            f"nobody who has {Permission.STAFF_CHANGE.value} would be left with the second factor that a role demands:"
            " one of them has to add theirs first"
        )


def _unlock(connection: Connection, person: Person, *, now: datetime) -> None:
    note_try(connection, name_key(person.name), staff_id=person.id, line=None, outcome="unlocked", now=now)


def _shown(person: Person) -> dict[str, object]:
    """What the audit log tells of a person: no secret is among it."""
    columns = (
        "full_name",
        "email",
        "language",
        "theme",
        "enabled",
        "collector_id",
        "agent_id",
        "totp_since",
        "passkeys",
        "roles",
    )
    return {column: getattr(person, column) for column in columns}


def _differences(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """What stands otherwise, as it stood and as it stands; empty where nothing does."""
    changed = [key for key in after if before.get(key) != after[key]]
    if not changed:
        return {}
    return {"before": {key: before.get(key) for key in changed}, "after": {key: after[key] for key in changed}}


def _tell(connection: Connection, by: Actor, action: str, subject: str, detail: Mapping[str, object]) -> None:
    audit.append(connection, actor=by.name, action=action, subject=subject, detail=detail)

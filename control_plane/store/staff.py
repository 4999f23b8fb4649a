"""Staff and roles in the database: read whole, written a column at a time.

Source: schema.sql's section on staff.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from billing.store.rows import insert_row, update_row
from control_plane.access.permissions import Permission
from control_plane.access.person import Staff, Theme, bound

Connection = psycopg.Connection[Any]

_PERMISSIONS: Final = {one.value: one for one in Permission}
# What somebody's roles grant together; beside a row of staff called `p`.
GRANTED: Final = (
    "ARRAY(SELECT DISTINCT granted FROM staff_has_role AS h JOIN staff_role AS r ON r.id = h.role_id"
    " CROSS JOIN unnest(r.permissions) AS granted WHERE h.staff_id = p.id)"
)
# Whether a role of theirs demands a second factor that they have not; beside a row of staff called `p`.
LACKING: Final = (
    "(p.sealed_totp IS NULL AND NOT EXISTS (SELECT FROM staff_passkey AS k WHERE k.staff_id = p.id) AND EXISTS (SELECT FROM staff_has_role AS h"
    " JOIN staff_role AS r ON r.id = h.role_id WHERE h.staff_id = p.id AND r.needs_second_factor))"
)


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff as who administers them sees them. No secret is among it."""

    id: int
    name: str
    full_name: str
    email: str | None
    language: str | None
    theme: str
    enabled: bool
    must_change_password: bool
    password_changed_at: datetime
    totp_since: datetime | None
    passkeys: int
    recovery_codes: int
    collector_id: int | None
    agent_id: int | None
    created_at: datetime
    last_seen_at: datetime | None
    roles: list[str]
    granted: list[str]
    demanded_by: list[str]

    @property
    def lacks_second_factor(self) -> bool:
        """Whether a role of theirs demands a second factor and they have none: until then they may do nothing in the console."""
        return bool(self.demanded_by) and self.totp_since is None and not self.passkeys

    @property
    def permissions(self) -> frozenset[Permission]:
        """What their roles grant, of what this release knows and of what they are bound to."""
        return bound(permissions_of(self.granted), collector_id=self.collector_id, agent_id=self.agent_id)


@dataclass(frozen=True, slots=True)
class Role:
    """A set of permissions, and how many have it."""

    id: int
    name: str
    granted: list[str]
    members: int
    needs_second_factor: bool

    @property
    def permissions(self) -> frozenset[Permission]:
        """What it grants, of what this release knows."""
        return permissions_of(self.granted)

    @property
    def changeable(self) -> tuple[list[str], bool]:
        """What a change may change: the same for who saw the same."""
        return sorted(self.permissions), self.needs_second_factor


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a sign-in is compared with. Not for any page."""

    id: int
    name: str
    enabled: bool
    password_hash: str
    must_change_password: bool
    sealed_totp: bytes | None
    totp_last_step: int | None
    passkeys: int
    recovery_codes: int

    @property
    def has_second_factor(self) -> bool:
        """Whether a password alone is not enough. A recovery code stands in for a factor and is none by itself."""
        return self.sealed_totp is not None or self.passkeys > 0


_PERSON: Final = f"""
SELECT p.id, p.name, p.full_name, p.email, p.language::text AS language, p.theme, p.enabled, p.must_change_password,
    p.password_changed_at, p.totp_since, (SELECT count(*) FROM staff_passkey AS k WHERE k.staff_id = p.id) AS passkeys,
    (SELECT count(*) FROM staff_recovery_code AS c WHERE c.staff_id = p.id AND c.used_at IS NULL) AS recovery_codes,
    p.collector_id, p.agent_id, p.created_at,
    (SELECT max(s.last_seen_at) FROM staff_session AS s WHERE s.staff_id = p.id AND s.complete) AS last_seen_at,
    ARRAY(SELECT r.name FROM staff_has_role AS h JOIN staff_role AS r ON r.id = h.role_id WHERE h.staff_id = p.id ORDER BY r.name) AS roles,
    {GRANTED} AS granted,
    ARRAY(SELECT r.name FROM staff_has_role AS h JOIN staff_role AS r ON r.id = h.role_id WHERE h.staff_id = p.id AND r.needs_second_factor
        ORDER BY r.name) AS demanded_by
FROM staff AS p"""
_ROLE: Final = """
SELECT r.id, r.name, r.permissions AS granted, (SELECT count(*) FROM staff_has_role AS h WHERE h.role_id = r.id) AS members,
    r.needs_second_factor
FROM staff_role AS r"""
_SECRETS: Final = """
SELECT p.id, p.name, p.enabled, p.password_hash, p.must_change_password, p.sealed_totp, p.totp_last_step,
    (SELECT count(*) FROM staff_passkey AS k WHERE k.staff_id = p.id) AS passkeys,
    (SELECT count(*) FROM staff_recovery_code AS c WHERE c.staff_id = p.id AND c.used_at IS NULL) AS recovery_codes
FROM staff AS p"""


def permissions_of(granted: Iterable[str]) -> frozenset[Permission]:
    """The permissions of those names; names that this release does not know grant nothing."""
    return frozenset(_PERMISSIONS[name] for name in granted if name in _PERMISSIONS)


def staff_of(row: tuple[Any, ...]) -> Staff:
    """From id, name, full_name, language, theme, collector_id, agent_id, granted, must_change_password.

    Whose password has to be changed first is permitted nothing until then.
    """
    number, name, full_name, language, theme, collector_id, agent_id, granted, must_change = row
    return Staff(
        id=number,
        name=name,
        full_name=full_name,
        permissions=frozenset()
        if must_change
        else bound(permissions_of(granted), collector_id=collector_id, agent_id=agent_id),
        language=language,
        theme=cast(Theme, theme),
        collector_id=collector_id,
        agent_id=agent_id,
    )


# In the order that `staff_of` reads; beside a row of staff called `p`.
STAFF_COLUMNS: Final = f"p.id, p.name, p.full_name, p.language::text, p.theme, p.collector_id, p.agent_id, {GRANTED}, p.must_change_password"


def any_staff(connection: Connection) -> bool:
    """Whether there is anybody yet."""
    row = connection.execute("SELECT EXISTS (SELECT FROM staff)").fetchone()
    return bool(row and row[0])


def load_people(connection: Connection) -> list[Person]:
    """All of them, by name."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(f"{_PERSON} ORDER BY lower(p.name)").fetchall()


def load_person(connection: Connection, name: str) -> Person | None:
    """The one of that name, in any case of letters."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(f"{_PERSON} WHERE lower(p.name) = lower(%s)", (name,)).fetchone()


def load_person_of(connection: Connection, staff_id: int) -> Person | None:
    """The one of that number."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(f"{_PERSON} WHERE p.id = %s", (staff_id,)).fetchone()


def load_staff(connection: Connection, name: str) -> Staff | None:
    """Who acts under that name, with what they may now; None for nobody and for who is disabled."""
    row = connection.execute(
        f"SELECT {STAFF_COLUMNS} FROM staff AS p WHERE lower(p.name) = lower(%s) AND p.enabled",
        (name,),
    ).fetchone()
    return None if row is None else staff_of(row)


def load_secrets(connection: Connection, name: str) -> Secrets | None:
    """What a sign-in under that name is compared with."""
    with connection.cursor(row_factory=class_row(Secrets)) as cursor:
        return cursor.execute(f"{_SECRETS} WHERE lower(p.name) = lower(%s)", (name,)).fetchone()


def load_secrets_of(connection: Connection, staff_id: int) -> Secrets | None:
    """The same of that number."""
    with connection.cursor(row_factory=class_row(Secrets)) as cursor:
        return cursor.execute(f"{_SECRETS} WHERE p.id = %s", (staff_id,)).fetchone()


def use_totp_step(connection: Connection, staff_id: int, step: int) -> bool:
    """Take a step of the app's codes; false where it or a later one was taken before."""
    statement = "UPDATE staff SET totp_last_step = %s WHERE id = %s AND sealed_totp IS NOT NULL AND coalesce(totp_last_step, -1) < %s"
    return connection.execute(statement, (step, staff_id, step)).rowcount == 1


def use_recovery_code(connection: Connection, staff_id: int, digest: bytes, *, now: datetime) -> bool:
    """Take a recovery code; false where there is none such, or it was taken before."""
    statement = "UPDATE staff_recovery_code SET used_at = %s WHERE staff_id = %s AND digest = %s AND used_at IS NULL"
    return connection.execute(statement, (now, staff_id, digest)).rowcount == 1


def save_recovery_codes(connection: Connection, staff_id: int, digests: Iterable[bytes]) -> None:
    """These and no older ones."""
    connection.execute("DELETE FROM staff_recovery_code WHERE staff_id = %s", (staff_id,))
    connection.execute(
        "INSERT INTO staff_recovery_code (staff_id, digest) SELECT %s, unnest(%s::bytea[])", (staff_id, list(digests))
    )


def add_staff(connection: Connection, values: Mapping[str, object]) -> int:
    """Write a new one; returns the number."""
    return insert_row(connection, "staff", values)


def update_staff(connection: Connection, staff_id: int, changes: Mapping[str, object]) -> None:
    """Set these columns. Raises: billing.store.rows.NotThereError."""
    update_row(connection, "staff", staff_id, changes)


def hold_grants(connection: Connection) -> None:
    """Until the transaction ends nobody else changes who may what: two administrators can't take each other's role away at once."""
    connection.execute("LOCK TABLE staff_has_role IN SHARE ROW EXCLUSIVE MODE")


def count_holders(connection: Connection, permission: Permission) -> tuple[int, int]:
    """How many of those who may sign in have that permission, and how many of them lack no second factor that is demanded."""
    row = connection.execute(
        f"SELECT count(*), count(*) FILTER (WHERE NOT {LACKING}) FROM staff AS p WHERE p.enabled AND EXISTS (SELECT FROM staff_has_role AS h"
        " JOIN staff_role AS r ON r.id = h.role_id WHERE h.staff_id = p.id AND %s = ANY (r.permissions))",
        (permission.value,),
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def load_roles(connection: Connection) -> list[Role]:
    """All roles, by name."""
    with connection.cursor(row_factory=class_row(Role)) as cursor:
        return cursor.execute(f"{_ROLE} ORDER BY r.name").fetchall()


def load_role(connection: Connection, name: str) -> Role | None:
    """The role of that name."""
    with connection.cursor(row_factory=class_row(Role)) as cursor:
        return cursor.execute(f"{_ROLE} WHERE r.name = %s", (name,)).fetchone()


def add_role(
    connection: Connection, name: str, permissions: Iterable[Permission], *, needs_second_factor: bool = False
) -> int:
    """Write a new role; returns its number."""
    values = {"name": name, "permissions": sorted(permissions), "needs_second_factor": needs_second_factor}
    return insert_row(connection, "staff_role", values)


def update_role(
    connection: Connection, role_id: int, permissions: Iterable[Permission], *, needs_second_factor: bool
) -> None:
    """Let it grant these and no others, and demand a second factor or not."""
    changes = {"permissions": sorted(permissions), "needs_second_factor": needs_second_factor}
    update_row(connection, "staff_role", role_id, changes)


def remove_role(connection: Connection, role_id: int) -> None:
    """Take it away. Raises: psycopg.errors.ForeignKeyViolation while somebody has it."""
    connection.execute("DELETE FROM staff_role WHERE id = %s", (role_id,))


def save_roles_of(connection: Connection, staff_id: int, role_ids: Iterable[int]) -> None:
    """Let that person have these roles and no others."""
    connection.execute("DELETE FROM staff_has_role WHERE staff_id = %s", (staff_id,))
    statement = sql.SQL("INSERT INTO staff_has_role (staff_id, role_id) SELECT %s, unnest(%s::bigint[])")
    connection.execute(statement, (staff_id, sorted(set(role_ids))))

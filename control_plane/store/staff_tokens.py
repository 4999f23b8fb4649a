"""Tokens of programs, passkeys and links of a password's reset in the database.

Source: schema.sql's section on staff.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from control_plane.access.permissions import Permission

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is shown: by its beginning."""

    id: int
    staff_id: int
    staff_name: str
    name: str
    prefix: str
    permissions: list[str]
    made_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


_API_TOKENS: Final = """
SELECT t.id, t.staff_id, p.name AS staff_name, t.name, t.prefix, t.permissions, t.made_by, t.created_at, t.expires_at, t.last_used_at,
    t.revoked_at
FROM api_token AS t JOIN staff AS p ON p.id = t.staff_id"""


def add_api_token(
    connection: Connection,
    staff_id: int,
    *,
    name: str,
    digest: bytes,
    prefix: str,
    permissions: Iterable[Permission],
    by: str,
    now: datetime,
    expires_at: datetime | None,
) -> int:
    """Write a new one; returns its number."""
    row = connection.execute(
        "INSERT INTO api_token (staff_id, name, digest, prefix, permissions, made_by, created_at, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (staff_id, name, digest, prefix, sorted(permissions), by, now, expires_at),
    ).fetchone()
    assert row is not None
    return int(row[0])


def load_api_tokens(connection: Connection, *, staff_id: int | None = None) -> list[ApiToken]:
    """Those that are not revoked, of one person or of all, the newest first."""
    of_one = "" if staff_id is None else " AND t.staff_id = %(staff_id)s"
    with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        return cursor.execute(
            f"{_API_TOKENS} WHERE t.revoked_at IS NULL{of_one} ORDER BY t.id DESC", {"staff_id": staff_id}
        ).fetchall()


def load_api_token(connection: Connection, token_id: int) -> ApiToken | None:
    """The one of that number."""
    with connection.cursor(row_factory=class_row(ApiToken)) as cursor:
        return cursor.execute(f"{_API_TOKENS} WHERE t.id = %s", (token_id,)).fetchone()


def has_api_token(connection: Connection, staff_id: int, name: str) -> bool:
    """Whether that person has one of that name which is not revoked."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM api_token WHERE staff_id = %s AND name = %s AND revoked_at IS NULL)",
        (staff_id, name),
    ).fetchone()
    return bool(row and row[0])


def close_api_token(connection: Connection, token_id: int, *, now: datetime) -> bool:
    """Revoke it; false where it was."""
    statement = "UPDATE api_token SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL"
    return connection.execute(statement, (now, token_id)).rowcount == 1


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey: its public key, and what is known of what holds the private one."""

    id: int
    staff_id: int
    name: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]
    added_at: datetime
    last_used_at: datetime | None


_PASSKEYS: Final = "SELECT id, staff_id, name, credential_id, public_key, sign_count, transports, added_at, last_used_at FROM staff_passkey"


def load_passkeys(connection: Connection, staff_id: int) -> list[Passkey]:
    """A person's, in the order in which they were added."""
    with connection.cursor(row_factory=class_row(Passkey)) as cursor:
        return cursor.execute(f"{_PASSKEYS} WHERE staff_id = %s ORDER BY id", (staff_id,)).fetchall()


def load_passkey(connection: Connection, credential_id: bytes) -> Passkey | None:
    """The one that calls itself so; held until the transaction ends, for its count is compared and written."""
    with connection.cursor(row_factory=class_row(Passkey)) as cursor:
        return cursor.execute(f"{_PASSKEYS} WHERE credential_id = %s FOR NO KEY UPDATE", (credential_id,)).fetchone()


def add_passkey(
    connection: Connection,
    staff_id: int,
    *,
    name: str,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    transports: Iterable[str],
    now: datetime,
) -> int:
    """Write a new one; returns its number. Raises: psycopg.errors.UniqueViolation for one that is there."""
    row = connection.execute(
        "INSERT INTO staff_passkey (staff_id, name, credential_id, public_key, sign_count, transports, added_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (staff_id, name, credential_id, public_key, sign_count, list(transports), now),
    ).fetchone()
    assert row is not None
    return int(row[0])


def note_passkey_used(connection: Connection, passkey_id: int, *, sign_count: int, now: datetime) -> None:
    """Keep what it counted."""
    connection.execute(
        "UPDATE staff_passkey SET sign_count = %s, last_used_at = %s WHERE id = %s", (sign_count, now, passkey_id)
    )


def remove_passkey(connection: Connection, staff_id: int, passkey_id: int) -> str | None:
    """Take one of that person's away; its name, or None where there is no such."""
    row = connection.execute(
        "DELETE FROM staff_passkey WHERE id = %s AND staff_id = %s RETURNING name", (passkey_id, staff_id)
    ).fetchone()
    return None if row is None else str(row[0])


def add_challenge(
    connection: Connection, digest: bytes, challenge: bytes, *, staff_id: int | None, ends_at: datetime
) -> None:
    """Ask a passkey to sign something."""
    connection.execute(
        "INSERT INTO passkey_challenge (digest, challenge, staff_id, ends_at) VALUES (%s, %s, %s, %s)",
        (digest, challenge, staff_id, ends_at),
    )


def take_challenge(connection: Connection, digest: bytes, *, now: datetime) -> tuple[bytes, int | None] | None:
    """What was asked, and of whom; once."""
    row = connection.execute(
        "DELETE FROM passkey_challenge WHERE digest = %s RETURNING challenge, staff_id, ends_at > %s", (digest, now)
    ).fetchone()
    return (bytes(row[0]), row[1]) if row is not None and row[2] else None


def remove_passkeys(connection: Connection, staff_id: int) -> None:
    """Take all of a person's away."""
    connection.execute("DELETE FROM staff_passkey WHERE staff_id = %s", (staff_id,))


def drop_resets(connection: Connection, staff_id: int) -> None:
    """Links that were asked for are worth nothing any more."""
    connection.execute(
        "UPDATE password_reset SET ends_at = asked_at + interval '1 microsecond' WHERE staff_id = %s AND used_at IS NULL",
        (staff_id,),
    )

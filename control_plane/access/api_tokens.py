"""Tokens of programs: made, and revoked. One is shown when it is made; it may no more than it was made for and its holder may.

Next: passkeys.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from control_plane import audit
from control_plane.access.people import AccessError, MoreThanOwnError, NobodyError, TakenError
from control_plane.access.permissions import Permission
from control_plane.access.person import Actor
from control_plane.access.tokens import digest_of, new_api_token, prefix_of
from control_plane.store.staff import Person
from control_plane.store.staff_tokens import ApiToken, add_api_token, close_api_token, has_api_token, load_api_token

Connection = psycopg.Connection[Any]


class EmptyTokenError(AccessError):
    """A token that may nothing, or would be over when it is made."""


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A new token; `token` stands nowhere else."""

    id: int
    name: str
    token: str


def make_api_token(
    connection: Connection,
    holder: Person,
    *,
    name: str,
    permissions: frozenset[Permission],
    expires_at: datetime | None,
    by: Actor,
    now: datetime,
) -> MadeToken:
    """A token that acts for `holder`. Raises: EmptyTokenError, TakenError, MoreThanOwnError."""
    lacking = sorted(permissions - (holder.permissions & by.permissions))
    if lacking:
        raise MoreThanOwnError(f"{holder.name} has not themselves {', '.join(lacking)}, or {by.name} has not")
    if not permissions:
        raise EmptyTokenError("a token without a permission opens nothing: say what it may")
    if expires_at is not None and expires_at <= now:
        raise EmptyTokenError("this token would be over already")
    token = new_api_token()
    digest = digest_of(token)
    assert digest is not None
    with connection.transaction():
        if has_api_token(connection, holder.id, name):
            raise TakenError(f"{holder.name} has a token {name!r} already")
        number = add_api_token(
            connection,
            holder.id,
            name=name,
            digest=digest,
            prefix=prefix_of(token),
            permissions=permissions,
            by=by.name,
            now=now,
            expires_at=expires_at,
        )
        after = {"name": name, "permissions": sorted(permissions), "expires_at": expires_at, "prefix": prefix_of(token)}
        audit.append(connection, actor=by.name, action="token.add", subject=holder.name, detail={"after": after})
    return MadeToken(number, name, token)


def revoke_api_token(
    connection: Connection, token_id: int, *, by: Actor, now: datetime, of: int | None = None
) -> ApiToken:
    """It opens nothing from now on; of that person alone where `of` names one. Raises: NobodyError."""
    with connection.transaction():
        known = load_api_token(connection, token_id)
        if (
            known is None
            or (of is not None and known.staff_id != of)
            or not close_api_token(connection, token_id, now=now)
        ):
            raise NobodyError(f"there is no token {token_id} to revoke")
        audit.append(
            connection,
            actor=by.name,
            action="token.revoke",
            subject=known.staff_name,
            detail={"before": {"name": known.name, "prefix": known.prefix, "permissions": known.permissions}},
        )
    return known

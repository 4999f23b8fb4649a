"""Staff for tests: people with roles and passwords, on a connection that has the console's role."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pyotp
from support.command_line import KEY

from control_plane.access.own import Proof, begin_totp, save_password
from control_plane.access.people import add_person, add_role, make_first_administrator
from control_plane.access.permissions import Permission
from control_plane.access.person import Actor
from control_plane.access.signing_in import Came, SignedIn, SignInResult, sign_in
from control_plane.access.totp import new_secret
from control_plane.store.staff import load_person
from radius_hooks.sealing import Sealer

NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HERE: Final = Came("192.0.2.7", "Firefox")
PASSWORD: Final = "a lorry full of pears"
SEALER: Final = Sealer([KEY])
ADMIN: Final = Actor("admin")


def make_house(connection: psycopg.Connection[Any]) -> None:
    """The first administrator, and maria with a role that may see customers and send messages."""
    make_first_administrator(connection, now=NOW)
    granted = frozenset({Permission.CUSTOMER_SEE, Permission.MESSAGE_SEND})
    add_role(connection, "counter", permissions=granted, by=ADMIN)
    add_settled(connection, "maria", "counter")
    connection.commit()


def add_settled(connection: psycopg.Connection[Any], name: str, *roles: str, **details: object) -> int:
    """Somebody who has chosen their password already."""
    made = add_person(connection, name, full_name=name.title(), roles=roles, by=ADMIN, now=NOW, details=details)
    person = load_person(connection, name)
    assert person is not None
    save_password(connection, person, PASSWORD, now=NOW)
    return made.id


def enter(
    connection: psycopg.Connection[Any],
    name: str = "maria",
    password: str = PASSWORD,
    *,
    after_s: float = 0,
    **more: Any,
) -> SignInResult:
    """A try to sign in so long after NOW, committed."""
    came = more.pop("came", HERE)
    result = sign_in(
        connection, SEALER, name=name, password=password, came=came, now=NOW + timedelta(seconds=after_s), **more
    )
    connection.commit()
    return result


def entered(connection: psycopg.Connection[Any], name: str = "maria", **more: Any) -> SignedIn:
    """The same where it succeeds."""
    result = enter(connection, name, **more)
    assert isinstance(result, SignedIn), result
    return result


def give_totp(connection: psycopg.Connection[Any], name: str = "maria") -> pyotp.TOTP:
    """An app for that person; its code of NOW minus two minutes was shown."""
    session = entered(connection, name, after_s=-120)
    secret = new_secret()
    app = pyotp.TOTP(secret)
    shown = NOW - timedelta(seconds=120)
    proof = Proof(session.staff_id, session.session_id, PASSWORD)
    begin_totp(connection, SEALER, proof, secret=secret, code=app.at(shown), now=shown)
    connection.commit()
    return app

"""Staff who sign in through the console's pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from support.console_world import Console, sealer
from support.forms import send

from control_plane import db
from control_plane.access.own import save_password
from control_plane.access.people import add_person
from control_plane.access.person import Actor
from control_plane.store.staff import load_person
from radius_hooks.sealing import staff_row

PASSWORD = "a lorry full of pears"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def hire(console: Console, name: str, *, app: bool = False, once: bool = False, role: str = "reader") -> str:
    """Somebody with that password, or with a one-time one, which is returned."""
    now = datetime.now(UTC)
    with db.connect(console.conninfo, name="test", autocommit=True) as connection:
        made = add_person(connection, name, full_name=name.title(), roles=[role], by=Actor("test"), now=now)
        if not once:
            save_password(connection, load_person(connection, name), PASSWORD, now=now)
        if app:
            sealed = sealer().seal(SECRET.encode(), row=staff_row(made.id))
            connection.execute("UPDATE staff SET sealed_totp = %s, totp_since = now() WHERE id = %s", (sealed, made.id))
    return made.password


def enter(
    client: FlaskClient, name: str, password: str = PASSWORD, *, back: str = "", address: str = "127.0.0.1"
) -> Any:
    """The answer to a sign-in through the page."""
    return send(client, "/sign-in" + (f"?back={back}" if back else ""), name=name, password=password, address=address)

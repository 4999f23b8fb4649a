"""Browsers that show a customer's notices: kept when the customer asks for them, gone with a word of theirs or of the push service.

Source: W3C Push API (PushSubscription).
Next: billing/store/messages.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

# The oldest of more goes: nobody reads on so many, and each is a request.
MOST_OF_A_CUSTOMER: Final = 10
_COLUMNS: Final = "id, customer_id, session_id, endpoint, public_key, auth_secret, name, made_at"
# A browser that somebody else had asked for it in is now of who asks for it there.
_ADD: Final = """
INSERT INTO push_device (customer_id, session_id, endpoint, public_key, auth_secret, name)
VALUES (%(customer)s, %(session)s, %(endpoint)s, %(public_key)s, %(auth_secret)s, %(name)s)
ON CONFLICT (endpoint) DO UPDATE SET customer_id = EXCLUDED.customer_id, session_id = EXCLUDED.session_id,
    public_key = EXCLUDED.public_key, auth_secret = EXCLUDED.auth_secret, name = EXCLUDED.name, made_at = now()
RETURNING id
"""
_FORGET_OLDEST: Final = """
DELETE FROM push_device WHERE id IN (SELECT id FROM push_device WHERE customer_id = %s ORDER BY made_at DESC, id DESC OFFSET %s)
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gives away so that one can write to it: where its push service takes it, and with what it is encrypted."""

    endpoint: str
    public_key: bytes
    auth_secret: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A browser of a customer's. `name` is what people call it; `session_id` in which it was asked for, if that is not over."""

    id: int
    customer_id: int
    session_id: int | None
    endpoint: str
    public_key: bytes
    auth_secret: bytes
    name: str
    made_at: datetime

    @property
    def label(self) -> str:
        """What logs and lists may say of it: the address itself would let anybody write to it."""
        return f"device {self.id} at {urlsplit(self.endpoint).hostname}"


def add_device(
    connection: Connection, customer_id: int, subscription: Subscription, *, session_id: int, name: str
) -> int:
    """Show the customer's notices there from now on; its number. The same browser again is kept once."""
    given = {
        "customer": customer_id,
        "session": session_id,
        "endpoint": subscription.endpoint,
        "public_key": subscription.public_key,
        "auth_secret": subscription.auth_secret,
        "name": name,
    }
    row = connection.execute(_ADD, given).fetchone()
    assert row is not None, "it is there now"
    connection.execute(_FORGET_OLDEST, (customer_id, MOST_OF_A_CUSTOMER))
    return int(row[0])


def load_devices_of(connection: Connection, customer_id: int) -> list[Device]:
    """A customer's, the newest first."""
    with connection.cursor(row_factory=class_row(Device)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM push_device WHERE customer_id = %s ORDER BY id DESC",  # noqa: S608 - our own columns
            (customer_id,),
        ).fetchall()


def load_devices(connection: Connection, ids: Sequence[int]) -> dict[int, Device]:
    """By number, those that are there."""
    with connection.cursor(row_factory=class_row(Device)) as cursor:
        found = cursor.execute(
            f"SELECT {_COLUMNS} FROM push_device WHERE id = ANY (%s)",  # noqa: S608 - the same
            (list(ids),),
        ).fetchall()
    return {one.id: one for one in found}


def remove_device(connection: Connection, device_id: int, *, customer_id: int | None = None) -> bool:
    """Show nothing there any more; False where that customer has no such device."""
    return (
        connection.execute(
            "DELETE FROM push_device WHERE id = %s AND (%s::bigint IS NULL OR customer_id = %s)",
            (device_id, customer_id, customer_id),
        ).rowcount
        == 1
    )


def forget_devices(connection: Connection, customer_id: int, *, only: int | None = None, but: int | None = None) -> int:
    """Those that were asked for in one session, in all but one, or at all; how many."""
    return connection.execute(
        "DELETE FROM push_device WHERE customer_id = %s AND (%s::bigint IS NULL OR session_id = %s)"
        " AND (%s::bigint IS NULL OR session_id IS DISTINCT FROM %s)",
        (customer_id, only, only, but, but),
    ).rowcount

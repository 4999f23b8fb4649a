"""The key by which push services know this installation, in the database: its private half sealed.

Next: ../messages/push_channel.py
"""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


def load_public_key(connection: Connection) -> bytes | None:
    """What browsers are given; None before the worker has made one."""
    row = connection.execute("SELECT public_key FROM push_key").fetchone()
    return None if row is None else bytes(row[0])


def load_sealed_key(connection: Connection) -> bytes | None:
    """The private half as it is kept."""
    row = connection.execute("SELECT sealed_private FROM push_key").fetchone()
    return None if row is None else bytes(row[0])


def add_key(connection: Connection, *, public_key: bytes, sealed: bytes) -> None:
    """Keep a new one; where another worker has just done so, that one stays."""
    connection.execute(
        "INSERT INTO push_key (public_key, sealed_private) VALUES (%s, %s) ON CONFLICT DO NOTHING", (public_key, sealed)
    )

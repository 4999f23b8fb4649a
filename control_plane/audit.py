"""The audit log: who did what to what, in the transaction of the deed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]


def append(
    connection: Connection, *, actor: str, action: str, subject: str, detail: Mapping[str, object] | None = None
) -> None:
    """Write one row. `action` is noun.verb; `detail` never holds a secret.

    Committed together with what it tells of: a deed without its row can't be, nor a row without its deed.
    """
    connection.execute(
        "INSERT INTO audit_log (actor, action, subject, detail) VALUES (%s, %s, %s, %s)",
        (actor, action, subject, Jsonb(dict(detail or {}), dumps=_dumps)),
    )


def _dumps(value: object) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)

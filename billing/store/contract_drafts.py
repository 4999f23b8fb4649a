"""Contracts on their way: what was typed so far is kept, so that neither a lost connection nor a way back loses it; and their signatures.

Next: billing/operations/making.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Draft:
    """One on its way; over once it has its contract."""

    id: int
    made_by: str
    changed_at: datetime
    answers: dict[str, Any]
    contract_id: int | None


@dataclass(frozen=True, slots=True)
class Signature:
    """Evidence that somebody signed; `sha256` of the paper in hex."""

    id: int
    signer: str
    signed_at: datetime
    address: str | None
    browser: str
    sha256: str
    taken_by: str


_DRAFT: Final = "SELECT id, made_by, changed_at, answers, contract_id FROM contract_draft "


def begin_draft(connection: Connection, answers: Mapping[str, Any], *, made_by: str) -> int:
    """A new one with its first answers; its number."""
    row = connection.execute(
        "INSERT INTO contract_draft (made_by, answers) VALUES (%s, %s) RETURNING id", (made_by, Jsonb(dict(answers)))
    ).fetchone()
    assert row is not None
    return int(row[0])


def load_draft(connection: Connection, number: int, *, hold: bool = False) -> Draft | None:
    """One of them, held until the transaction ends if asked."""
    with connection.cursor(row_factory=class_row(Draft)) as cursor:
        return cursor.execute(_DRAFT + ("WHERE id = %s FOR UPDATE" if hold else "WHERE id = %s"), (number,)).fetchone()


def load_open_drafts(connection: Connection, made_by: str) -> list[Draft]:
    """Somebody's, the newest first."""
    with connection.cursor(row_factory=class_row(Draft)) as cursor:
        return cursor.execute(
            _DRAFT + "WHERE made_by = %s AND contract_id IS NULL ORDER BY changed_at DESC LIMIT %s",
            (made_by, _MOST_SHOWN),
        ).fetchall()


def save_answers(connection: Connection, number: int, answers: Mapping[str, Any]) -> bool:
    """Put a step's answers over what was there; False when it is over already."""
    done = connection.execute(
        "UPDATE contract_draft SET answers = answers || %s, changed_at = now() WHERE id = %s AND contract_id IS NULL",
        (Jsonb(dict(answers)), number),
    )
    return done.rowcount == 1


def finish_draft(connection: Connection, number: int, contract_id: int) -> None:
    """It has its contract."""
    connection.execute("UPDATE contract_draft SET contract_id = %s WHERE id = %s", (contract_id, number))


def save_signature(
    connection: Connection,
    contract_id: int,
    *,
    signer: str,
    address: str | None,
    browser: str,
    drawing: bytes,
    paper: bytes,
    taken_by: str,
) -> int:
    """Keep the evidence; its number."""
    row = connection.execute(
        "INSERT INTO contract_signature (contract_id, signer, address, browser, drawing, paper, taken_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (contract_id, signer, address, browser, drawing, paper, taken_by),
    ).fetchone()
    assert row is not None
    return int(row[0])


def load_signatures(connection: Connection, contract_id: int) -> list[Signature]:
    """A contract's, without drawing and paper."""
    with connection.cursor(row_factory=class_row(Signature)) as cursor:
        return cursor.execute(
            "SELECT id, signer, signed_at, host(address) AS address, browser, encode(sha256, 'hex') AS sha256, taken_by"
            " FROM contract_signature WHERE contract_id = %s ORDER BY id",
            (contract_id,),
        ).fetchall()


def load_signed(connection: Connection, contract_id: int, signature_id: int) -> tuple[bytes, bytes] | None:
    """The drawing and the paper of a signature."""
    row = connection.execute(
        "SELECT drawing, paper FROM contract_signature WHERE contract_id = %s AND id = %s", (contract_id, signature_id)
    ).fetchone()
    return None if row is None else (bytes(row[0]), bytes(row[1]))

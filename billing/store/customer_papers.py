"""What is kept of a customer as evidence: notes, files, consents; and its whole history in order of time.

Next: billing/store/customer_import.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.store.rows import insert_row

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a customer or a contract, without its content; `sha256` in hex."""

    id: int
    contract_id: int | None
    name: str
    media_type: str
    octets: int
    sha256: str
    author: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Note:
    """What staff wrote."""

    id: int
    contract_id: int | None
    text: str
    author: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """Given or withdrawn; `in_force` for the newest of its purpose and channel."""

    id: int
    purpose: str
    channel: str
    given: bool
    wording: str
    evidence: str | None
    taken_by: str
    taken_at: datetime
    in_force: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a customer's history."""

    at: datetime
    who: str
    what: str
    detail: str | None


_HISTORY: Final = """
SELECT at, who, what, detail FROM (
    SELECT created_at AS at, 'system' AS who, 'customer written' AS what, NULL::text AS detail FROM customer WHERE id = %(id)s
    UNION ALL SELECT at, actor, action, nullif(detail::text, '{}') FROM audit_log WHERE subject = 'customer ' || %(id)s
    UNION ALL SELECT written_at, author, 'note' || coalesce(' on contract ' || contract_id, ''), text FROM note WHERE customer_id = %(id)s
    UNION ALL SELECT added_at, author, 'file ' || id || coalesce(' of contract ' || contract_id, ''), name FROM attachment WHERE customer_id = %(id)s
    UNION ALL SELECT taken_at, taken_by, 'consent ' || CASE WHEN given THEN 'given' ELSE 'withdrawn' END, purpose || ' by ' || channel
        FROM consent WHERE customer_id = %(id)s
    UNION ALL SELECT e.at, e.actor, 'contract ' || e.contract_id || ' ' || e.event,
            CASE WHEN e.status_before <> e.status_after THEN e.status_before || ' -> ' || e.status_after END
        FROM contract AS c JOIN contract_event AS e ON e.contract_id = c.id WHERE c.customer_id = %(id)s
    UNION ALL SELECT issued_at, made_by, replace(kind::text, '_', ' ') || ' ' || label, payable || ' ' || currency
        FROM document WHERE customer_id = %(id)s AND issued_at IS NOT NULL
) AS happened ORDER BY at DESC, what LIMIT %(limit)s
"""


def save_note(connection: Connection, customer_id: int, text: str, *, author: str, contract_id: int | None) -> int:
    """Write one; returns its number."""
    return insert_row(
        connection,
        "note",
        {"customer_id": customer_id, "contract_id": contract_id, "text": text, "author": author},
    )


def load_notes(connection: Connection, customer_id: int) -> list[Note]:
    """A customer's and its contracts', the newest first."""
    with connection.cursor(row_factory=class_row(Note)) as cursor:
        return cursor.execute(
            "SELECT id, contract_id, text, author, written_at FROM note WHERE customer_id = %s ORDER BY written_at DESC, id DESC",
            (customer_id,),
        ).fetchall()


def save_attachment(
    connection: Connection,
    customer_id: int,
    *,
    name: str,
    media_type: str,
    content: bytes,
    author: str,
    contract_id: int | None,
) -> int:
    """Keep a file; returns its number."""
    return insert_row(
        connection,
        "attachment",
        {
            "customer_id": customer_id,
            "contract_id": contract_id,
            "name": name,
            "media_type": media_type,
            "content": content,
            "author": author,
        },
    )


def load_attachments(connection: Connection, customer_id: int) -> list[Attachment]:
    """A customer's and its contracts', the newest first, without their content."""
    with connection.cursor(row_factory=class_row(Attachment)) as cursor:
        return cursor.execute(
            "SELECT id, contract_id, name, media_type, octet_length(content) AS octets, encode(sha256, 'hex') AS sha256,"
            " author, added_at FROM attachment WHERE customer_id = %s ORDER BY added_at DESC, id DESC",
            (customer_id,),
        ).fetchall()


def load_content(connection: Connection, customer_id: int, attachment_id: int) -> bytes | None:
    """What is in a file of that customer."""
    row = connection.execute(
        "SELECT content FROM attachment WHERE customer_id = %s AND id = %s", (customer_id, attachment_id)
    ).fetchone()
    return None if row is None else bytes(row[0])


def delete_attachment(connection: Connection, customer_id: int, attachment_id: int) -> bool:
    """Take a file away, which the audit log keeps; False when there was none."""
    done = connection.execute("DELETE FROM attachment WHERE customer_id = %s AND id = %s", (customer_id, attachment_id))
    return done.rowcount == 1


def save_consent(
    connection: Connection,
    customer_id: int,
    *,
    purpose: str,
    channel: str,
    given: bool,
    wording: str,
    evidence: str | None,
    taken_by: str,
) -> int:
    """Write that it was given or withdrawn; returns its number."""
    return insert_row(
        connection,
        "consent",
        {
            "customer_id": customer_id,
            "purpose": purpose,
            "channel": channel,
            "given": given,
            "wording": wording,
            "evidence": evidence,
            "taken_by": taken_by,
        },
    )


def load_consents(connection: Connection, customer_id: int) -> list[Consent]:
    """All that was ever said, the newest of each purpose and channel first."""
    with connection.cursor(row_factory=class_row(Consent)) as cursor:
        return cursor.execute(
            "SELECT id, purpose, channel, given, wording, evidence, taken_by, taken_at,"
            " row_number() OVER (PARTITION BY purpose, channel ORDER BY taken_at DESC, id DESC) = 1 AS in_force"
            " FROM consent WHERE customer_id = %s ORDER BY purpose, channel, taken_at DESC, id DESC",
            (customer_id,),
        ).fetchall()


def load_history(connection: Connection, customer_id: int, *, limit: int) -> list[Happening]:
    """What happened to a customer and its contracts, the newest first."""
    with connection.cursor(row_factory=class_row(Happening)) as cursor:
        return cursor.execute(_HISTORY, {"id": customer_id, "limit": limit}).fetchall()

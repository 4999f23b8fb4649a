"""What came back of a message, noted: reports on it, and the wish to get no more.

Next: billing/store/undeliverable.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from billing.messages.message import Purpose
from billing.store.message_queue import PROBLEM_CHARACTERS, Happening

Connection = psycopg.Connection[Any]

_BOUNCED: Final = """
UPDATE message SET state = 'bounced', problem = %s WHERE id = %s AND state = 'sent'
"""
_SENT: Final = """
SELECT id, customer_id, channel, address, token::text FROM message WHERE id = %(id)s AND address IS NOT NULL FOR NO KEY UPDATE
"""
# Two statements and no condition for both: a plan that is kept for both reads all messages.
SENT_BY_REFERENCE: Final = """
SELECT id, customer_id, channel, address, token::text FROM message
WHERE id = (SELECT max(id) FROM message WHERE reference = %(reference)s) AND address IS NOT NULL FOR NO KEY UPDATE
"""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that something came back of."""

    id: int
    customer_id: int
    channel: str
    address: str
    token: str


def find_sent(
    connection: Connection, *, message_id: int | None = None, reference: str | None = None
) -> SentMessage | None:
    """The message of that number, or of that reference; it is held until the transaction ends."""
    row = connection.execute(
        _SENT if message_id is not None else SENT_BY_REFERENCE, {"id": message_id, "reference": reference}
    ).fetchone()
    return SentMessage(*row) if row else None


def note_bounce(connection: Connection, message_id: int, detail: str, *, made_by: str) -> bool:
    """It did not arrive. False when that was known, or it was never counted as sent: then the word is kept beside it."""
    if connection.execute(_BOUNCED, (detail[:PROBLEM_CHARACTERS], message_id)).rowcount == 1:
        note(connection, message_id, Happening.BOUNCED, detail, made_by=made_by)
        return True
    return False


def note(connection: Connection, message_id: int, happened: Happening, detail: str, *, made_by: str) -> None:
    """Keep a word on it, once."""
    connection.execute(
        "INSERT INTO message_event (message_id, happened, detail, made_by) SELECT %(id)s, %(happened)s::message_happening, %(detail)s, %(by)s"
        " WHERE NOT EXISTS (SELECT FROM message_event WHERE message_id = %(id)s AND happened = %(happened)s::message_happening AND detail = %(detail)s)",
        {"id": message_id, "happened": happened, "detail": detail, "by": made_by},
    )


def withdraw_consent(
    connection: Connection, customer_id: int, channel: str, *, evidence: str, taken_by: str, wording: str
) -> bool:
    """No more marketing; False when that is so already."""
    row = connection.execute(
        "INSERT INTO consent (customer_id, purpose, channel, given, wording, evidence, taken_by)"
        " SELECT %(customer)s, %(purpose)s, %(channel)s, false, %(wording)s, %(evidence)s, %(by)s WHERE (SELECT c.given FROM consent AS c"
        " WHERE c.customer_id = %(customer)s AND c.purpose = %(purpose)s AND c.channel = %(channel)s ORDER BY c.taken_at DESC, c.id DESC LIMIT 1)"
        " IS DISTINCT FROM false RETURNING id",
        {
            "customer": customer_id,
            "purpose": Purpose.MARKETING,
            "channel": channel,
            "wording": wording,
            "evidence": evidence,
            "by": taken_by,
        },
    ).fetchone()
    return row is not None

"""Messages written: in the transaction of what they tell, each origin once a customer and channel.

Source: schema.sql's section on messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
import psycopg

from billing.messages.message import NewMessage
from billing.messages.values import kept

Connection = psycopg.Connection[Any]

# Rows as JSON: enclosures are arrays of their own, which unnest() would flatten.
_QUEUE: Final = """
INSERT INTO message (customer_id, contract_id, issuer_id, batch_id, origin, channel, purpose, template, data, enclosures, role, contact_id, language,
    at_once, expires_at, next_at, made_by)
SELECT customer_id, contract_id, issuer_id, batch_id, origin, channel, purpose, template, data, enclosures, role, contact_id, language,
    at_once, expires_at, coalesce(not_before, now()), %(made_by)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS n (customer_id bigint, contract_id bigint, issuer_id bigint, batch_id bigint, origin text, channel text,
    purpose message_purpose, template text, data jsonb, enclosures text[], role contact_role, contact_id bigint, language spoken_language,
    at_once boolean, expires_at timestamptz, not_before timestamptz)
ON CONFLICT ON CONSTRAINT message_once DO NOTHING RETURNING id
"""


def queue(connection: Connection, messages: Sequence[NewMessage], *, made_by: str) -> list[int]:
    """Write messages into the caller's transaction; returns the ids of those that were not written before.

    A channel that this installation has no sender for keeps them as work for a person (`corrente message list --queued`).
    """
    if not messages:
        return []
    rows = orjson.dumps([_row(one) for one in messages]).decode()
    return [int(row[0]) for row in connection.execute(_QUEUE, {"rows": rows, "made_by": made_by}).fetchall()]


def _row(message: NewMessage) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(message, name) for name in NewMessage.__slots__}
    return {**row, "data": kept(message.data), "enclosures": [str(one) for one in message.enclosures]}

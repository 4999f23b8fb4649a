"""Messages written: in the transaction of what they tell, each origin once a customer and channel.

What goes by e-mail goes to each device of the customer's too, a row each, so that each is sent once and says what became of it.

Source: schema.sql's section on messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
import psycopg

from billing.messages.message import EMAIL, PUSH, NewMessage
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
# A link in is for the mail alone, and offers are for who agreed to them there. A push service keeps what a device does not fetch.
_TELL_DEVICES: Final = """
INSERT INTO message (customer_id, contract_id, issuer_id, batch_id, origin, channel, purpose, template, data, role, contact_id, language,
    at_once, expires_at, next_at, made_by, device_id)
SELECT m.customer_id, m.contract_id, m.issuer_id, m.batch_id, format('message %%s device %%s', m.id, d.id), %(push)s, m.purpose, m.template, m.data, m.role,
    m.contact_id, m.language, m.at_once, least(m.expires_at, m.next_at + make_interval(days => %(days)s)), m.next_at, m.made_by, d.id
FROM message AS m JOIN push_device AS d ON d.customer_id = m.customer_id
WHERE m.id = ANY (%(ids)s) AND m.channel = %(email)s AND m.purpose <> 'marketing' AND m.template <> 'portal_link'
"""
# What a device shows later than that is no news.
_NEWS_DAYS: Final = 3


def queue(connection: Connection, messages: Sequence[NewMessage], *, made_by: str) -> list[int]:
    """Write messages into the caller's transaction; returns the ids of those that were not written before, without those to devices.

    A channel that this installation has no sender for keeps them as work for a person (`corrente message list --queued`).
    """
    if not messages:
        return []
    rows = orjson.dumps([_row(one) for one in messages]).decode()
    ids = [int(row[0]) for row in connection.execute(_QUEUE, {"rows": rows, "made_by": made_by}).fetchall()]
    if ids:
        connection.execute(_TELL_DEVICES, {"ids": ids, "email": EMAIL, "push": PUSH, "days": _NEWS_DAYS})
    return ids


def _row(message: NewMessage) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(message, name) for name in NewMessage.__slots__}
    return {**row, "data": kept(message.data), "enclosures": [str(one) for one in message.enclosures]}

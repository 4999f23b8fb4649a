"""Messages as a list of any length is paged through: whatever was or will be sent, the newest first.

A page begins after the last row of the one before, by number or by the moment of writing; each is an index, and so is what is asked for.

Next: billing/store/message_list.py
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from billing.customer_search import search_patterns
from billing.store.customer_search import load_found
from billing.store.message_list import ListedMessage

Connection = psycopg.Connection[Any]

# Whoever types a name that more customers have narrows it down.
_MOST_CUSTOMERS: Final = 200
_GREATEST_ID: Final = 2**63 - 1
_COLUMNS: Final = """
SELECT m.id, m.customer_id, c.name AS customer, m.channel, m.purpose::text, m.template, m.origin, m.batch_id, m.state::text, m.attempts, m.made_at,
    m.next_at, m.ended_at, m.address, m.subject, m.problem
FROM message AS m JOIN customer AS c ON c.id = m.customer_id
"""
_TEXT: Final = """m.id IN (SELECT %(number)s::bigint UNION SELECT id FROM message WHERE lower(address) = lower(%(text)s)
    UNION SELECT id FROM message WHERE customer_id = ANY (%(customers)s))"""
# By field of `Asked`.
_FILTERS: Final = {
    "customer_id": "m.customer_id = %(customer_id)s",
    "batch_id": "m.batch_id = %(batch_id)s",
    "state": "m.state = %(state)s::message_state",
    "channel": "m.channel = %(channel)s",
    "template": "m.template = %(template)s",
    "since": "m.made_at >= %(since)s",
    "until": "m.made_at < %(until)s",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list of messages is asked for; all of it holds at once. `until` is the first moment that is too late."""

    text: str = ""
    customer_id: int | None = None
    batch_id: int | None = None
    state: str | None = None
    channel: str | None = None
    template: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def load_page(
    connection: Connection,
    asked: Asked,
    *,
    limit: int,
    by_moment: bool = False,
    down: bool = True,
    after: tuple[Any, ...] | None = None,
) -> list[ListedMessage]:
    """Messages that fit, by number or by when they were written, from the one behind `after` on."""
    values = {name: getattr(asked, name) for name in _FILTERS if getattr(asked, name) is not None}
    conditions = [_FILTERS[name] for name in values]
    if asked.text:
        conditions.append(_TEXT)
        values |= _text_values(connection, asked.text)
    key = "(m.made_at, m.id)" if by_moment else "m.id"
    if after is not None:
        conditions.append(f"{key} {'<' if down else '>'} {'(%(moment)s, %(last)s)' if by_moment else '%(last)s'}")
        values |= {"last": after[-1], "moment": after[0]}
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(
        f"{one} {'DESC' if down else 'ASC'}" for one in (("m.made_at", "m.id") if by_moment else ("m.id",))
    )
    statement = f"{_COLUMNS} {where} ORDER BY {order} LIMIT %(limit)s"
    with connection.cursor(row_factory=class_row(ListedMessage)) as cursor:
        return cursor.execute(statement, {**values, "limit": limit}).fetchall()


def _text_values(connection: Connection, text: str) -> dict[str, Any]:
    number = int(text) if text.isascii() and text.isdigit() and int(text) <= _GREATEST_ID else None
    patterns = search_patterns(text)
    found = load_found(connection, patterns, limit=_MOST_CUSTOMERS) if patterns else []
    return {"text": text, "number": number, "customers": [one.id for one in found]}


def find_told(connection: Connection, kind: str, customer_id: int) -> dict[str, Any] | None:
    """What the newest message of a kind told a customer, as it was kept; None without one."""
    row = connection.execute(
        "SELECT data FROM message WHERE customer_id = %s AND template = %s ORDER BY id DESC LIMIT 1",
        (customer_id, kind),
    ).fetchone()
    return None if row is None else dict(row[0])

"""Messages as a person lists them, and what a person does with them: taken back, sent again, done by hand.

Next: billing/store/message_batches.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

_LIST: Final = """
SELECT m.id, m.customer_id, c.name AS customer, m.channel, m.purpose::text, m.template, m.origin, m.batch_id, m.state::text, m.attempts, m.made_at,
    m.next_at, m.ended_at, m.address, m.subject, m.problem
FROM message AS m JOIN customer AS c ON c.id = m.customer_id
WHERE (%(customer_id)s::bigint IS NULL OR m.customer_id = %(customer_id)s) AND (%(state)s::text IS NULL OR m.state::text = %(state)s)
    AND (%(batch_id)s::bigint IS NULL OR m.batch_id = %(batch_id)s) AND (%(channel)s::text IS NULL OR m.channel = %(channel)s)
ORDER BY m.id DESC LIMIT %(limit)s
"""
_SHOW: Final = """
SELECT m.id, m.customer_id, c.name AS customer, m.contract_id, m.channel, m.purpose::text, m.template, m.template_version, m.origin, m.batch_id,
    m.enclosures, m.state::text, m.attempts, m.made_by, m.made_at, m.next_at, m.ended_at, m.expires_at, m.address, m.reference, m.subject, m.body, m.html, m.problem
FROM message AS m JOIN customer AS c ON c.id = m.customer_id WHERE m.id = %s
"""
# Of what is being sent at this moment nobody knows yet: it is not touched.
_CANCEL: Final = """
WITH cancelled AS (
    UPDATE message SET state = 'cancelled', ended_at = clock_timestamp(), problem = %(reason)s
    WHERE state = 'queued' AND (id = ANY (%(ids)s) OR batch_id = %(batch)s) RETURNING id
), noted AS (
    INSERT INTO message_event (message_id, happened, detail, made_by) SELECT id, 'cancelled', %(reason)s, %(by)s FROM cancelled
)
SELECT id FROM cancelled
"""
_AGAIN: Final = """
WITH again AS (
    UPDATE message SET state = 'queued', ended_at = NULL, handed_at = NULL, next_at = clock_timestamp(), attempts = 0, problem = ''
    WHERE state IN ('failed', 'bounced', 'withheld', 'cancelled') AND (id = ANY (%(ids)s) OR (batch_id = %(batch)s AND state IN ('failed', 'bounced')))
    RETURNING id
), noted AS (
    INSERT INTO message_event (message_id, happened, detail, made_by) SELECT id, 'again', %(reason)s, %(by)s FROM again
)
SELECT id FROM again
"""
_COPY: Final = """
INSERT INTO message (customer_id, contract_id, issuer_id, origin, channel, purpose, template, data, enclosures, role, contact_id, language, at_once, made_by, device_id)
SELECT customer_id, contract_id, issuer_id, format('copy %%s of message %%s', 1 + (SELECT count(*) FROM message AS c
        WHERE c.customer_id = m.customer_id AND c.origin LIKE format('copy %%%% of message %%s', m.id)), id),
    channel, purpose, template, data, enclosures, role, contact_id, language, true, %(by)s, device_id
FROM message AS m WHERE id = %(id)s AND state = 'sent' RETURNING id
"""
_BY_HAND: Final = """
WITH done AS (
    UPDATE message SET state = 'sent', handed_at = clock_timestamp(), ended_at = clock_timestamp(), problem = '', written_at = coalesce(written_at, clock_timestamp()),
        address = coalesce(address, channel), reference = coalesce(reference, 'by hand'), subject = coalesce(subject, template), body = coalesce(body, '')
    WHERE id = %(id)s AND state = 'queued' AND channel <> ALL (%(senders)s) RETURNING id
)
INSERT INTO message_event (message_id, happened, detail, made_by) SELECT id, 'sent', %(note)s, %(by)s FROM done
"""


_ENCLOSED: Final = """
SELECT id, customer_id, enclosures FROM message WHERE id = ANY (%(ids)s) OR (channel = %(channel)s AND state = 'queued') ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What goes with a message."""

    message_id: int
    customer_id: int
    enclosures: list[str]


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message in a list."""

    id: int
    customer_id: int
    customer: str
    channel: str
    purpose: str
    template: str
    origin: str
    batch_id: int | None
    state: str
    attempts: int
    made_at: datetime
    next_at: datetime
    ended_at: datetime | None
    address: str | None
    subject: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message with its text, as far as it was written."""

    id: int
    customer_id: int
    customer: str
    contract_id: int | None
    channel: str
    purpose: str
    template: str
    template_version: int | None
    origin: str
    batch_id: int | None
    enclosures: list[str]
    state: str
    attempts: int
    made_by: str
    made_at: datetime
    next_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None
    address: str | None
    reference: str | None
    subject: str | None
    body: str | None
    html: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Happened:
    """What became of a message at a moment."""

    at: datetime
    happened: str
    detail: str
    made_by: str


def load_messages(
    connection: Connection,
    *,
    customer_id: int | None = None,
    state: str | None = None,
    batch_id: int | None = None,
    channel: str | None = None,
    limit: int,
) -> list[ListedMessage]:
    """The newest."""
    wanted = {"customer_id": customer_id, "state": state, "batch_id": batch_id, "channel": channel, "limit": limit}
    with connection.cursor(row_factory=class_row(ListedMessage)) as cursor:
        return cursor.execute(_LIST, wanted).fetchall()


def load_message(connection: Connection, message_id: int) -> ShownMessage | None:
    """One of them."""
    with connection.cursor(row_factory=class_row(ShownMessage)) as cursor:
        return cursor.execute(_SHOW, (message_id,)).fetchone()


def load_enclosed(connection: Connection, ids: Sequence[int], *, channel: str | None = None) -> list[Enclosed]:
    """What goes with these messages, or with those that wait for a channel, in order."""
    return [Enclosed(*row) for row in connection.execute(_ENCLOSED, {"ids": list(ids), "channel": channel})]


def load_happened(connection: Connection, message_id: int) -> list[Happened]:
    """In order."""
    with connection.cursor(row_factory=class_row(Happened)) as cursor:
        return cursor.execute(
            "SELECT at, happened::text, detail, made_by FROM message_event WHERE message_id = %s ORDER BY id",
            (message_id,),
        ).fetchall()


def cancel_messages(
    connection: Connection, ids: Sequence[int], *, batch_id: int | None, reason: str, by: str
) -> list[int]:
    """Take back what has not gone; returns their numbers."""
    found = connection.execute(_CANCEL, {"ids": list(ids), "batch": batch_id, "reason": reason, "by": by})
    return [row[0] for row in found.fetchall()]


def send_again(connection: Connection, ids: Sequence[int], *, batch_id: int | None, reason: str, by: str) -> list[int]:
    """Queue anew what did not arrive: these, or what failed and bounced of a batch. Returns their numbers."""
    found = connection.execute(_AGAIN, {"ids": list(ids), "batch": batch_id, "reason": reason, "by": by})
    return [row[0] for row in found.fetchall()]


def send_copy(connection: Connection, message_id: int, *, by: str) -> int | None:
    """Another message like one that was sent; None when it was not."""
    row = connection.execute(_COPY, {"id": message_id, "by": by}).fetchone()
    return None if row is None else int(row[0])


def note_done_by_hand(connection: Connection, message_id: int, note: str, *, senders: Sequence[str], by: str) -> bool:
    """A person sent it, by a channel that nothing here sends by. False when it does not wait for that."""
    done = connection.execute(_BY_HAND, {"id": message_id, "note": note, "senders": list(senders), "by": by})
    return done.rowcount == 1

"""One text to many customers, queued as one batch: shown before it goes by rolling back, taken back as one.

The caller owns the transaction.

Next: outlook.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from billing.messages.message import EMAIL, NewMessage, Purpose
from billing.store.message_batches import save_batch
from billing.store.messages import queue
from control_plane import audit
from control_plane.messages.outlook import Outlook, look_ahead
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class ToMany:
    """What is told and why: `kind` a template with its `data`; `title` is what lists call the batch, `scope` who was meant.

    `more` are further fields of each message, such as `not_before`.
    """

    kind: str
    data: Mapping[str, object]
    purpose: Purpose
    title: str
    scope: Mapping[str, object]
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Queued:
    """A batch, how many messages it has, and what would come of them."""

    batch_id: int
    messages: int
    outlook: Outlook


def queue_many(
    connection: Connection,
    settings: Settings,
    customers: Sequence[tuple[int, int]],
    said: ToMany,
    *,
    by: str,
    now: datetime,
) -> Queued:
    """Queue one message for each of these customers, whom a contract of theirs is named with, and write who did it.

    Raises: TextError when the text can't be filled in.
    """
    batch = save_batch(connection, said.title, said.scope, made_by=by)
    messages = [
        NewMessage(customer, said.kind, f"batch {batch}", said.data, said.purpose, contract_id=contract, batch_id=batch, **said.more)
        for customer, contract in customers
    ]  # fmt: skip
    ids = queue(connection, messages, made_by=by)
    detail = {"title": said.title, "customers": len(ids), "scope": dict(said.scope)}
    audit.append(connection, actor=by, action="message.send_all", subject=f"batch {batch}", detail=detail)
    return Queued(batch, len(ids), look_ahead(connection, settings, ids, channel=EMAIL, now=now))

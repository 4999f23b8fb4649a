"""What a person does with messages: written to one customer, taken back, sent again, noted as sent by hand; each in the audit log.

The caller owns the transaction. A command and a page do the same.

Next: billing/store/message_list.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from billing.messages.message import NewMessage
from billing.store.message_batches import note_batch_cancelled
from billing.store.message_list import cancel_messages, note_done_by_hand, send_again, send_copy
from billing.store.messages import queue
from control_plane import audit
from control_plane.messages.channels import CHANNELS
from control_plane.messages.outlook import Outlook, look_ahead
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]
# Numbers that a row of the audit log names; the rest it counts.
_NAMED: Final = 100


class NotWaitingError(Exception):
    """The message does not wait for what was to be done with it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message that was queued, and what would come of it. `number` is None where the same was written before."""

    number: int | None
    outlook: Outlook


def write_one(connection: Connection, settings: Settings, message: NewMessage, *, by: str, now: datetime) -> Written:
    """Queue a message to one customer.

    Raises: TextError when its text can't be filled in.
    """
    ids = queue(connection, [message], made_by=by)
    if not ids:
        return Written(None, Outlook())
    detail = {"kind": message.template, "customer": message.customer_id, "purpose": message.purpose.value}
    audit.append(connection, actor=by, action="message.send", subject=f"message {ids[0]}", detail=detail)
    return Written(ids[0], look_ahead(connection, settings, ids, channel=message.channel, now=now))


def take_back(
    connection: Connection, ids: Sequence[int], *, batch_id: int | None = None, reason: str, by: str
) -> list[int]:
    """Take back what has not gone, of these or of a batch, which writes nothing more then; returns the numbers."""
    if batch_id is not None:
        note_batch_cancelled(connection, batch_id, by=by)
    done = cancel_messages(connection, ids, batch_id=batch_id, reason=reason, by=by)
    detail = {"messages": len(done), "numbers": done[:_NAMED], "reason": reason}
    audit.append(connection, actor=by, action="message.cancel", subject=_subject(ids, batch_id), detail=detail)
    return done


def again(
    connection: Connection, ids: Sequence[int], *, batch_id: int | None = None, copy: bool = False, by: str
) -> tuple[list[int], dict[int, int]]:
    """Queue again what did not arrive, of these or of a batch; with `copy` also what was sent, as a new message.

    Returns the numbers that are queued again, and the copies by the number of what they are a copy of.
    """
    done = send_again(connection, ids, batch_id=batch_id, reason="by hand", by=by)
    left = sorted(set(ids) - set(done)) if copy else []
    copies = {one: made for one in left if (made := send_copy(connection, one, by=by))}
    detail = {"messages": len(done) + len(copies), "numbers": done[:_NAMED], "copies": sorted(copies.values())[:_NAMED]}
    audit.append(connection, actor=by, action="message.again", subject=_subject(ids, batch_id), detail=detail)
    return done, copies


def done_by_hand(connection: Connection, number: int, note: str, *, by: str) -> None:
    """A message went by a channel that nothing here sends by. Raises: NotWaitingError."""
    if not note_done_by_hand(connection, number, note, senders=list(CHANNELS), by=by):
        raise NotWaitingError(f"message {number} does not wait for that: `corrente message show {number}`")
    audit.append(connection, actor=by, action="message.done", subject=f"message {number}", detail={"note": note})


def is_sent_here(channel: str) -> bool:
    """Whether this installation sends by it, or a person does."""
    return channel in CHANNELS


def _subject(ids: Sequence[int], batch_id: int | None) -> str:
    if batch_id is not None:
        return f"batch {batch_id}"
    return f"message {ids[0]}" if len(ids) == 1 else "messages"

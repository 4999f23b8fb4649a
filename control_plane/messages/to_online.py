"""A message to the customers whose sessions were chosen, as one batch that the worker sends.

Next: many.py
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg

from billing.messages.message import Purpose
from control_plane.messages.many import Queued, ToMany, queue_many
from control_plane.settings import Settings
from control_plane.store.by_hand import load_audience

Connection = psycopg.Connection[Any]


def write_to_chosen(
    connection: Connection,
    settings: Settings,
    *,
    subject: str,
    text: str,
    purpose: Purpose,
    scope: Mapping[str, object],
    by: str,
    now: datetime,
) -> Queued:
    """Queue it for the customers of the sessions that `by_hand.choose` chose in this transaction. Raises: TextError."""
    said = ToMany("text", {"subject": subject, "text": text}, purpose, subject, scope, {})
    return queue_many(connection, settings, load_audience(connection), said, by=by, now=now)

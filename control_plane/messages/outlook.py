"""What would come of messages that are queued and not committed: how many would go, how many not and why, and some of the texts.

Next: sending.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, assert_never

import psycopg

from billing.messages.may_go import Asked, Go, Wait, Withhold, may_go
from billing.messages.texts import Written, write
from billing.store.message_queue import Taken, load_queued
from billing.store.message_readers import Addressee, Sender, load_addressees
from billing.store.message_templates import find_source
from control_plane.messages.sending import accent_of, hours_of, reader_of
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]

EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A message as it would be read."""

    addressee: Addressee
    written: Written


@dataclass(slots=True)
class Outlook:
    """How many would go at once, wait until when, or not go and why."""

    goes: int = 0
    waits: int = 0
    until: datetime | None = None
    withheld: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)


def look_ahead(
    connection: Connection, settings: Settings, ids: Sequence[int], *, channel: str, now: datetime
) -> Outlook:
    """What would come of them. Raises: TextError when the text can't be filled in for one of the examples."""
    taken = load_queued(connection, ids)
    operator = Sender(None, {"name": settings.operator.name}, None, settings.zone)
    addressees = load_addressees(connection, taken, channel=channel, operator=operator)
    outlook = Outlook()
    for one in taken:
        _count(outlook, one, addressees[one.id], settings, now)
        if len(outlook.examples) < EXAMPLES:
            outlook.examples.append(_example(connection, settings, one, addressees[one.id]))
    return outlook


def _count(outlook: Outlook, message: Taken, addressee: Addressee, settings: Settings, now: datetime) -> None:
    if addressee.email is None:
        outlook.withheld["no e-mail address"] += 1
        return
    asked = Asked(
        message.purpose, message.at_once, addressee.consent, addressee.undeliverable, expires_at=message.expires_at
    )
    sender = addressee.sender
    verdict = may_go(asked, hours=hours_of(settings), zone=sender.zone, country=sender.country, now=now)
    match verdict:
        case Go():
            outlook.goes += 1
        case Wait():
            outlook.waits += 1
            outlook.until = min(verdict.until, outlook.until or verdict.until)
        case Withhold():
            # Which answer a server gave for which address is not told in a sum.
            outlook.withheld[verdict.why.partition(":")[0]] += 1
        case _:
            assert_never(verdict)


def _example(connection: Connection, settings: Settings, message: Taken, addressee: Addressee) -> Example:
    source = find_source(connection, message.template, addressee.language, addressee.sender.id)
    reader = reader_of(addressee, accent=accent_of(settings, addressee.sender.id))
    return Example(addressee, write(source, message.template, message.data, reader))

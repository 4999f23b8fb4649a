"""A message as who decides it writes it: to whom, why, by which template, what goes with it.

Whoever decides something that a customer is to hear writes it with `billing.store.messages.queue`, in the same transaction.
The text is made when it is sent, so that a template that is broken stops no payment.

Units: instants are aware.
Next: billing/store/messages.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from billing.contacts import ContactRole

EMAIL: Final = "email"
# To a browser that a subscriber asked for it in: rows that messages by e-mail bring along.
PUSH: Final = "push"


class Purpose(StrEnum):
    """What lets it go: the law or the contract; what they have, until they decline; a consent."""

    LEGAL = "legal"
    SERVICE = "service"
    MARKETING = "marketing"


class State(StrEnum):
    """How a message stands. The first two are under way."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    BOUNCED = "bounced"
    FAILED = "failed"
    WITHHELD = "withheld"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Enclosure:
    """What goes with a message: a kind (`document`, `attachment`, …) and the row's id.

    It is printed when the message is sent.
    """

    kind: str
    row_id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.row_id}"


def read_enclosure(text: str) -> Enclosure:
    """What `str()` of one says."""
    kind, _, row_id = text.partition(":")
    return Enclosure(kind, int(row_id))


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One message to one customer.

    `origin` says why it is written, such as `dunning 12 walled`, `receipt 7`, `outage 3`: the same again writes nothing, a
    customer and channel. `data` is what the template tells: texts, amounts (Money), days, moments, yes or no, and lists and
    tables of those; they are written out in the reader's language when it is sent. `language` is the contact's or the customer's where it is None, `issuer_id`
    that of whose name, zone and holidays count. Quiet hours do not hold what goes `at_once`; from `expires_at` on it is old news.
    """

    customer_id: int
    template: str
    origin: str
    data: Mapping[str, object] = field(default_factory=dict)
    purpose: Purpose = Purpose.SERVICE
    channel: str = EMAIL
    issuer_id: int | None = None
    contract_id: int | None = None
    role: ContactRole = ContactRole.MAIN
    contact_id: int | None = None
    language: str | None = None
    enclosures: tuple[Enclosure, ...] = ()
    not_before: datetime | None = None
    expires_at: datetime | None = None
    at_once: bool = False
    batch_id: int | None = None

"""What an authority, or whoever speaks to it for us, says of an e-invoice: the words that every country's file uses.

Source: the e-invoice provider interface, "Outcome".
Next: states.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class State(StrEnum):
    """How far an e-invoice is."""

    DRAFT = "draft"
    PREPARED = "prepared"
    SENDING = "sending"
    PENDING = "pending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    ACCEPTED_NOTED = "accepted_noted"
    REJECTED_FIXABLE = "rejected_fixable"
    REJECTED_FINAL = "rejected_final"
    BLOCKED = "blocked"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    CANCEL_REFUSED = "cancel_refused"


class Handover(StrEnum):
    """Whether the receiver has it, which is another question than whether the authority took it."""

    NONE = "none"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    REFUSED = "refused"


class Answer(StrEnum):
    """What was said to one question."""

    ACCEPTED = "accepted"
    ACCEPTED_NOTED = "accepted_noted"
    PENDING = "pending"
    REJECTED_FIXABLE = "rejected_fixable"
    REJECTED_FINAL = "rejected_final"
    BLOCKED = "blocked"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    CANCEL_REFUSED = "cancel_refused"


class Retry(StrEnum):
    """What may be sent after this answer: nothing, the same octets, others, or nothing before the authority was asked."""

    NEVER = "never"
    SAME_BYTES = "same_bytes"
    AFTER_FIX = "after_fix"
    ASK_FIRST = "ask_first"


class Numbering(StrEnum):
    """Who numbers: the document's own number, a series that we count for the authority, or the authority itself."""

    DOCUMENT = "document"
    SERIES = "series"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class Message:
    """A line of an answer; `level` is info, warning or error."""

    code: str
    text: str
    level: str = "error"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that came with an answer, such as the authorised XML."""

    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer. `about` is the SHA-256 of the octets that it speaks of, where it says so.

    `http_status` and `raw` are what came, with secrets taken out, for a person to look at.
    """

    answer: Answer
    retry: Retry = Retry.NEVER
    authority_key: str | None = None
    authority_code: str | None = None
    expires: date | None = None
    qr_text: str | None = None
    messages: tuple[Message, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    handover: Handover | None = None
    not_before: datetime | None = None
    about: bytes | None = None
    http_status: int | None = None
    raw: bytes = b""
    # The authority was not reached: nothing else is asked of it for a while.
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How an authority deals with numbers, silence and refusals; each country's file says it.

    `absent_apart_s`: two answers "there is no such document" so far apart mean that nothing arrived. `pending_for_s`: a
    person is told when an answer takes longer. `consecutive`: a number is sent when the one before it is settled.
    `resend_days`: so long may a rejected document be sent again under its number; None for always. `rejected_is_unissued`:
    by law a rejected document was never issued, so what takes it back stays inside.
    """

    numbering: Numbering
    absent_apart_s: float = 300.0
    pending_for_s: float = 24 * 3600.0
    consecutive: bool = False
    fix_reuses_number: bool = True
    resend_days: int | None = None
    rejected_is_unissued: bool = True
    can_cancel: bool = False
    kinds: tuple[str, ...] = field(default=("invoice", "credit_note"))

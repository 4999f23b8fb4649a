"""Webhooks as rules: which events there are, what is told of one, how it is signed, when it is tried again, when it is given up.

What is sent is signed as the Standard Webhooks specification has it, so that a receiver verifies it with a library of that
name: headers webhook-id, webhook-timestamp and webhook-signature over `id.timestamp.body`. Beside them webhook-attempt.

Units: *_s seconds; instants are UTC.
Source: billing model sections 15 and 17; Standard Webhooks specification 1.0.
Next: store/webhooks.py
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from billing.errors import BillingError

PING: Final = "webhook.ping"
# What others are told, and when. An event that is written and does not stand here can't be chosen.
EVENTS: Final[Mapping[str, str]] = {
    "contract.changed": "a contract's status, plan or terms changed",
    "document.issued": "an invoice, a quote or an order was issued",
    "document.credited": "a credit note was issued",
    "payment.recorded": "money came in, or was found to be a customer's",
    "payment.reversed": "a payment came back",
    "dunning.step": "a reminder or a measure of a case ran",
    "dunning.cleared": "a case is over",
    "cash_session.closed": "a collector's or a desk's cash was counted and handed over",
    "dunning.lifted": "a line is limited for a debt no more, or less",
    "einvoice.accepted": "the tax authority took an e-invoice",
    "einvoice.rejected": "the tax authority refused an e-invoice",
    PING: "a test that somebody asked for",
}
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what stands before every secret
SECRET_OCTETS: Final = 32
# Standard Webhooks asks for 24 to 64.
_SECRET_SHORTEST, _SECRET_LONGEST = 24, 64
TRIED_FOR: Final = timedelta(days=3)
_PAUSE_LEAST_S: Final = 5.0
_PAUSE_MOST_S: Final = 8 * 3600.0
# So that what failed together does not come back together: a pause is shortened by up to this share.
_SPREAD: Final = 0.2
BODY_OCTETS: Final = 256 * 1024
_GONE: Final = 410
_ASKS_TO_WAIT: Final = frozenset({429, 503})


class WebhookError(BillingError):
    """Something of an endpoint is wrong; the message names it and says what is expected."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a receiver gets it. `event_id` is the same however often it is sent."""

    event_id: str
    event: str
    at: datetime
    data: Mapping[str, Any]
    payload_version: int = 1
    contract_id: int | None = None
    version: int | None = None


def event_id(outbox_id: int, at: datetime) -> str:
    """The name of an event for good: its number, and its time because a database that was restored counts anew."""
    return f"evt_{outbox_id}_{int(at.timestamp() * 1000):x}"


def body_of(told: Told) -> bytes:
    """What is sent, to the octet the same each time. Raises: WebhookError when it is longer than BODY_OCTETS."""
    content: dict[str, object] = {
        "type": told.event,
        "id": told.event_id,
        "timestamp": told.at.isoformat().replace("+00:00", "Z"),
        "payload_version": told.payload_version,
    }
    if told.contract_id is not None:
        content |= {"contract": told.contract_id, "version": told.version}
    body = orjson.dumps(content | {"data": told.data})
    if len(body) > BODY_OCTETS:
        raise WebhookError(f"event {told.event_id} has {len(body)} octets: {BODY_OCTETS} at most are sent")
    return body


def read_events(words: Iterable[str]) -> tuple[str, ...]:
    """The events that an endpoint wants: names, `document.*` for all of a noun, `*` for all. Raises: WebhookError."""
    wanted = tuple(dict.fromkeys(words))
    if not wanted:
        raise WebhookError("an endpoint wants at least one event; `*` is all of them")
    for word in wanted:
        if not any(wants([word], known) for known in EVENTS):
            raise WebhookError(f"there is no event {word!r}: there are {', '.join(EVENTS)}; `document.*`, `*`")
    return wanted


def wants(chosen: Sequence[str], event: str) -> bool:
    """Whether who chose these is told of that event. A ping is sent to who is tested and to nobody else."""
    noun = event.partition(".")[0]
    return event in chosen or (event != PING and ("*" in chosen or f"{noun}.*" in chosen))


def secret_text(octets: bytes) -> str:
    """A secret as people hand it on."""
    return SECRET_PREFIX + base64.b64encode(octets).decode()


def read_secret(text: str) -> bytes:
    """The octets of a secret that was typed. Raises: WebhookError."""
    try:
        octets = base64.b64decode(text.strip().removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise WebhookError(f"a secret is {SECRET_PREFIX} and base64") from error
    if not _SECRET_SHORTEST <= len(octets) <= _SECRET_LONGEST:
        raise WebhookError(f"a secret has {_SECRET_SHORTEST} to {_SECRET_LONGEST} octets, not {len(octets)}")
    return octets


def headers_for(told_id: str, body: bytes, secrets: Sequence[bytes], *, at: datetime, attempt: int) -> dict[str, str]:
    """The headers of one try: a signature with each secret that is valid, so that a receiver changes over when it likes.

    Source: Standard Webhooks, "Signature scheme".
    """
    sent = str(int(at.timestamp()))
    signed = b".".join((told_id.encode(), sent.encode(), body))
    signatures = (
        "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode() for secret in secrets
    )
    return {
        "Content-Type": "application/json",
        "User-Agent": "Corrente-Webhooks/1",
        "webhook-id": told_id,
        "webhook-timestamp": sent,
        "webhook-signature": " ".join(signatures),
        "webhook-attempt": str(attempt),
    }


@dataclass(frozen=True, slots=True)
class Took:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Again:
    """It is tried again after `pause_s`."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class Parked:
    """It was tried for three days: it waits for a person. `gone`: the receiver wants nothing any more (410)."""

    gone: bool = False


def after_try(
    status: int | None, *, began_at: datetime, now: datetime, retry_after_s: float | None = None, spread: float = 0.0
) -> Took | Again | Parked:
    """What becomes of a delivery after a try that was answered with `status`, or not at all (None).

    The pause is the time that has passed since the first try, 5 s at least and 8 h at most: it doubles. `spread` (0 to 1)
    shortens it. Who answers 429 or 503 with Retry-After is waited for, up to the end of the three days.
    """
    if status is not None and 200 <= status < 300:
        return Took()
    if status == _GONE:
        return Parked(gone=True)
    passed_s = (now - began_at).total_seconds()
    left_s = TRIED_FOR.total_seconds() - passed_s
    if left_s <= 0:
        return Parked()
    pause_s = min(max(passed_s, _PAUSE_LEAST_S), _PAUSE_MOST_S) * (1 - _SPREAD * spread)
    if status in _ASKS_TO_WAIT and retry_after_s is not None:
        pause_s = max(pause_s, retry_after_s)
    # The last try is at the end of the three days and not before.
    return Again(min(pause_s, left_s))


def is_given_up(failing_since: datetime | None, *, now: datetime, after_days: int) -> bool:
    """Whether an endpoint that took nothing since then is switched off."""
    return failing_since is not None and now - failing_since >= timedelta(days=after_days)

"""One try of a webhook's delivery: signed with the secrets that are valid, sent, and told how it went.

Opens no database, so that many are sent at once beside the one connection that claims and notes.

Units: *_s seconds.
Next: ../jobs/webhooks.py
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from billing.plain_text import plain_text
from billing.store.webhooks import ANSWER_CHARACTERS, PROBLEM_CHARACTERS, Due, Endpoint, Try
from billing.webhooks import Again, Parked, Took, after_try, headers_for
from control_plane.outward.call import Answered, Limits, Request, call, retry_after_s
from radius_hooks.sealing import Sealer, SealError, webhook_row

_ANSWER_OCTETS: Final = 4096


@dataclass(frozen=True, slots=True)
class Sent:
    """A try and what becomes of the delivery."""

    due: Due
    tried: Try
    outcome: Took | Again | Parked


def valid_secrets(endpoint: Endpoint, sealer: Sealer, *, now: datetime) -> tuple[bytes, ...]:
    """What is signed with: the secret, and the one before as long as that is valid and can be opened. Raises: SealError."""
    row = webhook_row(endpoint.id)
    secrets = [sealer.open(endpoint.sealed_secret, row=row)]
    if endpoint.sealed_old_secret is not None and endpoint.old_secret_until and now < endpoint.old_secret_until:
        # One that is damaged was changed for another because of it.
        with suppress(SealError):
            secrets.append(sealer.open(endpoint.sealed_old_secret, row=row))
    return tuple(secrets)


def send(due: Due, endpoint: Endpoint, secrets: tuple[bytes, ...], *, timeout_s: float, allow_private: bool) -> Sent:
    """Send one delivery, and wait for what is answered."""
    at = datetime.now(UTC)
    headers = headers_for(due.event_id, due.body, secrets, at=at, attempt=due.attempt)
    limits = Limits(connect_s=min(5.0, timeout_s), total_s=timeout_s, answer_octets=_ANSWER_OCTETS)
    came = call(Request(endpoint.url, headers=headers, body=due.body), limits, allow_private=allow_private)
    if isinstance(came, Answered):
        answer = plain_text(came.body.decode("utf-8", "replace"))[:ANSWER_CHARACTERS]
        status, problem, wait_s = came.status, "", retry_after_s(came.headers)
    else:
        answer, status, problem, wait_s = "", None, came.problem[:PROBLEM_CHARACTERS], None
    tried = Try(due.attempt, at, came.took_s, came.address, status, problem, answer)
    spread = random.random()  # noqa: S311 - no secret: it only keeps receivers from being asked all at once
    outcome = after_try(status, began_at=due.began_at, now=datetime.now(UTC), retry_after_s=wait_s, spread=spread)
    return Sent(due, tried, outcome)


def not_sent(due: Due, error: BaseException) -> Sent:
    """A try that failed by our own fault: it is tried again like one without an answer."""
    at = datetime.now(UTC)
    problem = plain_text(f"it could not be sent: {type(error).__name__} {error}")[:PROBLEM_CHARACTERS]
    tried = Try(due.attempt, at, 0.0, None, None, problem, "")
    return Sent(due, tried, after_try(None, began_at=due.began_at, now=at))


def without_words(sent: Sent) -> Sent:
    """The same without what came from outside, for a database that does not take it."""
    problem = "what came back can't be kept" if sent.tried.problem else ""
    return replace(sent, tried=replace(sent.tried, address=None, problem=problem, answer=""))

"""Answers that are given once: a repeated call has the first one's answer and no second effect.

    match once(connection, caller=…, route=…, key=…, body=…):
        case First() as first: do it, then keep_answer(connection, first, status=…, answer=…) and commit
        case Answered(): send that again
        case OtherBody(): 422
        case Running(): 409

The key is written in the transaction of the effect: taken back together, and committed together or not at all, which the
database holds. While that transaction is open nobody sees the key, so a lock of its own says that the call is running.

Transactions are READ COMMITTED: who gets the lock must see what the one before it has committed.
Source: billing model section 17, invariant I31.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import psycopg

from billing.errors import BillingError

Connection = psycopg.Connection[Any]


class AnswerKeptError(BillingError):
    """An answer was to be kept for a call that is not this transaction's first."""


@dataclass(frozen=True, slots=True)
class First:
    """Nobody has asked this yet: do it, and keep the answer in the same transaction."""

    caller: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Answered:
    """It was done before, and this was the answer."""

    status: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class OtherBody:
    """The key was used for something else."""


@dataclass(frozen=True, slots=True)
class Running:
    """The same call is being done at this moment."""


def once(
    connection: Connection, *, caller: str, route: str, key: str, body: bytes
) -> First | Answered | OtherBody | Running:
    """Whether this call is the first of its key, or what else it is. Never waits for another call."""
    lock = connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(jsonb_build_array('idempotency', %s::text, %s::text, %s::text)::text, 0))",
        (caller, route, key),
    ).fetchone()
    assert lock is not None
    if not lock[0]:
        return Running()
    digest = hashlib.sha256(body).digest()
    kept = connection.execute(
        "SELECT body_hash, status, answer FROM idempotency_key WHERE caller = %s AND route = %s AND key = %s",
        (caller, route, key),
    ).fetchone()
    if kept is None:
        connection.execute(
            "INSERT INTO idempotency_key (caller, route, key, body_hash) VALUES (%s, %s, %s, %s)",
            (caller, route, key, digest),
        )
        return First(caller, route, key)
    if kept[0] != digest:
        return OtherBody()
    # Without an answer it is this very transaction that asks again before it has answered.
    return Running() if kept[1] is None else Answered(kept[1], kept[2])


def keep_answer(connection: Connection, first: First, *, status: int, answer: bytes) -> None:
    """Keep what this call is answered. Raises: AnswerKeptError when the transaction has not begun it, or has answered it."""
    kept = connection.execute(
        "UPDATE idempotency_key SET status = %s, answer = %s WHERE caller = %s AND route = %s AND key = %s AND status IS NULL",
        (status, answer, first.caller, first.route, first.key),
    ).rowcount
    if kept != 1:
        raise AnswerKeptError(
            f"key {first.key} of {first.caller} on {first.route} waits for no answer: ask `once` in the same transaction"
        )

"""What is to be done at gateways: notices to look into, presentments to ask for, and what came in and was not judged yet.

A row that is taken is put off for a while in the same statement: who dies with it in hand leaves it to the next.

Units: seconds.
Next: billing/operations/recording.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.money import Money, read_money
from billing.plain_text import plain_text

Connection = psycopg.Connection[Any]

# Longer than any call takes with all of its pages.
_IN_HAND: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Notice:
    """That something happened, to be asked for. `attempts` counts this one."""

    id: int
    account_id: int
    key: str
    topic: str
    ref: str
    happened: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Presentment:
    """What a provider is to do, with all that it needs to know. `attempts` counts this one.

    `due_on` is when a debit is to be collected at the earliest. `refunded`: what went back of the payment through the provider, told of already or not; what went back otherwise it does not know.
    """

    id: int
    account_id: int
    kind: str
    key: str
    made_at: datetime
    attempts: int
    reason: str
    charge_id: int | None
    charge_key: str | None
    words: str
    amount: Money | None
    mandate_id: int | None
    mandate_ref: str | None
    payment_reference: str | None
    refunded: Money | None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What came in and nobody has judged."""

    id: int
    account_id: int
    at: datetime
    headers: dict[str, str]
    body: bytes


_TAKE_NOTICES: Final = """
UPDATE gateway_notice AS n SET attempts = attempts + 1, next_at = now() + %(in_hand)s WHERE id = ANY (ARRAY(
    SELECT n.id FROM gateway_notice AS n JOIN gateway_account AS a ON a.id = n.account_id
    WHERE n.done_at IS NULL AND n.next_at <= now() AND a.enabled ORDER BY n.next_at, n.id LIMIT %(limit)s FOR UPDATE OF n SKIP LOCKED))
RETURNING id, account_id, key, topic, ref, happened, attempts
"""
_WRITE_NOTICES: Final = """
INSERT INTO gateway_notice (account_id, key, topic, ref, happened, webhook_id)
SELECT %(account)s, n.key, n.topic, n.ref, n.happened, %(webhook)s FROM unnest(%(keys)s::text[], %(topics)s::text[], %(refs)s::text[], %(times)s::timestamptz[]) AS n (key, topic, ref, happened)
ON CONFLICT (account_id, key) DO NOTHING
"""
# Refunds of one payment go one after the other: a provider is told what went back of it in all, and declines who tells another sum.
_TAKE_PRESENTMENTS: Final = """
UPDATE presentment SET attempts = attempts + 1, next_at = now() + %(in_hand)s WHERE id = ANY (ARRAY(
    SELECT p.id FROM presentment AS p JOIN gateway_account AS a ON a.id = p.account_id
    WHERE p.state = 'asked' AND p.next_at <= now() AND a.enabled AND (%(id)s::bigint IS NULL OR p.id = %(id)s)
        AND NOT (p.kind = 'refund' AND EXISTS (SELECT FROM presentment AS b WHERE b.payment_id = p.payment_id AND b.kind = 'refund' AND b.state = 'asked' AND b.id < p.id AND b.next_at < 'infinity'))
    ORDER BY p.next_at, p.id LIMIT %(limit)s FOR UPDATE OF p SKIP LOCKED))
RETURNING id
"""
_PRESENTMENTS: Final = """
SELECT p.id, p.account_id, p.kind::text, p.key, p.made_at, p.attempts, p.reason, p.charge_id, c.key, coalesce(c.words, p.reason), coalesce(c.currency, y.currency), coalesce(c.amount, p.amount),
    p.mandate_id, m.ref, y.reference,
    (SELECT sum(f.amount) FROM refund AS f WHERE f.payment_id = y.id AND f.source = 'webhook') AS told,
    CASE WHEN p.kind = 'refund' THEN (SELECT sum(b.amount) FROM presentment AS b WHERE b.payment_id = y.id AND b.kind = 'refund' AND b.state = 'presented' AND NOT EXISTS (
        SELECT FROM refund AS f WHERE f.payment_id = y.id AND f.source = 'webhook' AND f.reference = 'gateway ' || b.account_id || ' ' || b.ref)) END AS not_told, c.due_on
FROM presentment AS p LEFT JOIN gateway_charge AS c ON c.id = p.charge_id LEFT JOIN mandate AS m ON m.id = p.mandate_id LEFT JOIN payment AS y ON y.id = p.payment_id
WHERE p.id = ANY (%s) ORDER BY p.id
"""


def write_notices(
    connection: Connection,
    account_id: int,
    hints: Sequence[tuple[str, str, str, datetime]],
    *,
    webhook_id: int | None = None,
) -> int:
    """Write what was hinted at (key, topic, number, time); how many were not known."""
    if not hints:
        return 0
    keys, topics, refs, times = (list(column) for column in zip(*hints, strict=True))
    asked = {"account": account_id, "webhook": webhook_id, "keys": keys, "topics": topics, "refs": refs, "times": times}
    return connection.execute(_WRITE_NOTICES, asked).rowcount


def take_notices(connection: Connection, *, limit: int) -> list[Notice]:
    """Notices whose time has come, put off while they are in hand."""
    rows = connection.execute(_TAKE_NOTICES, {"limit": limit, "in_hand": _IN_HAND}).fetchall()
    return sorted((Notice(*row) for row in rows), key=lambda notice: notice.id)


def _kept(said: str) -> str:
    """What a provider or an error said, as far as it is kept."""
    return plain_text(said)[:1000]


def end_notice(connection: Connection, notice_id: int, outcome: str, problem: str = "") -> None:
    """It is recorded; `outcome` says what came of it, `problem` what a person is to look at."""
    connection.execute(
        "UPDATE gateway_notice SET done_at = now(), outcome = %s, problem = %s WHERE id = %s AND done_at IS NULL",
        (_kept(outcome), _kept(problem), notice_id),
    )


def put_off_notice(connection: Connection, notice_id: int, problem: str, *, seconds: float | None) -> None:
    """It can't be recorded now; looked into again after so long, or not before a person says so."""
    connection.execute(
        "UPDATE gateway_notice SET problem = %s, next_at = coalesce(now() + make_interval(secs => %s::float8), 'infinity') WHERE id = %s",
        (_kept(problem), seconds, notice_id),
    )


def take_presentments(connection: Connection, *, limit: int, only: int | None = None) -> list[Presentment]:
    """What is to be asked for, put off while it is in hand."""
    asked = {"limit": limit, "id": only, "in_hand": _IN_HAND}
    taken = [number for (number,) in connection.execute(_TAKE_PRESENTMENTS, asked).fetchall()]
    return [_presentment(row) for row in connection.execute(_PRESENTMENTS, (taken,))]


def _presentment(row: tuple[Any, ...]) -> Presentment:
    (id, account, kind, key, made_at, attempts, reason, charge_id, charge_key, words, currency, amount, *rest) = row
    mandate_id, mandate_ref, payment, told, not_told, due_on = rest
    refunded = (told or Decimal(0)) + (not_told or Decimal(0))
    return Presentment(
        *(id, account, kind, key, made_at, attempts, reason, charge_id, charge_key, words),
        amount=None if amount is None else read_money(amount, currency),
        mandate_id=mandate_id,
        mandate_ref=mandate_ref,
        payment_reference=payment,
        refunded=None if amount is None else read_money(refunded, currency),
        due_on=due_on,
    )


def end_presentment(
    connection: Connection, presentment_id: int, *, ref: str, value: str | None, expires: datetime | None
) -> None:
    """The provider has done it."""
    connection.execute(
        "UPDATE presentment SET state = 'presented', ref = %s, value = %s, expires_at = %s, problem = '' WHERE id = %s AND state = 'asked'",
        (ref, value, expires, presentment_id),
    )


def refuse_presentment(connection: Connection, presentment_id: int, problem: str) -> None:
    """The provider will not do it."""
    connection.execute(
        "UPDATE presentment SET state = 'refused', problem = %s WHERE id = %s AND state = 'asked'",
        (_kept(problem), presentment_id),
    )


def put_off_presentment(connection: Connection, presentment_id: int, problem: str, *, seconds: float | None) -> None:
    """Whether it was done is not known: asked again after so long, or not before a person says so."""
    connection.execute(
        "UPDATE presentment SET problem = %s, next_at = coalesce(now() + make_interval(secs => %s::float8), 'infinity') WHERE id = %s",
        (_kept(problem), seconds, presentment_id),
    )


def load_unjudged(connection: Connection, *, older_s: float, limit: int) -> list[Unjudged]:
    """What came in so long ago and nobody has judged."""
    rows = connection.execute(
        "SELECT id, account_id, at, headers, body FROM webhook_log WHERE verdict IS NULL AND at < now() - make_interval(secs => %s::float8) ORDER BY id LIMIT %s",
        (older_s, limit),
    )
    return [Unjudged(id, account, at, headers, bytes(body)) for id, account, at, headers, body in rows]


def save_verdict(connection: Connection, webhook_id: int, verdict: str, reason: str) -> None:
    """Say once what came in is."""
    connection.execute(
        "UPDATE webhook_log SET verdict = %s, reason = %s WHERE id = %s AND verdict IS NULL",
        (verdict, plain_text(reason), webhook_id),
    )


def save_problem(connection: Connection, account_id: int, problem: str) -> None:
    """What is wrong with an account, for who looks at it; nothing when it works again."""
    connection.execute(
        "UPDATE gateway_account SET problem = %s WHERE id = %s AND problem <> %s",
        (_kept(problem), account_id, _kept(problem)),
    )


def save_mandate(connection: Connection, account_id: int, *, ref: str, state: str, key: str | None) -> str:
    """How a mandate stands now; its row is found by its number, or by the page that it was signed on. What came of it."""
    found = connection.execute(
        "UPDATE mandate SET state = %s WHERE account_id = %s AND ref = %s RETURNING id", (state, account_id, ref)
    ).fetchone()
    if found is None and key is not None:
        found = connection.execute(
            "UPDATE mandate SET state = %s, ref = %s WHERE ref IS NULL AND id = (SELECT mandate_id FROM presentment WHERE account_id = %s AND key = %s AND kind = 'mandate') RETURNING id",
            (state, ref, account_id, key),
        ).fetchone()
    return f"mandate {ref} is of nobody here" if found is None else f"mandate {found[0]} is {state}"


def retry_parked(connection: Connection, *, account_id: int | None, notice_id: int | None) -> tuple[int, int]:
    """Have notices looked into now that wait for a person or their time, and without a number also what providers were asked for
    in vain; how many of each.
    """
    asked = {"account": account_id, "id": notice_id}
    notices = connection.execute(
        "UPDATE gateway_notice SET next_at = now() WHERE done_at IS NULL AND (%(account)s::bigint IS NULL OR account_id = %(account)s) AND (%(id)s::bigint IS NULL OR id = %(id)s)",
        asked,
    ).rowcount
    if notice_id is not None:
        return notices, 0
    wanted = connection.execute(
        "UPDATE presentment SET next_at = now() WHERE state = 'asked' AND problem <> '' AND (%(account)s::bigint IS NULL OR account_id = %(account)s)",
        asked,
    ).rowcount
    return notices, wanted


# By which the worker hears that providers are to be asked for all that happened.
RECONCILE_CHANNEL: Final = "corrente_gateway_reconcile"


def ask_from(connection: Connection, account_id: int, since: datetime | None) -> None:
    """Have the worker ask an account's provider for all that happened since then, or since it was asked last."""
    if since is not None:
        connection.execute(
            "UPDATE gateway_account SET asked_to = %s WHERE id = %s AND asked_to > %s", (since, account_id, since)
        )
    connection.execute("SELECT pg_notify(%s, '')", (RECONCILE_CHANNEL,))


def save_asked_to(connection: Connection, account_id: int, moment: datetime) -> None:
    """Up to when a provider was asked for what it may have told in vain; never back."""
    connection.execute(
        "UPDATE gateway_account SET asked_to = %s WHERE id = %s AND asked_to < %s", (moment, account_id, moment)
    )


def clear_webhooks(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete what came in before that, so many rows at most; how many. What was made of it stays."""
    return connection.execute(
        "DELETE FROM webhook_log WHERE id = ANY (ARRAY(SELECT id FROM webhook_log WHERE at < %s AND verdict IS NOT NULL ORDER BY at LIMIT %s))",
        (before, limit),
    ).rowcount

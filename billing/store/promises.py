"""Promises to pay in the database, with the reliefs that they give and the proofs that somebody looks at.

Next: billing/dunning/promise.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import psycopg

from billing.dunning.facts import Respite
from billing.dunning.promise import Promise, PromiseState, after_payment
from billing.money import Money, read_money, zero
from billing.store.dunning_facts import Account, Key

Connection = psycopg.Connection[Any]

_PROMISES: Final = """
SELECT p.id, p.case_id, p.amount, p.made_at, p.until, p.respite_until, p.state::text, p.ended_at, p.proof_id, p.reviewed, c.customer_id, c.issuer_id, c.currency::text, p.asked_by::text, p.made_by
FROM promise AS p JOIN dunning_case AS c ON c.id = p.case_id
"""
# Money that came since, whoever it was said to be of at first, less what came back, but for what is in dispute still.
_RECEIVED: Final = """
SELECT sum(p.amount) FROM payment AS p
WHERE p.id IN (SELECT o.id FROM payment AS o WHERE o.customer_id = %(customer)s UNION SELECT m.payment_id FROM payment_match AS m WHERE m.customer_id = %(customer)s)
    AND p.issuer_id = %(issuer)s AND p.currency = %(currency)s AND p.made_at >= %(since)s AND p.made_at < %(until)s
    AND owner_of_payment(p.id) = %(customer)s AND NOT EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id
        AND NOT EXISTS (SELECT FROM dunning_dispute AS s WHERE s.reference = r.reference AND s.closed_at IS NULL))
"""
# A proof is looked at by a person; who promised for less than that long knows it still.
_DUE: Final = """
WHERE p.state = 'open' AND p.proof_id IS NULL AND p.until > %(now)s AND p.until <= %(by)s AND p.until - p.made_at > %(by)s - %(now)s
    AND NOT EXISTS (SELECT FROM message AS m WHERE m.origin = format('promise %%s due', p.id) AND m.customer_id = c.customer_id AND m.channel = 'email')
ORDER BY p.until LIMIT %(limit)s
"""
_END_RELIEFS: Final = """
UPDATE relief SET during = tstzrange(lower(during), greatest(%(at)s, lower(during) + interval '1 microsecond'))
WHERE id IN (SELECT relief_id FROM promise_relief WHERE promise_id = %(promise)s) AND upper(during) > greatest(%(at)s, lower(during) + interval '1 microsecond')
"""


@dataclass(frozen=True, slots=True)
class KnownPromise:
    """A promise as it is kept."""

    id: int
    key: Key
    promise: Promise
    proof_id: int | None
    asked_by: str
    made_by: str


def load_promises(connection: Connection, key: Key, *, hold: bool = False) -> list[KnownPromise]:
    """All promises of a customer to an issuer in a currency, the newest first."""
    customer, issuer, currency = key
    where = "WHERE c.customer_id = %s AND c.issuer_id = %s AND c.currency = %s ORDER BY p.id DESC"
    rows = connection.execute(
        _PROMISES + where + (" FOR NO KEY UPDATE OF p" if hold else ""), (customer, issuer, currency)
    )
    return [_known(row) for row in rows]


def load_promise(connection: Connection, promise_id: int) -> KnownPromise | None:
    """One promise."""
    row = connection.execute(_PROMISES + "WHERE p.id = %s", (promise_id,)).fetchone()
    return None if row is None else _known(row)


def load_promise_list(
    connection: Connection, *, customer_id: int | None, to_review: bool, only_open: bool, limit: int
) -> list[KnownPromise]:
    """The newest promises that fit; with `to_review` those with a proof that nobody has looked at, the oldest first."""
    where = """WHERE (%(customer)s::bigint IS NULL OR c.customer_id = %(customer)s) AND (NOT %(review)s OR (p.proof_id IS NOT NULL AND p.reviewed IS NULL))
        AND (NOT %(open)s OR p.state = 'open') ORDER BY CASE WHEN %(review)s THEN p.id ELSE -p.id END LIMIT %(limit)s"""
    asked = {"customer": customer_id, "review": to_review, "open": only_open, "limit": limit}
    return [_known(row) for row in connection.execute(_PROMISES + where, asked)]


def load_due_promises(connection: Connection, *, now: datetime, by: datetime, limit: int) -> list[KnownPromise]:
    """Open promises whose hours are over by then and that nobody was reminded of, the most pressing first."""
    return [_known(row) for row in connection.execute(_PROMISES + _DUE, {"now": now, "by": by, "limit": limit})]


def settle_promise(connection: Connection, account: Account, owed: Money, now: datetime) -> KnownPromise | None:
    """Note that an open promise of an account was kept or broken; None: it is neither."""
    # Of whichever case: one that was renewed meanwhile leaves its promise behind.
    where = "WHERE (c.customer_id, c.issuer_id, c.currency) = (%s, %s, %s) AND p.state = 'open' ORDER BY p.id LIMIT 1"
    row = connection.execute(_PROMISES + where, account.key).fetchone()
    if row is None:
        return None
    known = _known(row)
    received = _received(connection, known)
    after = after_payment(
        known.promise, owed=owed, received=received, threshold=account.policy.threshold(owed.currency), now=now
    )
    if after.state is PromiseState.OPEN:
        return None
    save_outcome(connection, known.id, after, now, cleared=owed <= account.policy.threshold(owed.currency))
    return replace(known, promise=after)


def save_outcome(
    connection: Connection, promise_id: int, after: Promise, now: datetime, *, cleared: bool = False
) -> None:
    """What has become of a promise; where nothing is owed any more it needs no relief, else that ends with its respite.

    Who paid what was promised and owes something else is limited again when the respite ends, and not at night by paying.
    """
    connection.execute(
        "UPDATE promise SET state = %s, ended_at = %s, respite_until = %s WHERE id = %s",
        (after.state, after.ended_at, after.respite_until, promise_id),
    )
    paid = cleared and after.state is PromiseState.KEPT and after.reviewed is None
    at = now if paid else after.respite_until
    connection.execute(_END_RELIEFS, {"at": at, "promise": promise_id})


def save_review(connection: Connection, promise_id: int, *, valid: bool, by: str, now: datetime) -> None:
    """What a person found of a proof."""
    connection.execute(
        "UPDATE promise SET reviewed = %s, reviewed_by = %s, reviewed_at = %s WHERE id = %s",
        (valid, by, now, promise_id),
    )


def save_promise(connection: Connection, promise: Promise, *, asked_by: str, made_by: str, proof_id: int | None) -> int:
    """Write a promise; its number."""
    row = connection.execute(
        "INSERT INTO promise (case_id, amount, made_at, until, respite_until, asked_by, made_by, proof_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            promise.case_id,
            promise.amount.amount,
            promise.made_at,
            promise.until,
            promise.respite_until,
            asked_by,
            made_by,
            proof_id,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def give_reliefs(
    connection: Connection, promise_id: int, contracts: Sequence[int], during: Respite, *, reason: str, by: str
) -> int:
    """Open the lines of these contracts for a respite; where a relief is running, from its end on. How many."""
    made = connection.execute(
        """WITH given AS (
            INSERT INTO relief (contract_id, during, reason, granted_by)
            SELECT w.contract_id, tstzrange(w.since, %(until)s), %(reason)s, %(by)s FROM (
                SELECT c AS contract_id, greatest(%(since)s, (SELECT max(upper(r.during)) FROM relief AS r WHERE r.contract_id = c)) AS since
                FROM unnest(%(contracts)s::bigint[]) AS c) AS w WHERE w.since < %(until)s ORDER BY w.contract_id RETURNING id)
        INSERT INTO promise_relief (relief_id, promise_id) SELECT id, %(promise)s FROM given""",
        {
            "since": during.start,
            "until": during.end,
            "reason": reason,
            "by": by,
            "contracts": list(contracts),
            "promise": promise_id,
        },
    )
    return made.rowcount


def _received(connection: Connection, known: KnownPromise) -> Money:
    customer, issuer, currency = known.key
    asked = {"issuer": issuer, "currency": currency, "customer": customer, "since": known.promise.made_at}
    # What came when the hours were over keeps no promise.
    row = connection.execute(_RECEIVED, {**asked, "until": known.promise.until}).fetchone()
    amount: Decimal | None = None if row is None else row[0]
    return zero(currency) if amount is None else read_money(amount, currency)


def _known(row: tuple[Any, ...]) -> KnownPromise:
    (id, case_id, amount, made_at, until, respite_until, state, ended_at, proof_id, reviewed, customer, issuer, currency, asked_by, made_by) = row  # fmt: skip
    promise = Promise(
        case_id=case_id,
        made_at=made_at,
        until=until,
        respite_until=respite_until,
        amount=read_money(amount, currency),
        state=PromiseState(state),
        ended_at=ended_at,
        has_proof=proof_id is not None,
        reviewed=reviewed,
    )
    return KnownPromise(id, (customer, issuer, currency), promise, proof_id, asked_by, made_by)

"""Accounts with payment gateways, charges and what was presented of them, events and payouts, as they stand in the database.

Next: billing/store/gateway_work.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import psycopg

from billing.gateways.acts import Booked
from billing.gateways.charge_state import ChargeState
from billing.gateways.events import EventKind, PaymentEvent
from billing.gateways.payouts import Payout
from billing.money import Money, read_money
from billing.payments import Method, MethodKind
from billing.plain_text import plain_text

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """An issuer's account with a provider; `zone` and `currency` are the issuer's.

    Invoices since `debits_since` are debited by themselves, asked for `debit_days` before they are due; since `pages_since` the others get a page.
    """

    id: int
    issuer_id: int
    name: str
    provider: str
    live: bool
    base_url: str
    token: str
    return_url: str | None
    enabled: bool
    asked_to: datetime
    problem: str
    zone: str
    currency: str
    method: Method
    debits_since: date | None = None
    debit_days: int = 0
    pages_since: date | None = None


@dataclass(frozen=True, slots=True)
class GatewayCharge:
    """What a customer is asked to pay through an account."""

    id: int
    key: str
    account_id: int
    customer_id: int
    document_id: int | None
    amount: Money
    words: str
    state: ChargeState


_ACCOUNTS: Final = """
SELECT a.id, a.issuer_id, a.name, a.provider, a.live, a.base_url, a.token, a.return_url, a.enabled, a.asked_to, a.problem, i.zone, i.currency,
    a.debits_since, a.debit_days, a.pages_since, m.id, m.code, m.name, m.kind::text, m.returns_days
FROM gateway_account AS a JOIN issuer AS i ON i.id = a.issuer_id JOIN payment_method AS m ON m.id = a.method_id
"""
_CHARGES: Final = (
    "SELECT id, key, account_id, customer_id, document_id, currency, amount, words, state::text FROM gateway_charge "
)
_EVENTS: Final = """
SELECT e.key, e.kind::text, e.payment_key, e.currency, e.amount, e.happened, e.value_on, e.part_key, c.key, e.payer, e.reason_code, e.reason
FROM payment_event AS e LEFT JOIN gateway_charge AS c ON c.id = e.charge_id
"""
_INSERT_EVENT: Final = """
INSERT INTO payment_event (account_id, key, kind, payment_key, part_key, currency, amount, happened, value_on, charge_id, customer_id, payer, reason_code, reason, notice_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account_id, key) DO NOTHING RETURNING id
"""
_BOOKED: Final = """
SELECT p.reference, p.id, EXISTS (SELECT FROM payment_reversal AS r WHERE r.payment_id = p.id),
    ARRAY(SELECT f.reference FROM refund AS f WHERE f.payment_id = p.id AND f.source = 'webhook')
FROM payment AS p WHERE p.source = 'webhook' AND p.reference = ANY (%s)
"""


def load_gateway_accounts(connection: Connection, *, issuer_id: int | None = None) -> list[GatewayAccount]:
    """All of them, by name, or those of one issuer."""
    rows = connection.execute(
        _ACCOUNTS + "WHERE (%(issuer)s::bigint IS NULL OR a.issuer_id = %(issuer)s) ORDER BY a.name",
        {"issuer": issuer_id},
    )
    return [_account(row) for row in rows]


def hold_gateway_account(connection: Connection, name: str) -> None:
    """Nobody else changes that one until the caller commits. Payments are recorded with it meanwhile."""
    connection.execute("SELECT FROM gateway_account WHERE name = %s FOR NO KEY UPDATE", (name,))


def load_gateway_account(connection: Connection, account_id: int) -> GatewayAccount:
    """The account of that number, which is there."""
    row = connection.execute(_ACCOUNTS + "WHERE a.id = %s", (account_id,)).fetchone()
    assert row is not None, f"gateway account {account_id} is there"
    return _account(row)


def _account(row: tuple[Any, ...]) -> GatewayAccount:
    (
        id,
        issuer,
        name,
        provider,
        live,
        base_url,
        token,
        return_url,
        enabled,
        asked_to,
        problem,
        zone,
        currency,
        debits_since,
        debit_days,
        pages_since,
        *method,
    ) = row
    method_id, code, called, kind, days = method
    # A method that is offered no more still takes what a provider says was paid by it.
    paid_by = Method(method_id, issuer, code, called, MethodKind(kind), days)
    return GatewayAccount(
        *(id, issuer, name, provider, live, base_url, token, return_url, enabled, asked_to, problem, zone, currency),
        method=paid_by,
        debits_since=debits_since,
        debit_days=debit_days,
        pages_since=pages_since,
    )


def hold_payment_key(connection: Connection, account_id: int, payment_key: str) -> None:
    """One at a time records of a payment at a provider, until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(jsonb_build_array('gateway payment', %s::bigint, %s::text)::text, 0))",
        (account_id, payment_key),
    )


def find_charge(connection: Connection, account_id: int, key: str) -> GatewayCharge | None:
    """The account's charge of that key."""
    return _one(connection, "WHERE account_id = %s AND key = %s", (account_id, key))


def load_charge(connection: Connection, charge_id: int) -> GatewayCharge:
    """The charge of that number, which is there."""
    found = _one(connection, "WHERE id = %s", (charge_id,))
    assert found is not None, f"gateway charge {charge_id} is there"
    return found


def find_charge_of_payment(connection: Connection, account_id: int, payment_key: str) -> GatewayCharge | None:
    """The charge that some event of a payment named."""
    return _one(
        connection,
        "WHERE id = (SELECT min(charge_id) FROM payment_event WHERE account_id = %s AND payment_key = %s)",
        (account_id, payment_key),
    )


def _one(connection: Connection, where: str, asked: tuple[object, ...]) -> GatewayCharge | None:
    row = connection.execute(_CHARGES + where, asked).fetchone()
    if row is None:
        return None
    id, key, account, customer, document, currency, amount, words, state = row
    return GatewayCharge(id, key, account, customer, document, read_money(amount, currency), words, ChargeState(state))


def find_customer_of_mandate(connection: Connection, account_id: int, ref: str) -> int | None:
    """Whose mandate of that number it is."""
    row = connection.execute(
        "SELECT customer_id FROM mandate WHERE account_id = %s AND ref = %s", (account_id, ref)
    ).fetchone()
    return None if row is None else int(row[0])


def write_event(
    connection: Connection,
    account_id: int,
    event: PaymentEvent,
    *,
    charge_id: int | None,
    customer_id: int | None,
    notice_id: int | None,
) -> bool:
    """Write an event; False when it is there already."""
    row = connection.execute(
        _INSERT_EVENT,
        (
            *(account_id, event.key, event.kind, event.payment_key, event.part_key, event.amount.currency),
            *(event.amount.amount, event.happened, event.value_on, charge_id, customer_id, event.payer),
            *(event.reason_code and plain_text(event.reason_code), plain_text(event.reason), notice_id),
        ),
    ).fetchone()
    return row is not None


def load_events(connection: Connection, account_id: int, payment_key: str) -> list[PaymentEvent]:
    """All that is known of a payment at a provider; payouts have events of their own."""
    return _events(
        connection, "WHERE e.account_id = %s AND e.payment_key = %s AND e.kind <> 'settled'", (account_id, payment_key)
    )


def load_events_of_charge(connection: Connection, charge_id: int) -> list[PaymentEvent]:
    """All that is known of the payments of a charge, also what did not name the charge."""
    return _events(
        connection,
        "WHERE (e.account_id, e.payment_key) IN (SELECT account_id, payment_key FROM payment_event WHERE charge_id = %s) AND e.kind <> 'settled'",
        (charge_id,),
    )


def _events(connection: Connection, where: str, asked: tuple[object, ...]) -> list[PaymentEvent]:
    return [
        PaymentEvent(
            key=key,
            kind=EventKind(kind),
            payment_key=payment,
            amount=read_money(amount, currency),
            happened=happened,
            value_on=value_on,
            part_key=part,
            charge_key=charge,
            payer=payer,
            reason_code=code,
            reason=reason,
        )
        for key, kind, payment, currency, amount, happened, value_on, part, charge, payer, code, reason in connection.execute(
            _EVENTS + where, asked
        )
    ]


def load_booked(connection: Connection, references: Mapping[str, str]) -> dict[str, Booked]:
    """Which rounds the books have; `references` says how the books call each. Refunds by the books' own names."""
    ours = {theirs: mine for mine, theirs in references.items()}
    return {
        ours[reference]: Booked(payment_id, is_reversed, frozenset(refunds))
        for reference, payment_id, is_reversed, refunds in connection.execute(_BOOKED, (list(ours),))
    }


def is_presented(connection: Connection, charge_id: int) -> tuple[bool, bool]:
    """Whether a charge was presented, and whether it was withdrawn."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM presentment WHERE charge_id = c.id AND state = 'presented'), withdrawn_at IS NOT NULL FROM gateway_charge AS c WHERE id = %s",
        (charge_id,),
    ).fetchone()
    assert row is not None, f"gateway charge {charge_id} is there"
    return row[0], row[1]


def save_charge_state(connection: Connection, charge_id: int, state: ChargeState) -> None:
    """Keep what was worked out, for lists."""
    connection.execute("UPDATE gateway_charge SET state = %s WHERE id = %s AND state <> %s", (state, charge_id, state))


def write_payout(connection: Connection, account_id: int, payout: Payout) -> int | None:
    """Write a payout with its lines; its number, None when it is there already."""
    row = connection.execute(
        "INSERT INTO payout (account_id, ref, currency, amount, fee, arrives_on) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (account_id, ref) DO NOTHING RETURNING id",
        (
            *(account_id, payout.ref, payout.amount.currency, payout.amount.amount),
            *(payout.fee.amount, payout.arrives_on),
        ),
    ).fetchone()
    if row is None:
        return None
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO payout_line (payout_id, number, kind, payment_key, amount, fee) VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (row[0], number, line.kind, line.payment_key, line.amount.amount, line.fee.amount)
                for number, line in enumerate(payout.lines, 1)
            ],
        )
    return int(row[0])


@dataclass(frozen=True, slots=True)
class KnownPayout:
    """A payout as lists show it; `unknown` are its payments that the books do not have."""

    id: int
    account: str
    ref: str
    amount: Money
    fee: Money
    arrives_on: date
    lines: int
    unexplained: Money
    unknown: tuple[str, ...]


_PAYOUTS: Final = """
SELECT p.id, a.name, p.ref, p.currency, p.amount, p.fee, p.arrives_on, l.lines, p.amount - l.net,
    ARRAY(SELECT DISTINCT w.payment_key FROM payout_line AS w WHERE w.payout_id = p.id AND w.kind = 'payment' AND NOT EXISTS (
        SELECT FROM payment_event AS e WHERE e.account_id = p.account_id AND e.payment_key = w.payment_key AND e.kind = 'paid') ORDER BY 1)
FROM payout AS p JOIN gateway_account AS a ON a.id = p.account_id
    CROSS JOIN LATERAL (SELECT count(*) AS lines, coalesce(sum(amount - fee), 0) AS net FROM payout_line WHERE payout_id = p.id) AS l
WHERE (%(account)s::bigint IS NULL OR p.account_id = %(account)s)
    AND (%(day)s::date IS NULL OR (p.arrives_on, p.id) < (%(day)s, %(id)s))
ORDER BY p.arrives_on DESC, p.id DESC LIMIT %(limit)s
"""


def load_payouts(
    connection: Connection, *, account_id: int | None, before: tuple[date, int] | None = None, limit: int
) -> list[KnownPayout]:
    """The newest payouts, or those that follow the one of a day and number."""
    day, last = before or (None, None)
    rows = connection.execute(_PAYOUTS, {"account": account_id, "day": day, "id": last, "limit": limit})
    return [
        KnownPayout(
            id,
            name,
            ref,
            read_money(amount, currency),
            read_money(fee, currency),
            arrives_on,
            lines,
            read_money(unexplained, currency),
            tuple(unknown),
        )
        for id, name, ref, currency, amount, fee, arrives_on, lines, unexplained, unknown in rows
    ]

"""Who of the demo ISP pays, and who does not: payments of the year, a policy, and some who were put on notice long ago.

Everybody pays what is older than the month twice a year and by the end of it, but for those whom dunning has limited already and for
a few late payers, whose last paid bill is four months old. They got their formal notice by the rules of the policy, and it
came; so the law's forty days are over. The policy is the one that the country begins with, but that it may limit at any hour and on
any day: whoever looks at a demo does so on Sundays too.

Next: demo_loop.py
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.dunning.policy_data import default_policy
from billing.errors import BillingError
from billing.money import read_money
from billing.operations.pursuing import Cut, pursue
from billing.operations.receiving import Recorded, record_payment
from billing.payments import Method, NewPayment, NotDone, PaymentSource
from billing.store.acting import acting
from billing.store.dunning_policies import load_policies, save_version
from billing.store.payments import hold_customers, load_methods
from billing.store.selection import in_batches
from control_plane.machine.demo_books import ACTOR
from control_plane.machine.demo_isp import NASES, demo_lines

Connection = psycopg.Connection[Any]
# Fewer than the guard lets go within an hour without asking a person.
LATE_PAYERS: Final = 12
# The last month that late payers pay, counted from the first of twelve.
LATE_PAID_MONTH: Final = 7
_NOTICED_DAYS_AGO: Final = 48
_DELIVERED_DAYS_AGO: Final = 45
_PAYS_EVERY: Final = 6
# Customers who pay in one transaction: they are held for a quarter of a second.
_AT_ONCE: Final = 20
_LAST_DAY_OF_PAYING: Final = 15
_ANY_TIME: Final = {
    "hours": ["00:00-24:00"],
    "weekdays": [],
    "holidays": False,
    "easter_monday": False,
}
_OPEN: Final = """
SELECT o.customer_id, sum(o.open), o.currency FROM open_document AS o JOIN document AS d ON d.id = o.document_id
WHERE o.issuer_id = %(issuer)s AND d.document_date < %(before)s AND d.kind = 'invoice' AND o.open > 0
    AND (%(everybody)s OR o.customer_id %% %(every)s = %(turn)s)
    AND (%(of)s::bigint[] IS NULL OR o.customer_id = ANY (%(of)s))
    AND (%(late_too)s OR o.customer_id <> ALL (%(late)s))
    AND NOT EXISTS (SELECT FROM contract AS c JOIN restriction AS r ON r.contract_id = c.id
        WHERE c.customer_id = o.customer_id AND r.origin = 'dunning' AND r.lifted_at IS NULL)
GROUP BY o.customer_id, o.currency ORDER BY o.customer_id
"""
_LATE: Final = """
SELECT c.customer_id, c.id, a.username FROM subscriber_account AS a JOIN contract AS c ON c.id = a.contract_id
WHERE a.username = ANY (%s) ORDER BY c.customer_id
"""


@dataclass(frozen=True, slots=True)
class LatePayer:
    """Who is cut and pays while somebody looks on."""

    customer_id: int
    contract_id: int
    username: str


def late_payers(connection: Connection, today: date) -> list[LatePayer]:
    """They are in service for long, have one line without a limit, and that ends on a device that takes a CoA for it."""
    devices = {one.name for one in NASES if one.vendor == "accel_ppp"}
    names = [
        one.username
        for one in demo_lines(today)
        if one.status == "active" and one.nas in devices and not one.restrictions and one.ends_on is None
        and one.expires_at is None and one.starts_on < today - timedelta(days=400)
    ]  # fmt: skip
    return [LatePayer(*row) for row in connection.execute(_LATE, (names,)).fetchall()][:LATE_PAYERS]


def pay_month(
    connection: Connection, issuer: int, *, month: date, place: int, last: int, today: date, stop: threading.Event
) -> bool:
    """Who pays in a month pays what is older; `place` is the month's of all, up to `last`. False when it was stopped.

    Some customers a transaction, for who records a payment meanwhile waits for it; begun again, it goes on with those who have
    not paid. `connection` commits each statement.
    """
    late = [one.customer_id for one in late_payers(connection, today)]
    asked = {
        "issuer": issuer,
        "before": month,
        "everybody": place == last,
        "every": _PAYS_EVERY,
        "turn": place % _PAYS_EVERY,
        "late": late,
        "late_too": place <= LATE_PAID_MONTH,
        "of": None,
    }
    paying = {row[0] for row in connection.execute(_OPEN, asked)}
    if place == LATE_PAID_MONTH:
        asked["everybody"] = True
        paying |= {row[0] for row in connection.execute(_OPEN, asked) if row[0] in late}
    for some in in_batches(sorted(paying), _AT_ONCE):
        if stop.is_set():
            return False
        with connection.transaction():
            acting(connection, ACTOR)
            hold_customers(connection, some)
            rows = connection.execute(_OPEN, {**asked, "everybody": True, "of": list(some)}).fetchall()
            _pay(connection, issuer, rows, month, today)
    return True


def _pay(connection: Connection, issuer: int, rows: Sequence[tuple[Any, ...]], month: date, today: date) -> None:
    transfer = method_of(connection, issuer, "transfer")
    for customer_id, open_, currency in rows:
        chance = random.Random(f"{customer_id} {month}")  # noqa: S311 - made-up people, always the same
        day = min(month + timedelta(days=chance.randrange(_LAST_DAY_OF_PAYING)), today)
        payment = NewPayment(
            transfer,
            read_money(open_, currency),
            day,
            PaymentSource.FILE,
            reference=f"demo {month:%Y-%m} {customer_id}",
            customer_id=customer_id,
        )
        _done(record_payment(connection, payment, today=day, actor=ACTOR))


def method_of(connection: Connection, issuer: int, code: str) -> Method:
    """One of the ways of being paid that an issuer begins with."""
    return next(one for one in load_methods(connection, issuer) if one.code == code)


def _done(outcome: Recorded | NotDone) -> Recorded:
    if isinstance(outcome, NotDone):
        raise BillingError(f"a payment of the demo: {outcome.message}")
    return outcome


def begin_dunning(connection: Connection, issuer: int, now: datetime) -> bool:
    """The policy from today on, and the late payers on notice since weeks; whether it was done now. In the caller's transaction."""
    if connection.execute("SELECT FROM dunning_policy WHERE issuer_id = %s LIMIT 1", (issuer,)).rowcount:
        return False
    if not connection.execute("SELECT FROM payment WHERE issuer_id = %s LIMIT 1", (issuer,)).rowcount:
        return False  # loaded before its customers paid: they would all be pursued
    place = load_policies(connection)[issuer].place
    today = now.astimezone(place.zone).date()
    data = default_policy(place) | {"guard": _ANY_TIME}
    acting(connection, ACTOR)
    since = today - timedelta(days=365)
    save_version(connection, issuer, data, name=data["name"], since=since, reason="the demo is looked at on any day", by=ACTOR)  # fmt: skip
    customers = [one.customer_id for one in late_payers(connection, today)]
    noticed, delivered = (now - timedelta(days=days) for days in (_NOTICED_DAYS_AGO, _DELIVERED_DAYS_AGO))
    pursue(connection, customers, noticed, place=_nobody_yet)
    connection.execute(
        "UPDATE formal_notice SET delivered_at = %s, delivered_by = 'certified mail' WHERE delivered_at IS NULL AND case_id IN"
        " (SELECT id FROM dunning_case WHERE customer_id = ANY (%s))",
        (delivered, customers),
    )
    connection.execute(
        "INSERT INTO audit_log (actor, action, subject, detail) VALUES ('corrente up', 'demo.dunning_begun', 'the demo ISP', %s)",
        (Jsonb({"late_payers": customers}),),
    )
    return True


def _nobody_yet(_connection: Connection, cuts: Sequence[Cut]) -> frozenset[int]:
    raise AssertionError(f"nobody is limited on the day of the notice: {cuts}")

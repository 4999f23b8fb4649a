"""Customers who owe: the ISP with books, its policy, invoices that name contracts, and passes of dunning over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from support.books_isp import BooksIsp, desk
from support.dunning_policies import ITALY

from billing.documents import due_days
from billing.dunning.policy_data import default_policy
from billing.money import read_money
from billing.operations.receiving import Recorded, record_payment
from billing.payments import NewPayment, NotDone, PaymentSource
from billing.store.acting import acting
from billing.store.documents import Issued, issue
from billing.store.dunning_policies import save_version
from billing.store.payments import load_methods
from control_plane.jobs.dunning import dunning
from control_plane.settings import GuardSettings, Settings

ROME = ZoneInfo("Europe/Rome")
SINCE = date(2026, 1, 1)


def at(day: date | str, clock: str = "10:00") -> datetime:
    """A moment of Rome, in UTC."""
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ROME).astimezone(UTC)


def have_policy(connection: psycopg.Connection[Any], issuer: int, **changes: Any) -> int:
    """Italy's first policy with fields replaced; its version. Not committed."""
    acting(connection, "maria")
    data = {**default_policy(ITALY), **changes}
    return save_version(connection, issuer, data, name=data["name"], since=SINCE, reason="test", by="maria")


def bill(
    connection: psycopg.Connection[Any], isp: BooksIsp, *, day: date, net: str = "100.00", due: int = 15, **given: Any
) -> list[Issued]:
    """An invoice of that net and 22 % to each customer (or those of `places`), of its own contract. Not committed."""
    table = desk(connection, isp)
    acting(connection, "maria")
    drafts = [
        table.invoice(
            table.line(net, customer=place, day=day, contract_id=isp.contracts[place]),
            customer=place,
            day=day,
            due_on=due_days(day, (due,)),
        )
        for place in given.get("places", range(len(isp.customers)))
    ]
    return issue(connection, drafts, made_by="maria")


def the_pass(
    connection: psycopg.Connection[Any], now: datetime, *, never_less_than: int = 1000, mail: bool = True
) -> str:
    """The worker's job of dunning, at a moment; with `mail` the formal notices that it writes go out at that moment."""
    settings = Settings(guard=GuardSettings(never_less_than=never_less_than))
    said = dunning(connection, settings, now)
    if mail:
        mails_go(connection, now)
    return said


def mails_go(
    connection: psycopg.Connection[Any],
    now: datetime,
    *,
    of: Sequence[int] | None = None,
    state: str = "sent",
    problem: str = "",
) -> None:
    """What waits of formal notices by e-mail (`of` these customers) is sent at a moment, or comes to another end."""
    handed = now if state in ("sent", "bounced") else None
    connection.execute(
        "UPDATE message SET state = %s, handed_at = %s, ended_at = %s, problem = %s, address = 'anna@example.net', reference = id::text, body = 'x'"
        " WHERE state = 'queued' AND channel = 'email' AND (%s::bigint[] IS NULL OR customer_id = ANY (%s))"
        " AND EXISTS (SELECT FROM formal_notice f WHERE message.origin = 'dunning ' || f.case_id || ' ' || f.step)",
        (state, handed, now, problem, of, of),
    )


def pay_at(connection: psycopg.Connection[Any], isp: BooksIsp, customer: int, amount: str, now: datetime) -> Recorded:
    """A transfer that is recorded at a moment; it must be taken."""
    methods = {one.code: one for one in load_methods(connection, isp.issuer)}
    money = read_money(Decimal(amount), "EUR")
    today = now.astimezone(ROME).date()
    payment = NewPayment(methods["transfer"], money, today, PaymentSource.MANUAL, customer_id=customer)
    recorded = record_payment(connection, payment, today=today, actor="maria", now=now)
    assert not isinstance(recorded, NotDone), recorded
    return recorded


def levels(connection: psycopg.Connection[Any]) -> dict[int, str]:
    """How far dunning limits each contract, held limits apart."""
    rows = connection.execute(
        "SELECT contract_id, max(level)::text FROM restriction WHERE origin = 'dunning' AND lifted_at IS NULL AND held_since IS NULL GROUP BY 1"
    )
    return dict(rows.fetchall())


def steps(connection: psycopg.Connection[Any], customer: int) -> list[str]:
    """The steps that ran against a customer, in their order."""
    rows = connection.execute(
        "SELECT s.step FROM dunning_case_step s JOIN dunning_case c ON c.id = s.case_id WHERE c.customer_id = %s ORDER BY s.ran_at, s.step",
        (customer,),
    )
    return [step for (step,) in rows]


def deliver(connection: psycopg.Connection[Any], customer: int, moment: datetime) -> None:
    """The customer's formal notices have come."""
    acting(connection, "maria")
    connection.execute(
        "UPDATE formal_notice SET delivered_at = %s, delivered_by = 'post' WHERE delivered_at IS NULL AND case_id IN (SELECT id FROM dunning_case WHERE customer_id = %s)",
        (moment, customer),
    )


def told(connection: psycopg.Connection[Any]) -> str:
    """All restrictions of dunning, for a failed test."""
    rows = connection.execute("SELECT row_to_json(r) FROM restriction r ORDER BY id").fetchall()
    return json.dumps([row for (row,) in rows], default=str, indent=1)

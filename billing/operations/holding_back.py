"""What people say to dunning: who is left alone, what is in dispute, other days for a debt, that a notice came, that a step may go.

Each is one transaction of the caller's. The customer's account is held first, and dunning looks at it again before the transaction
ends: what is not to be limited any more is open at once, what is to be limited again waits for the pass and its hours.

Units: `now` is aware; days are of the issuer's zone.
Source: billing model section 14; invariants I19 to I26.

Next: billing/store/holding_back.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing.calendar import billing_day
from billing.documents import Due
from billing.money import Money, total
from billing.operations.restoring import look_again
from billing.payments import NotDone
from billing.store import dunning as dunning_store
from billing.store import holding_back as store
from billing.store.acting import acting
from billing.store.customer_papers import save_attachment
from billing.store.payments import hold_customers

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class NewExclusion:
    """Who is left alone: a customer or one contract, from a day until before another, or for good.

    `kind` is whitelist, essential (of a contract) or not_before (of a customer, with its end).
    """

    kind: str
    reason: str
    since: date
    until: date | None = None
    customer_id: int | None = None
    contract_id: int | None = None


def exclude(connection: Connection, wanted: NewExclusion, *, now: datetime, actor: str) -> int | NotDone:
    """Leave somebody alone; the exclusion's number."""
    if wanted.until is not None and wanted.until <= wanted.since:
        return NotDone(
            "an exclusion from %(since)s until %(until)s holds on no day", since=wanted.since, until=wanted.until
        )
    if wanted.kind == "essential" and wanted.contract_id is None:
        return NotDone("essential is a service, not a customer: name the contract")
    if wanted.kind == "not_before" and (wanted.customer_id is None or wanted.until is None):
        return NotDone("not before is said of a customer, with the day")
    payer = wanted.customer_id or store.load_payer(connection, wanted.contract_id or 0)
    if payer is None or not hold_customers(connection, [payer]):
        if wanted.customer_id:
            return NotDone("there is no customer of that number")
        return NotDone("there is no contract of that number")
    acting(connection, actor)
    number = store.save_exclusion(
        connection,
        {
            "kind": wanted.kind,
            "customer_id": wanted.customer_id,
            "contract_id": wanted.contract_id,
            "since": wanted.since,
            "until": wanted.until,
            "reason": wanted.reason,
            "placed_by": actor,
            "placed_at": now,
        },
    )
    look_again(connection, [payer], now, by=f"exclusion {number}")
    return number


def end_exclusion(connection: Connection, number: int, *, reason: str, now: datetime, actor: str) -> NotDone | None:
    """Pursue somebody again from now on."""
    known = store.load_exclusion(connection, number)
    if known is None:
        return NotDone("there is no exclusion %(number)s: `corrente dunning exclusions` shows them", number=number)
    payer = known.customer_id or store.load_payer(connection, known.contract_id or 0)
    hold_customers(connection, [] if payer is None else [payer])
    acting(connection, actor)
    if not store.end_exclusion(connection, number, reason=reason, by=actor, now=now):
        return NotDone("exclusion %(number)s was ended before", number=number)
    look_again(connection, [] if payer is None else [payer], now, by=actor)
    return None


def open_dispute(
    connection: Connection,
    document_id: int,
    amount: Money | None,
    *,
    reason: str,
    now: datetime,
    actor: str,
    reference: str | None = None,
) -> int | NotDone:
    """What of an invoice is contested, all that is open without an amount; the dispute's number.

    `reference`: what a provider calls it, by whose word it is closed (`close_told`).
    """
    number = write_dispute(connection, document_id, amount, reason=reason, now=now, actor=actor, reference=reference)
    if isinstance(number, int):
        customer = store.load_disputing(connection, number)
        look_again(connection, [] if customer is None else [customer], now, by=f"dispute {number}")
    return number


def write_dispute(
    connection: Connection,
    document_id: int,
    amount: Money | None,
    *,
    reason: str,
    now: datetime,
    actor: str,
    reference: str | None = None,
) -> int | NotDone:
    """The same for who looks at the customer again themselves, once all is written that belongs together."""
    known = store.load_open_invoice(connection, document_id)
    if known is None:
        return NotDone("document %(document_id)s is no invoice that has something open", document_id=document_id)
    hold_customers(connection, [known.customer_id])
    known = store.load_open_invoice(connection, document_id)
    if known is None:
        return NotDone("document %(document_id)s has just been settled", document_id=document_id)
    free = known.open - known.disputed
    amount = free if amount is None else amount
    if amount.minor <= 0 or free < amount:
        if not known.disputed:
            return NotDone(
                "%(amount)s of %(label)s: %(open)s are open", amount=amount, label=known.label, open=known.open
            )
        return NotDone(
            "%(amount)s of %(label)s: %(open)s are open, and %(disputed)s are in dispute already",
            amount=amount,
            label=known.label,
            open=known.open,
            disputed=known.disputed,
        )
    acting(connection, actor)
    return store.save_dispute(
        connection, document_id, amount.amount, reason=reason, by=actor, now=now, reference=reference
    )


def close_dispute(connection: Connection, number: int, *, outcome: str, now: datetime, actor: str) -> NotDone | None:
    """The dispute is over: what is still open of it counts as debt again."""
    customer = store.load_disputing(connection, number)
    if customer is None:
        return NotDone("there is no dispute %(number)s: `corrente dunning disputes` shows them", number=number)
    hold_customers(connection, [customer])
    acting(connection, actor)
    if not store.close_dispute(connection, number, outcome=outcome, by=actor, now=now):
        return NotDone("dispute %(number)s was closed before", number=number)
    look_again(connection, [customer], now, by=actor)
    return None


def close_told(connection: Connection, reference: str, *, outcome: str, now: datetime, actor: str) -> int:
    """Close what a provider's dispute had opened; how many were open."""
    found = store.load_told_disputes(connection, reference)
    return sum(close_dispute(connection, one, outcome=outcome, now=now, actor=actor) is None for one in found)


@dataclass(frozen=True, slots=True)
class NewPlan:
    """Other days for what documents have open; an instalment later than `grace_days` breaks it."""

    documents: tuple[int, ...]
    parts: tuple[Due, ...]
    reason: str
    grace_days: int = 5


def agree_plan(connection: Connection, wanted: NewPlan, *, now: datetime, actor: str) -> int | NotDone:
    """Agree on instalments for all that these invoices have open; the plan's number."""
    known = [store.load_open_invoice(connection, number) for number in wanted.documents]
    found = [one for one in known if one is not None]
    if len(found) < len(known) or not found:
        return NotDone("a plan is for invoices that have something open")
    if len({(one.customer_id, one.issuer_id, one.open.currency) for one in found}) > 1:
        return NotDone("a plan is for invoices of one customer, issuer and currency")
    first = found[0]
    hold_customers(connection, [first.customer_id])
    again = [store.load_open_invoice(connection, number) for number in wanted.documents]
    open_ = total((one.open for one in again if one is not None), first.open.currency)
    agreed = total((one.amount for one in wanted.parts), first.open.currency)
    if open_ != agreed:
        return NotDone(
            "%(agreed)s in instalments for %(open)s that are open: they must be the same", agreed=agreed, open=open_
        )
    if len({one.due_on for one in wanted.parts}) < len(wanted.parts) or any(one.amount.minor <= 0 for one in wanted.parts):  # fmt: skip
        return NotDone("each instalment has a day of its own and an amount above zero")
    running = store.load_running_plan(connection, wanted.documents)
    if running is not None:
        return NotDone("plan %(running)s is for one of these invoices already: end it first", running=running)
    acting(connection, actor)
    account = (first.issuer_id, first.customer_id, first.open.currency)
    number = store.save_plan(
        connection,
        account,
        documents=wanted.documents,
        parts=[(one.due_on, one.amount.amount) for one in wanted.parts],
        terms={"grace_days": wanted.grace_days, "reason": wanted.reason, "made_by": actor, "made_at": now},
    )
    look_again(connection, [first.customer_id], now, by=f"plan {number}")
    return number


def end_plan(connection: Connection, number: int, *, reason: str, today: date, now: datetime, actor: str) -> NotDone | None:  # fmt: skip
    """The invoices' own days count again."""
    customer = store.load_planning(connection, number)
    if customer is None:
        return NotDone("there is no running plan %(number)s: `corrente dunning plans` shows them", number=number)
    hold_customers(connection, [customer])
    acting(connection, actor)
    dunning_store.end_plans(connection, [number], on=today, by=actor, reason=reason)
    look_again(connection, [customer], now, by=actor)
    return None


def confirm_step(connection: Connection, case_id: int, step: str, *, now: datetime, actor: str) -> NotDone | None:
    """Let a step of a case go that waits for a person."""
    customer = store.load_case_customer(connection, case_id)
    if customer is None:
        return NotDone("there is no open case %(case_id)s: `corrente dunning cases` shows them", case_id=case_id)
    hold_customers(connection, [customer])
    acting(connection, actor)
    if not store.save_confirmation(connection, case_id, step, by=actor, now=now):
        return NotDone("step %(step)s of case %(case_id)s was confirmed before", step=step, case_id=case_id)
    look_again(connection, [customer], now, by=actor)
    return None


def moment_of(day: date, *, now: datetime, zone: ZoneInfo) -> datetime:
    """When something came of which only the day is known: noon there, or now on the day itself."""
    return now if day == billing_day(now, zone) else datetime.combine(day, time(12), zone)


def notice_delivered(
    connection: Connection,
    notice_ids: Sequence[int],
    *,
    delivered_at: datetime,
    now: datetime,
    actor: str,
    proof: tuple[str, str, bytes] | None = None,
) -> NotDone | None:
    """Formal notices came, at that moment. The proof is kept with their customer: its name, media type and content."""
    if delivered_at > now:
        return NotDone(
            "a notice that is delivered at %(delivered_at)s is not delivered yet",
            delivered_at=f"{delivered_at:%Y-%m-%d %H:%M}",
        )
    # All at once and in order: two who name the same customers in another order would wait for each other.
    listed = [store.load_notice(connection, number) for number in notice_ids]
    hold_customers(connection, [one.customer_id for one in listed if one is not None])
    for number in notice_ids:
        known = store.load_notice(connection, number)
        refused = _not_delivered(known, number, delivered_at)
        if refused is not None:
            return refused
        assert known is not None, "what is not there is refused"
        acting(connection, actor)
        proof_id = None
        if proof is not None:
            name, media_type, content = proof
            proof_id = save_attachment(
                connection,
                known.customer_id,
                name=name,
                media_type=media_type,
                content=content,
                author=actor,
                contract_id=None,
            )
        store.save_delivery(connection, number, at=delivered_at, by=actor, proof_id=proof_id)
        look_again(connection, [known.customer_id], now, by=actor)
    return None


def _not_delivered(known: store.NoticeRow | None, number: int, delivered_at: datetime) -> NotDone | None:
    """Why a notice can't have come then."""
    if known is None:
        return NotDone("there is no formal notice %(number)s: `corrente dunning notices` shows them", number=number)
    if known.delivered_at is not None:
        return NotDone(
            "notice %(number)s was delivered at %(delivered_at)s, by %(delivered_by)s",
            number=number,
            delivered_at=f"{known.delivered_at:%Y-%m-%d %H:%M}",
            delivered_by=known.delivered_by,
        )
    if delivered_at < known.sent_at:
        return NotDone(
            "notice %(number)s was sent at %(sent_at)s: it can't have come before",
            number=number,
            sent_at=f"{known.sent_at:%Y-%m-%d %H:%M}",
        )
    return None

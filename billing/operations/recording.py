"""Recording what a provider said, and in the same transaction what it does to the books and to the customer's line.

The event's row and the payment, reversal or refund that follows from it are committed together or not at all. What follows is worked
out from all events of the payment against what the books have, so an event that comes twice, late or before another one ends at the
same books. Payments go through the operations that any payment goes through: what they settle, restore and tell is theirs.

Units: days of the issuer's zone; `today` is passed in.
Source: latam.md section 10.2 of the reference.

Next: billing/operations/receiving.py
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import psycopg

from billing.allocation import Choice
from billing.errors import BillingError
from billing.gateways.acts import Act, GiveBack, Record, acts_for
from billing.gateways.charge_state import charge_state
from billing.gateways.events import EventKind, PaymentEvent
from billing.gateways.payouts import Payout, payout_legs
from billing.gateways.rounds import Round, rounds_of
from billing.operations import contested
from billing.operations.giving_back import refund_given
from billing.operations.receiving import record_payment, reverse_payment
from billing.payments import Happening, NewPayment, NotDone, PaymentSource
from billing.store import gateways as store
from billing.store.acting import acting
from billing.store.allocations import load_open_invoices
from billing.store.bookings import When, book_event
from billing.store.gateways import GatewayAccount, GatewayCharge
from billing.store.holding_back import load_open_of_payment
from billing.store.ledger import load_accounts
from billing.store.payments import hold_customers

Connection = psycopg.Connection[Any]


class NotRecordedError(BillingError):
    """An event can't be recorded; nothing of it was written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an event. `problem`: what the books could not take of it though it is recorded, for a person; no later try would help."""

    said: str
    problem: str = ""


def record_event(
    connection: Connection,
    account: GatewayAccount,
    event: PaymentEvent,
    *,
    notice_id: int | None = None,
    today: date,
    actor: str,
) -> Outcome:
    """Record an event within the caller's transaction, which is to be taken back when this raises; says what came of it.

    Raises: NotRecordedError.
    """
    assert event.kind is not EventKind.SETTLED, "a payout is recorded by record_payout"
    acting(connection, actor)
    store.hold_payment_key(connection, account.id, event.payment_key)
    charge = _charge_of(connection, account, event)
    customer_id = charge.customer_id if charge is not None else _customer_of(connection, account, event)
    is_new = store.write_event(
        connection,
        account.id,
        event,
        charge_id=None if charge is None else charge.id,
        customer_id=customer_id,
        notice_id=notice_id,
    )
    if not is_new:
        return Outcome("known already")
    events = store.load_events(connection, account.id, event.payment_key)
    over = {one.part_key for one in events if one.kind in contested.OUTCOMES}
    done = [
        _do_withheld(
            connection, account, act, charge=charge, customer_id=customer_id, over=over, today=today, actor=actor
        )
        for act in _left_to_do(connection, account, rounds_of(events))
    ]
    if event.kind in contested.OUTCOMES and event.part_key is not None:
        contested.decided(connection, event.kind, reference_in_books(account.id, event.part_key), actor=actor)
    if charge is not None:
        _restate(connection, charge.id)
    said = "; ".join(one.said for one in done) or f"{event.kind}: the books stay as they are"
    return Outcome(said, "; ".join(one.problem for one in done if one.problem))


def record_payout(
    connection: Connection,
    account: GatewayAccount,
    payout: Payout,
    *,
    notice_id: int | None = None,
    today: date,
    actor: str,
) -> str:
    """Record a payout with its entry within the caller's transaction; says what came of it. Raises: BillingError."""
    acting(connection, actor)
    size = payout.amount if payout.amount.minor >= 0 else -payout.amount
    event = PaymentEvent(payout.key, EventKind.SETTLED, payout.ref, size, payout.happened, payout.arrives_on)
    is_new = store.write_event(connection, account.id, event, charge_id=None, customer_id=None, notice_id=notice_id)
    number = store.write_payout(connection, account.id, payout) if is_new else None
    if number is None:
        return "known already"
    legs = payout_legs(payout, account.method, load_accounts(connection, account.issuer_id))
    when = When(payout.arrives_on, today, actor, f"{account.name} payout {payout.ref}")
    if legs:
        book_event(connection, account.issuer_id, ("payout", number), legs, when)
    unexplained = f"; {payout.unexplained} of it in no line" if payout.unexplained else ""
    return f"payout {number}: {payout.amount} to the bank, fees {payout.fee}{unexplained}"


def restate_charge(connection: Connection, charge_id: int) -> None:
    """Work out again how a charge stands, after something was presented or withdrawn."""
    _restate(connection, charge_id)


def reference_in_books(account_id: int, name: str) -> str:
    """What a payment, return or refund of a provider's is called in the books: the same numbers may be used by two accounts."""
    return f"gateway {account_id} {name}"


def _charge_of(connection: Connection, account: GatewayAccount, event: PaymentEvent) -> GatewayCharge | None:
    if event.charge_key is not None:
        found = store.find_charge(connection, account.id, event.charge_key)
        if found is not None:
            return found
    return store.find_charge_of_payment(connection, account.id, event.payment_key)


def _customer_of(connection: Connection, account: GatewayAccount, event: PaymentEvent) -> int | None:
    if event.mandate_ref is None:
        return None
    return store.find_customer_of_mandate(connection, account.id, event.mandate_ref)


def _left_to_do(connection: Connection, account: GatewayAccount, rounds: Sequence[Round]) -> list[Act]:
    names = {one.reference: reference_in_books(account.id, one.reference) for one in rounds}
    theirs = reference_in_books(account.id, "")
    booked = {
        reference: replace(known, refunds=frozenset(name.removeprefix(theirs) for name in known.refunds))
        for reference, known in store.load_booked(connection, names).items()
    }
    return acts_for(rounds, booked)


def _do_withheld(
    connection: Connection, account: GatewayAccount, act: Act, *, over: Collection[str | None], actor: str, **given: Any
) -> Outcome:
    """Do it; what a payer contests by it is no debt until the provider says how that ended."""
    if isinstance(act, Record) or act.why.kind is not EventKind.DISPUTED or act.why.reference in over:
        return _do(connection, account, act, actor=actor, **given)
    name = reference_in_books(account.id, act.reference)
    before = load_open_of_payment(
        connection, store.load_booked(connection, {act.reference: name})[act.reference].payment_id
    )
    contest = partial(
        contested.withhold,
        connection,
        before,
        reference=reference_in_books(account.id, act.why.reference),
        reason=f"{account.name}: {act.why.reason}",
        actor=actor,
    )
    return _do(connection, account, act, actor=actor, contest=contest, **given)


def _do(
    connection: Connection,
    account: GatewayAccount,
    act: Act,
    *,
    charge: GatewayCharge | None,
    customer_id: int | None,
    today: date,
    actor: str,
    contest: Callable[[], object] | None = None,
) -> Outcome:
    if isinstance(act, Record):
        payment = _payment(connection, account, act.round, charge, customer_id)
        recorded = record_payment(connection, payment, today=today, actor=actor)
        if isinstance(recorded, NotDone):
            raise NotRecordedError(recorded.message)
        whose = f"of customer {customer_id}" if customer_id is not None else "that nobody is known for"
        return Outcome(f"payment {recorded.payment.id} {whose}, {act.round.amount}")
    name = reference_in_books(account.id, act.reference)
    payment_id = store.load_booked(connection, {act.reference: name})[act.reference].payment_id
    why = Happening(
        act.why.dated, act.why.reason, PaymentSource.WEBHOOK, reference_in_books(account.id, act.why.reference)
    )
    if isinstance(act, GiveBack):
        return _give_back(connection, account, act, payment_id, why, today=today, actor=actor, contest=contest)
    code = act.why.reason_code
    done = reverse_payment(connection, payment_id, why, code=code, today=today, actor=actor, contest=contest)
    if isinstance(done, NotDone):
        raise NotRecordedError(done.message)
    return Outcome(f"payment {payment_id}: came back, {act.why.reason}")


def _give_back(
    connection: Connection,
    account: GatewayAccount,
    act: GiveBack,
    payment_id: int,
    why: Happening,
    *,
    today: date,
    actor: str,
    contest: Callable[[], object] | None,
) -> Outcome:
    """Book a refund that the provider made. One that was booked by hand before finds nothing left: then a person compares the two."""
    with connection.transaction() as whole:
        given_back = partial(refund_given, connection, payment_id, act.why.amount, account.method, why)
        done = given_back(today=today, actor=actor, contest=contest)
        if isinstance(done, NotDone):
            raise psycopg.Rollback(whole)
    if isinstance(done, NotDone):
        said = f"payment {payment_id}: {act.why.amount} went back of it at {account.name} and are not booked: {done.message}"
        return Outcome(said, said)
    return Outcome(f"payment {payment_id}: {act.why.amount} went back of it, {act.why.reason}")


def _payment(
    connection: Connection,
    account: GatewayAccount,
    round_: Round,
    charge: GatewayCharge | None,
    customer_id: int | None,
) -> NewPayment:
    return NewPayment(
        method=account.method,
        amount=round_.amount,
        value_on=round_.value_on,
        source=PaymentSource.WEBHOOK,
        reference=reference_in_books(account.id, round_.reference),
        customer_id=customer_id,
        payer=round_.payer,
        note=None if charge is None else charge.words,
        choices=_choices(connection, account, round_, charge),
    )


def _choices(
    connection: Connection, account: GatewayAccount, round_: Round, charge: GatewayCharge | None
) -> tuple[Choice, ...]:
    """The invoice that was asked for, as long as it is open; what is paid already leaves credit."""
    if charge is None or charge.document_id is None:
        return ()
    hold_customers(connection, [charge.customer_id])
    mine = load_open_invoices(connection, [charge.customer_id])
    open_ = mine.get((charge.customer_id, account.issuer_id, round_.amount.currency), [])
    return tuple(Choice(one.id) for one in open_ if one.id == charge.document_id)


def _restate(connection: Connection, charge_id: int) -> None:
    presented, withdrawn = store.is_presented(connection, charge_id)
    events = store.load_events_of_charge(connection, charge_id)
    store.save_charge_state(connection, charge_id, charge_state(events, presented=presented, withdrawn=withdrawn))

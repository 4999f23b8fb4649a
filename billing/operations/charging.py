"""What customers are asked to pay through a gateway, written down for it: a page for an invoice, a mandate, a debit, a refund.

Nothing is asked of a provider here: what is written is a job, and is asked for until the provider says yes or no.
What accounts collect by themselves is written by ask_for_debits and ask_for_pages, which find nothing to do when they are asked again.

Source: latam.md section 10.1 of the reference, `present` and `refund`.

Next: billing/operations/recording.py
"""

from __future__ import annotations

import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, Final

import psycopg

from billing.errors import BillingError
from billing.gateways.due import Candidate, ToAsk, decide
from billing.money import Money
from billing.operations.giving_back import refuse_twice
from billing.operations.receiving import hold_payment
from billing.operations.restoring import look_again
from billing.payments import NotDone, PaymentSource
from billing.store import gateway_charges as store
from billing.store import gateway_due
from billing.store.acting import acting
from billing.store.allocations import apply_credit
from billing.store.gateway_charges import Link, Payable
from billing.store.gateways import GatewayAccount
from billing.store.payments import hold_customers
from billing.store.selection import in_batches

Connection = psycopg.Connection[Any]

_KEY_OCTETS: Final = 24
# What failed on a page can be tried again there; a debit that failed is another one.
_UNDER_WAY: Final = ("open", "presented", "pending", "failed")
# Customers that are held at once while what they owe is asked for.
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A presentment to be asked for. `again`: it was written before."""

    presentment_id: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Outdated:
    """The invoice has a page of another amount: it is to be withdrawn first."""

    link: Link


def ask_for_invoice(
    connection: Connection, account: GatewayAccount, document_id: int, *, kind: str, actor: str
) -> Asked | Outdated | NotDone:
    """A page on which an invoice is paid (`link`), or a debit of it under the customer's mandate (`debit`), of what it has open."""
    payable = store.load_payable(connection, document_id)
    if payable is None or payable.issuer_id != account.issuer_id:
        return NotDone(
            "document id:%(document_id)s is no issued invoice of the issuer of %(account)s",
            document_id=document_id,
            account=account.name,
        )
    hold_customers(connection, [payable.customer_id])
    payable = store.load_payable(connection, document_id) or payable
    if payable.open.minor <= 0:
        return NotDone("%(payable)s has nothing open", payable=payable.label)
    before = store.load_links_of(connection, account.id, document_id)
    found = _found(before, payable, kind)
    if found is not None:
        return found
    mandate_id = None
    if kind == "debit":
        mandate_id = store.find_active_mandate(connection, account.id, payable.customer_id)
        if mandate_id is None:
            return NotDone(
                "customer %(customer_id)s has no mandate that is active: `corrente gateway mandate %(customer_id)s` asks for one",
                customer_id=payable.customer_id,
            )
    charge = {
        "key": _key(),
        "account_id": account.id,
        "customer_id": payable.customer_id,
        "document_id": document_id,
        "currency": payable.open.currency,
        "amount": payable.open.amount,
        "words": payable.label,
        "made_by": actor,
    }
    charge_id = store.write_charge(connection, charge)
    row = {"account_id": account.id, "kind": kind, "key": _key(), "charge_id": charge_id, "made_by": actor}
    return Asked(store.write_presentment(connection, {**row, "mandate_id": mandate_id}))


def _found(before: list[Link], payable: Payable, kind: str) -> Asked | Outdated | NotDone | None:
    """What an invoice was asked for by before, if that stands in the way or serves."""
    for one in reversed(before):
        is_over = kind == "debit" and one.charge_state == "failed"
        if one.kind != kind or one.charge_state not in _UNDER_WAY or is_over:
            continue
        if kind == "debit" and one.state == "presented":
            return NotDone(
                "%(payable)s is being collected: charge %(charge_id)s is %(charge_state)s",
                payable=payable.label,
                charge_id=one.charge_id,
                charge_state=one.charge_state,
            )
        if one.amount == payable.open or one.charge_state == "pending":
            return Asked(one.presentment_id, again=True)
        if one.in_doubt:
            return NotDone(
                "%(payable)s was asked for with %(amount)s and the provider has not said whether it did: the worker goes on asking, try again then",
                payable=payable.label,
                amount=one.amount,
            )
        return Outdated(one)
    return None


def ask_for_debits(connection: Connection, *, now: datetime, actor: str) -> int:
    """Ask for what accounts are to debit by themselves as of now; how many.

    In transactions of its own, some customers at a time, so that whoever is ended goes on where it was. `connection` is in autocommit.
    """
    found = gateway_due.find_to_debit(connection, now=now)
    return _ask_all(connection, found, partial(gateway_due.load_to_debit, now=now), now, actor)


def ask_for_pages(connection: Connection, *, since: date = date.min, now: datetime, actor: str) -> int:
    """Ask for the pages that accounts are to make by themselves, of invoices of that day and later; how many. In transactions like debits."""
    found = gateway_due.find_to_page(connection, since=since)
    return _ask_all(connection, found, gateway_due.load_to_page, now, actor)


def _ask_all(
    connection: Connection,
    found: Sequence[tuple[int, int]],
    load: Callable[[Connection, Sequence[int]], list[Candidate]],
    now: datetime,
    actor: str,
) -> int:
    """How many; who can't be asked for is tried alone, so that nobody waits behind them, and raised once all were tried."""
    documents: dict[int, list[int]] = defaultdict(list)
    for customer, document in found:
        documents[customer].append(document)
    waiting = deque(in_batches(sorted(documents), _AT_ONCE))
    asked, failure = 0, None
    while waiting:
        some = waiting.popleft()
        try:
            with connection.transaction():
                acting(connection, actor)
                asked += _ask_some(connection, {one: documents[one] for one in some}, load, now, actor)
        except (psycopg.IntegrityError, psycopg.DataError, BillingError) as error:
            if len(some) == 1:
                failure = failure or error
            else:
                waiting.extendleft([one] for one in reversed(some))
    if failure is not None:
        raise failure
    return asked


def _ask_some(
    connection: Connection,
    documents: Mapping[int, Sequence[int]],
    load: Callable[[Connection, Sequence[int]], list[Candidate]],
    now: datetime,
    actor: str,
) -> int:
    """Each is looked at once its customer is held, with the customer's credit laid: what pays it already is not asked for.

    What is to be left out now is found again the next time.
    """
    customers = list(documents)
    hold_customers(connection, customers)
    if apply_credit(connection, customers):
        look_again(connection, customers, now, by=actor)
    mine = load(connection, [number for own in documents.values() for number in own])
    wanted = (one for one in map(decide, mine) if isinstance(one, ToAsk))
    return gateway_due.write_asked(connection, wanted, made_by=actor)


def ask_for_mandate(
    connection: Connection, account: GatewayAccount, customer_id: int, *, actor: str
) -> Asked | NotDone:
    """A page on which a customer signs a mandate."""
    if not hold_customers(connection, [customer_id]):
        return NotDone("there is no customer %(customer_id)s", customer_id=customer_id)
    if store.find_active_mandate(connection, account.id, customer_id) is not None:
        return NotDone("customer %(customer_id)s has a mandate that is active", customer_id=customer_id)
    row = {"account_id": account.id, "customer_id": customer_id, "made_by": actor}
    mandate_id = store.write_mandate(connection, row)
    page = {"account_id": account.id, "kind": "mandate", "key": _key(), "mandate_id": mandate_id, "made_by": actor}
    return Asked(store.write_presentment(connection, page))


def ask_for_refund(
    connection: Connection, account: GatewayAccount, payment_id: int, amount: Money, *, reason: str, actor: str
) -> Asked | NotDone:
    """Money given back the way it came: never more of a payment than settles nothing. It is booked when the provider says it is done."""
    known = hold_payment(connection, payment_id)
    if isinstance(known, NotDone):
        return known
    if known.source is not PaymentSource.WEBHOOK or not known.reference.startswith(f"gateway {account.id} "):
        return NotDone(
            "payment %(payment_id)s did not come through %(account)s: give it back by `corrente payment refund`",
            payment_id=payment_id,
            account=account.name,
        )
    waiting = store.load_refunds_asked(connection, payment_id)
    free = known.open if waiting is None else known.open - waiting
    if amount.currency != known.money.currency or amount.minor <= 0 or free < amount:
        return NotDone(
            "%(amount)s of payment %(payment_id)s: %(free)s of it settle nothing and can be given back; give a credit note first for more",
            amount=amount,
            payment_id=payment_id,
            free=free,
        )
    if (twice := refuse_twice(connection, known, amount)) is not None:
        return twice
    row = {"account_id": account.id, "kind": "refund", "key": _key(), "payment_id": payment_id, "amount": amount.amount}
    return Asked(store.write_presentment(connection, {**row, "reason": reason, "made_by": actor}))


def _key() -> str:
    return secrets.token_urlsafe(_KEY_OCTETS)

"""What a customer is told of money: a receipt of what came in, and that it came back. Written in the transaction that records it.

A receipt goes where the method says so (`corrente payment method`), to who has an address, and of recent payments alone: who takes
over the payments of last year thanks nobody for them. What a person takes back because it never was tells nobody anything.

Units: days of the issuer's zone.
Source: docs/messages.md.

Next: billing/store/payment_messages.py
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import psycopg

from billing.allocation import Allocation
from billing.contacts import ContactRole
from billing.messages.message import Enclosure, NewMessage
from billing.money import Money
from billing.papers.receipts import method_said
from billing.papers.wording import load_wording
from billing.payments import Happening, PaymentSource
from billing.store.messages import queue
from billing.store.payment_messages import Payer, load_payer, load_return
from billing.store.payments import KnownPayment

Connection = psycopg.Connection[Any]
# Older money is no news: it is entered late, or comes over from another system.
RECENT: Final = timedelta(days=31)
# Somebody stands at the till, looks at the page, or waits for the line.
_WAITED_FOR: Final = frozenset({PaymentSource.COUNTER, PaymentSource.COLLECTOR, PaymentSource.WEBHOOK})
# Whoever asks for more copies of one receipt prints it.
_MOST_COPIES: Final = 20
_TOLD_BY_OTHERS: Final = frozenset({PaymentSource.FILE, PaymentSource.WEBHOOK})


def tell_receipt(
    connection: Connection,
    payment: KnownPayment,
    allocated: Sequence[Allocation],
    *,
    made_by: str,
    now: datetime | None = None,
) -> None:
    """Thank for a payment, and say what it settled; told twice it is said once."""
    if payment.customer_id is None:
        return
    settled = [(one.invoice_id, one.amount) for one in allocated]
    payer = load_payer(connection, payment.customer_id, payment.method_id, [one for one, _ in settled], now)
    if payer is None or not payer.mails_receipt or payment.value_on < payer.today - RECENT:
        return
    message = _receipt(payment, payment.customer_id, payer, settled, origin=f"receipt of payment {payment.id}")
    queue(connection, [message], made_by=made_by)


def send_receipt(
    connection: Connection, payment: KnownPayment, settled: Sequence[tuple[int, Money]], *, made_by: str
) -> bool:
    """Send a receipt because a person wants it sent, whatever the method says and also a second time; False without an address."""
    if payment.customer_id is None:
        return False
    payer = load_payer(connection, payment.customer_id, payment.method_id, [one for one, _ in settled], None)
    if payer is None:
        return False
    origin = f"receipt of payment {payment.id}"
    for origin_of_copy in (origin, *(f"{origin}, copy {number}" for number in range(1, _MOST_COPIES + 1))):
        message = _receipt(payment, payment.customer_id, payer, settled, origin=origin_of_copy)
        if queue(connection, [message], made_by=made_by):
            return True
    return False


def _receipt(
    payment: KnownPayment, customer_id: int, payer: Payer, settled: Sequence[tuple[int, Money]], *, origin: str
) -> NewMessage:
    said = method_said(payment.method, payer.method_name)
    data = {
        "amount": payment.money,
        "paid_on": payment.value_on,
        "method": _words(payer.language).get(said, said),
        "documents": [{"number": payer.labels[invoice], "paid": amount} for invoice, amount in settled],
        "credit": payment.open or None,
    }
    # What a collector takes has its numbered receipt when this is sent.
    enclosed = (Enclosure("receipt", payment.id),) if payment.source is PaymentSource.COLLECTOR else ()
    return NewMessage(
        customer_id,
        "receipt",
        origin,
        data,
        issuer_id=payment.issuer_id,
        role=ContactRole.ADMINISTRATIVE,
        enclosures=enclosed,
        at_once=payment.source in _WAITED_FOR,
    )


def tell_return(connection: Connection, payment: KnownPayment, why: Happening, *, fee: Money | None, by: str) -> None:
    """Say that a payment came back, and what that costs: where a bank or a gateway said so, or a person gave its code or the fee."""
    if payment.customer_id is None:
        return
    found = load_return(connection, payment.customer_id, payment.id)
    if found is None or not (why.source in _TOLD_BY_OTHERS or found.code or fee):
        return
    data = {"amount": payment.money, "reason": found.code, "fee": fee, "pay_page": None}
    message = NewMessage(
        payment.customer_id,
        "payment_returned",
        f"return of payment {payment.id}",
        data,
        issuer_id=payment.issuer_id,
        role=ContactRole.ADMINISTRATIVE,
    )
    queue(connection, [message], made_by=by)


@lru_cache(maxsize=8)
def _words(language: str) -> dict[str, str]:
    return load_wording(language)["words"]

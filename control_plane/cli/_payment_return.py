"""What is said of a payment that came back: the invoices that are open again, and what its return costs the customer."""

from __future__ import annotations

from collections.abc import Sequence

import click

from billing.operations.receiving import Recorded
from billing.store.fees import load_return_fee
from billing.store.payments import OpenAgain
from control_plane.cli._console import Connection


def tell_open_again(invoices: Sequence[OpenAgain]) -> None:
    """A line for each invoice that the payment had settled."""
    for one in invoices:
        if one.due_on is None:
            click.echo(f"  {one.label} stays settled: by other credit of the customer")
        else:
            click.echo(f"  {one.label} is open again with {one.open}, due on {one.due_on}")


def fee_words(connection: Connection, done: Recorded) -> str:
    """What was charged where a fee was asked for, or why nothing was."""
    payment = done.payment
    if done.fee is not None:
        return f"the next invoice bears {done.fee} for it"
    if payment.customer_id is None:
        return "no fee: it is nobody's"
    if load_return_fee(connection, payment.method_id) is None:
        return f"no fee: none is set for {payment.method}; `corrente payment return-fee {payment.method} AMOUNT --product NAME` sets one"
    return f"no fee: customer {payment.customer_id} has no contract whose next invoice would bear it"

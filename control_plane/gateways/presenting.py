"""Asking providers to do something: a page to pay on, a debit, a refund. Written down before it is asked, and done once.

When no answer comes, it is not known whether it was done. Then the provider is asked what it has under our key, and after that once
more under the same key, which makes it one.

Time passes between writing and asking: what the invoice owes less by then is not asked for any more.

Units: seconds.
Next: working.py
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import psycopg

from billing.operations.recording import restate_charge
from billing.store import gateway_charges as charges
from billing.store import gateway_work as store
from billing.store.gateway_work import Presentment
from billing.store.gateways import load_charge
from billing.store.payments import hold_customers
from control_plane.gateways.desk import Desk, Line
from control_plane.gateways.provider import (
    Declined,
    GatewayError,
    Presented,
    Wanted,
)
from control_plane.gateways.reading import UnreadableAnswerError

Connection = psycopg.Connection[Any]

_FIRST_WAIT_S: Final = 60.0
_LONGEST_WAIT_S: Final = 6 * 3600.0
# Some four days by the waits above; then a person looks.
MOST_ATTEMPTS: Final = 24


def wait_s(attempts: int) -> float | None:
    """How long to wait after so many attempts in vain, spread so that many do not come at once; None: a person is asked.

    Source: latam.md section 9.3 of the reference, worker rules.
    """
    if attempts >= MOST_ATTEMPTS:
        return None
    spread = random.uniform(0.8, 1.2)  # noqa: S311 - no secret, only a spread
    return float(min(_FIRST_WAIT_S * 2 ** (attempts - 1), _LONGEST_WAIT_S) * spread)


@dataclass(frozen=True, slots=True)
class _Withdrawn(Declined):
    """It is not asked for any more, by ourselves."""


Made = Presented | Declined | GatewayError


def present(
    connection: Connection, desk: Desk, wanted: Sequence[Presentment], threads: Executor | None = None
) -> list[Made]:
    """Ask for these, at once if there are threads, outside of a transaction, and write what came; an error leaves it to be asked again.

    Declined by ourselves when its invoice owes less by now: it is withdrawn, also what the provider had made without saying so.
    """
    asked = [_asking(connection, desk, one) for one in wanted]
    answers = map(_answer, asked) if threads is None else threads.map(_answer, asked)
    return [_write(connection, one, made) for one, made in zip(wanted, answers, strict=True)]


def _asking(connection: Connection, desk: Desk, one: Presentment) -> Callable[[], Presented | Declined]:
    """What is to be asked, with all that the database has to say about it."""
    try:
        line = desk.line(connection, one.account_id)
    except GatewayError as error:
        return partial(_raise, error)
    return partial(_ask, line, one, _outdated(connection, one))


def _raise(error: GatewayError) -> Presented | Declined:
    raise error


def _answer(asking: Callable[[], Presented | Declined]) -> Made:
    try:
        return asking()
    except GatewayError as error:
        return error
    except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError) as error:
        return UnreadableAnswerError(f"{type(error).__name__}: {error}")


def _write(connection: Connection, one: Presentment, made: Made) -> Made:
    if isinstance(made, GatewayError):
        store.put_off_presentment(connection, one.id, str(made), seconds=wait_s(one.attempts))
        return made
    try:
        _save(connection, one, made)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        # What can't be kept of an answer is that one's problem: raised, it would be the first again, and stop all behind it.
        return _write(connection, one, UnreadableAnswerError(error.diag.message_primary or str(error)))
    return made


def _save(connection: Connection, one: Presentment, made: Presented | Declined) -> None:
    with connection.transaction():
        if isinstance(made, Declined):
            store.refuse_presentment(connection, one.id, made.reason)
            if isinstance(made, _Withdrawn) and one.charge_id is not None:
                charges.mark_withdrawn(connection, one.charge_id)
        else:
            store.end_presentment(connection, one.id, ref=made.ref, value=made.value, expires=made.expires)
            if made.hint is not None:
                hint = made.hint
                store.write_notices(connection, one.account_id, [(hint.key, hint.topic, hint.ref, hint.happened)])
        if one.charge_id is not None:
            restate_charge(connection, one.charge_id)


def _outdated(connection: Connection, one: Presentment) -> _Withdrawn | None:
    """Why it is not to be asked for any more. A payment that is being recorded is waited for; nobody waits for the provider."""
    if one.charge_id is None:
        return None
    with connection.transaction():
        charge = load_charge(connection, one.charge_id)
        if charge.document_id is None:
            return None
        hold_customers(connection, [charge.customer_id])
        payable = charges.load_payable(connection, charge.document_id)
    if payable is not None and payable.open >= charge.amount:
        return None
    left = "nothing" if payable is None or payable.open.minor <= 0 else str(payable.open)
    return _Withdrawn(f"{charge.words} has {left} open by now and {charge.amount} were to be asked for: ask again")


def _ask(line: Line, one: Presentment, outdated: _Withdrawn | None) -> Presented | Declined:
    wanted = Wanted(
        kind=one.kind,
        key=one.key,
        words=one.words,
        since=one.made_at,
        amount=one.amount,
        charge_key=one.charge_key,
        payment_key=_payment_key(one),
        mandate_ref=one.mandate_ref,
        return_url=line.account.return_url,
        refunded=one.refunded,
        currency=line.account.currency,
        collect_on=one.due_on,
    )
    if one.attempts > 1:
        found = line.provider.find(line.ask, wanted, line.context)
        if found is not None:
            is_gone = outdated is not None and line.provider.withdraw(line.ask, one.kind, found.ref) is None
            return outdated if outdated is not None and is_gone else found
    if outdated is not None:
        return outdated
    return line.provider.present(line.ask, wanted, line.context)


def _payment_key(one: Presentment) -> str | None:
    """The provider's number of the payment that is given back, out of what the books call it: see recording.reference_in_books."""
    if one.payment_reference is None:
        return None
    return one.payment_reference.removeprefix(f"gateway {one.account_id} ").split(" ")[0]

"""Asking a provider for all that it says happened: what its notices failed to tell is looked into like what they told.

Next: intake.py
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from billing.operations.recording import restate_charge
from billing.store import gateway_work as store
from billing.store.gateway_charges import load_settled, mark_withdrawn
from control_plane.gateways.desk import Desk
from control_plane.gateways.provider import GatewayError, Hint

Connection = psycopg.Connection[Any]

_AT_ONCE: Final = 500
# Another five hundred are begun within so long: an answer takes a third of a second, and the job has ten minutes.
_WITHDRAWING_S: Final = 240.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """So much the provider lists since then, and so much of it nobody had told."""

    account: str
    since: datetime
    listed: int
    missed: int


def reconcile(
    connection: Connection, desk: Desk, account_id: int, *, since: datetime | None, now: datetime
) -> Reconciled:
    """Compare what an account's provider lists with what is known; what is missing becomes a notice for the worker.

    Without `since`, from where the last comparison ended. Raises: GatewayError; what was compared before that stays.
    """
    line = desk.line(connection, account_id)
    start = since or line.account.asked_to
    listed = missed = 0
    batch: list[Hint] = []
    for hint in line.provider.poll(line.ask, start, line.context):
        batch.append(hint)
        if len(batch) == _AT_ONCE:
            listed, missed, batch = listed + len(batch), missed + _write(connection, account_id, batch), []
    listed, missed = listed + len(batch), missed + _write(connection, account_id, batch)
    store.save_asked_to(connection, account_id, now)
    return Reconciled(line.account.name, start, listed, missed)


def withdraw_settled(connection: Connection, desk: Desk) -> int:
    """Switch off the pages and cancel the debits of invoices that were paid elsewhere meanwhile; how many.

    What can't be now is, next time; a debit that the bank has already is collected. Between two looks somebody may pay twice: that is
    credit, see billing/operations/recording.py.
    """
    done = after = 0
    until = time.monotonic() + _WITHDRAWING_S
    # Those that can't be now stay: what is behind them is looked at in the same run.
    while time.monotonic() < until and (found := load_settled(connection, after=after, limit=_AT_ONCE)):
        after = found[-1][0]
        for _, account_id, charge_id, kind, ref in found:
            try:
                line = desk.line(connection, account_id)
                if line.provider.withdraw(line.ask, kind, ref) is not None:
                    continue
            except GatewayError:
                continue
            with connection.transaction():
                mark_withdrawn(connection, charge_id)
                restate_charge(connection, charge_id)
            done += 1
    return done


def _write(connection: Connection, account_id: int, hints: list[Hint]) -> int:
    rows = [(hint.key, hint.topic, hint.ref, hint.happened) for hint in hints]
    return store.write_notices(connection, account_id, rows)

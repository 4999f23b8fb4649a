"""E-invoices sent, asked about and listened for: a job of the worker that leads, an account after the other.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.store import einvoice_desk as desk
from billing.store import einvoices as store
from billing.store.einvoices import EinvoiceAccount
from control_plane import db, telemetry
from control_plane.einvoice.provider import Account, provider_for
from control_plane.einvoice.work import KeptTickets, Turn
from control_plane.settings import Settings, secret_keys
from radius_hooks.sealing import Sealer, SealError, einvoice_row

Connection = psycopg.Connection[TupleRow]

SEND_EVERY_S: Final = 5.0
# Of one account, so that a slow authority leaves time to the others.
_TURN_S: Final = 20.0


def send_einvoices(connection: Connection, settings: Settings, now: datetime) -> str:
    """Give each account that is on, not blocked and not resting its turn."""
    sealer = None
    db.expect_few_rows(connection)
    done: Counter[str] = Counter()
    for account in store.load_accounts(connection, only_enabled=True):
        if account.blocked_at is not None or account.next_try > now:
            continue
        sealer = sealer or Sealer(secret_keys(settings))
        try:
            turn = turn_of(connection, settings, account, sealer, turn_s=_TURN_S)
        except SealError as error:
            # The others go on; whoever types its secret again unblocks it.
            why = f"{error}: `corrente einvoice unblock {account.name} --secret-file …` gives it another"
            with connection.transaction():
                desk.block(connection, account.id, why=why)
            telemetry.logger().error("einvoice.blocked", account=account.name, reason=why)
            done["account blocked"] += 1
            continue
        done += turn.run()
    return ", ".join(f"{count} {word}" for word, count in sorted(done.items())) or "nothing due"


def turn_of(
    connection: Connection, settings: Settings, account: EinvoiceAccount, sealer: Sealer, *, turn_s: float
) -> Turn:
    """An account's turn, with its secret opened. Raises: SealError."""
    speaker = speaker_of(connection, settings, account, sealer)
    return Turn(connection, account, provider_for(account.provider), speaker, time.monotonic() + turn_s)


def speaker_of(connection: Connection, settings: Settings, account: EinvoiceAccount, sealer: Sealer) -> Account:
    """The account as its provider gets it. Raises: SealError."""
    return Account(
        id=account.id,
        name=account.name,
        environment=account.environment,
        settings=account.settings,
        secret=sealer.open(account.sealed_secret, row=einvoice_row(account.id)),
        tickets=KeptTickets(connection, account.id, sealer),
        timeout_s=settings.einvoice.timeout_s,
        allow_private=settings.einvoice.allow_private_addresses,
    )

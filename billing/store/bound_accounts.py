"""Subscriber accounts of a contract: several each, moved between contracts, or released when nobody is served by them.

Units: `today` is a day of the billing zone.

Next: billing/operations/doing.py
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from billing.contract_facts import Status
from billing.errors import BillingError

Connection = psycopg.Connection[Any]

_CLOSED: Final = (Status.ENDED, Status.CANCELLED)
_ACCOUNT: Final = """
SELECT a.id, a.contract_id, coalesce(a.expires_at <= now(), false) FROM subscriber_account AS a WHERE a.username = %s FOR UPDATE
"""
_TELL: Final = """
INSERT INTO contract_event (contract_id, actor, event, effective_on, status_before, status_after, detail)
    SELECT id, %s, %s, %s, status, status, %s FROM contract WHERE id = %s
"""


class AccountBindingError(BillingError):
    """An account can't be bound or released as it is asked for."""


def bind_account(connection: Connection, contract_id: int, username: str, *, today: date, actor: str) -> int | None:
    """Let a contract have an account; returns the contract it had before, None when it is this one's already.

    Raises: AccountBindingError.
    """
    row = connection.execute("SELECT status::text FROM contract WHERE id = %s FOR SHARE", (contract_id,)).fetchone()
    if row is None:
        raise AccountBindingError(f"there is no contract {contract_id}")
    if row[0] in _CLOSED:
        raise AccountBindingError(f"contract {contract_id} is {row[0]}; make a new one")
    account_id, before, released = _account(connection, username)
    if before == contract_id and not released:
        return None
    connection.execute(
        "UPDATE subscriber_account SET contract_id = %s, expires_at = CASE WHEN expires_at <= now() THEN NULL ELSE expires_at END WHERE id = %s",
        (contract_id, account_id),
    )
    if before != contract_id:
        _tell(connection, before, "account_released", username, today=today, actor=actor)
    _tell(connection, contract_id, "account_bound", username, today=today, actor=actor)
    return before


def release_account(connection: Connection, contract_id: int, username: str, *, today: date, actor: str) -> None:
    """Nobody logs in with the account any more; it stays where it was until another contract binds it.

    Raises: AccountBindingError.
    """
    account_id, before, released = _account(connection, username)
    if before != contract_id:
        raise AccountBindingError(f"account {username} is of contract {before}, not of {contract_id}")
    if released:
        raise AccountBindingError(f"account {username} is released already")
    connection.execute("UPDATE subscriber_account SET expires_at = now() WHERE id = %s", (account_id,))
    _tell(connection, contract_id, "account_released", username, today=today, actor=actor)


def _account(connection: Connection, username: str) -> tuple[int, int, bool]:
    row = connection.execute(_ACCOUNT, (username,)).fetchone()
    if row is None:
        raise AccountBindingError(f"there is no subscriber account {username!r}; `corrente account add` makes one")
    return int(row[0]), int(row[1]), bool(row[2])


def _tell(connection: Connection, contract_id: int, event: str, username: str, *, today: date, actor: str) -> None:
    connection.execute(_TELL, (actor, event, today, Jsonb({"account": username}), contract_id))

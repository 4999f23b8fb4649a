"""Passwords of subscribers, shown to who says why.

Next: ../audit.py
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from control_plane import audit
from control_plane.accounts.not_done import NotDoneError, Why
from control_plane.store.account import Account, load_sealed_secret
from radius_hooks.sealing import Sealer, SealError, account_row

Connection = psycopg.Connection[Any]

NO_SECRET: Final = "no_secret"  # noqa: S105 - a kind of secret


def reveal_secret(connection: Connection, sealer: Sealer, account: Account, *, reason: str, actor: str) -> str:
    """The secret of an account, after writing into the audit log who saw it and why. Raises: NotDoneError.

    Show it only after the commit: what was not written down is not shown.
    """
    if account.secret_kind == NO_SECRET:
        raise NotDoneError(Why.NOTHING_KEPT, username=account.username)
    why = reason.strip()
    if not why:
        raise NotDoneError(Why.NO_REASON)
    sealed = load_sealed_secret(connection, account.id)
    try:
        secret = sealer.open(sealed, row=account_row(account.id)).decode()
    except SealError as error:
        raise NotDoneError(Why.KEY_MISSING, problem=error) from error
    audit.append(
        connection, actor=actor, action="account.reveal_secret", subject=account.username, detail={"reason": why}
    )
    return secret

"""Octets beyond the quota: who is throttled for it is let go within a second.

Next: ../store/plan_terms.py
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from control_plane import audit
from control_plane.accounts.not_done import NotDoneError, Why
from control_plane.store.account import Account
from control_plane.store.plan_terms import TopupRow, save_topup

Connection = psycopg.Connection[Any]


def give_topup(
    connection: Connection,
    account: Account,
    *,
    octets: int,
    now: datetime,
    until: datetime,
    whole_contract: bool,
    reason: str,
    actor: str,
) -> None:
    """Give the account, or each of its contract, octets that count until then. Raises: NotDoneError."""
    if not reason.strip():
        raise NotDoneError(Why.NO_REASON)
    if account.quota_octets is None:
        raise NotDoneError(Why.NO_QUOTA, plan=account.plan)
    row = TopupRow(account.contract_id, None if whole_contract else account.id, octets, now, until, reason, actor)
    save_topup(connection, row)
    detail = {"octets": octets, "until": until, "reason": reason, "whole_contract": whole_contract}
    audit.append(connection, actor=actor, action="account.top_up", subject=account.username, detail=detail)

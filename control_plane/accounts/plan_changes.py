"""Another plan for an account's contract, from a day on or at once: where the contract is billed the bill goes with the network.

Next: ../../billing/operations/doing.py
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing import deeds as do
from billing.errors import BillingError
from billing.operations.doing import do_deed
from billing.store.contract_page import has_terms, load_zone
from control_plane import audit
from control_plane.accounts.not_done import NotDoneError, Why
from control_plane.explaining.explain_now import steps_of
from control_plane.settings import Settings
from control_plane.store.account import Account, load_account, load_usernames
from control_plane.store.changes import save_changes
from control_plane.store.limits import load_reliefs, load_restrictions
from control_plane.store.plan_terms import remove_plan_change, save_plan_change
from radius_hooks.policy_records import PolicyStep

Connection = psycopg.Connection[Any]


def change_plan(
    connection: Connection,
    account: Account,
    plan_id: int,
    plan: str,
    *,
    on: date | None,
    settings: Settings,
    now: datetime,
    actor: str,
) -> None:
    """Give the contract another plan, from that day on or (None) now. Raises: NotDoneError."""
    if on is not None:
        refuse_past(on, today=now.astimezone(settings.zone).date())
    if has_terms(connection, account.contract_id):
        change_billed_plan(connection, account.contract_id, plan_id, on=on, settings=settings, now=now, actor=actor)
    elif on is None:
        save_changes(connection, "contract", account.contract_id, {"plan_id": plan_id})
    else:
        save_plan_change(connection, account.contract_id, plan_id=plan_id, effective_on=on, placed_by=actor)
    detail = {"plan": plan, "effective_on": on}
    audit.append(connection, actor=actor, action="account.change_plan", subject=account.username, detail=detail)


def cancel_plan_change(
    connection: Connection,
    account: Account,
    day: date,
    *,
    settings: Settings,
    now: datetime,
    actor: str,
) -> None:
    """Take back the change of that day: the contract goes on with the plan before it. Raises: NotDoneError."""
    refuse_past(day, today=now.astimezone(settings.zone).date())
    if has_terms(connection, account.contract_id):
        _do_billed(connection, account.contract_id, do.KeepPlan(day), settings=settings, now=now, actor=actor)
    elif not remove_plan_change(connection, account.contract_id, effective_on=day):
        raise NotDoneError(Why.NO_CHANGE_WAITS, contract=account.contract_id, day=day)
    detail = {"plan": None, "effective_on": day}
    audit.append(connection, actor=actor, action="account.cancel_plan_change", subject=account.username, detail=detail)


def change_billed_plan(
    connection: Connection,
    contract_id: int,
    plan_id: int,
    *,
    on: date | None,
    settings: Settings,
    now: datetime,
    actor: str,
) -> None:
    """Another plan of a contract that is billed, by the contract's own deed. Raises: NotDoneError with billing's words."""
    at = do.ChangeAt.NOW if on is None else do.ChangeAt.DATE
    _do_billed(connection, contract_id, do.ChangePlan(plan_id, at, on), settings=settings, now=now, actor=actor)


def _do_billed(
    connection: Connection, contract_id: int, deed: do.Deed, *, settings: Settings, now: datetime, actor: str
) -> None:
    found = load_zone(connection, contract_id)
    assert found is not None, f"contract {contract_id} has an account"
    zone = found[0] or settings.operator.billing_zone
    today = now.astimezone(ZoneInfo(zone)).date()
    try:
        outcome = do_deed(connection, contract_id, deed, today=today, actor=actor, zone=zone)
    except BillingError as error:
        raise NotDoneError(Why.BILLING, problem=error) from error
    if isinstance(outcome, do.Refused):
        raise NotDoneError(Why.BILLING, problem=f"contract {contract_id}: {outcome.sentence}")


def refuse_past(day: date, *, today: date) -> None:
    """A dated change is to come. Raises: NotDoneError."""
    if day <= today:
        raise NotDoneError(Why.PAST_DAY, day=day)


def network_of(
    connection: Connection, contract_id: int, *, zone: ZoneInfo, now: datetime
) -> dict[str, tuple[PolicyStep, ...]]:
    """What each account of a contract gets from now on, as this transaction sees it."""
    restrictions = load_restrictions(connection, contract_id, now=now)
    reliefs = load_reliefs(connection, contract_id, now=now)
    found = {}
    for username in load_usernames(connection, contract_id):
        account = load_account(connection, username)
        assert account is not None, f"account {username} was there a moment ago"
        found[username] = steps_of(account, restrictions, reliefs, at=now, zone=zone)
    return found

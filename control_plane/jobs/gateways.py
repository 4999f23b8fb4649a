"""The worker's jobs of payment gateways: what was told is recorded, what is wanted is asked for, what is due is wanted, what was never told is looked for.

Units: *_s seconds.
Next: scheduler.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from billing.operations.charging import ask_for_debits, ask_for_pages
from billing.store.gateway_work import clear_webhooks, save_problem
from billing.store.gateways import load_gateway_accounts
from control_plane.gateways.desk import Desk
from control_plane.gateways.provider import GatewayError
from control_plane.gateways.reconciling import reconcile, withdraw_settled
from control_plane.gateways.working import work
from control_plane.settings import Settings

Connection = psycopg.Connection[TupleRow]
ACTOR: Final = "job gateways"
COLLECTOR: Final = "job collect_due"
# Somebody has just paid and waits to be online again.
GATEWAYS_EVERY_S: Final = 1.0
RECONCILE_EVERY_S: Final = 3600.0
COLLECT_EVERY_S: Final = 1800.0
# A mail with an invoice waits for its page.
PAGES_EVERY_S: Final = 30.0
_JUST_ISSUED: Final = timedelta(days=2)
# A payment may be disputed for 13 months; the raw notice is what was said of it.
WEBHOOKS_KEPT: Final = timedelta(days=400)
_CLEARED_AT_ONCE: Final = 1000


def gateways(connection: Connection, settings: Settings, now: datetime) -> str:
    """Record what gateways told, ask them for what is wanted."""
    return work(connection, settings, now, actor=ACTOR)


def collect_due(connection: Connection, settings: Settings, now: datetime) -> str:
    """Ask for what accounts are to collect by themselves: debits of what fell due, pages for other invoices."""
    if not any(one.debits_since or one.pages_since for one in load_gateway_accounts(connection)):
        return "no account collects by itself"
    try:
        debits = ask_for_debits(connection, now=now, actor=COLLECTOR)
    finally:
        # What can't be debited keeps nobody from a page.
        pages = ask_for_pages(connection, now=now, actor=COLLECTOR)
    return f"asked for {debits} debits and {pages} pages"


def page_new_invoices(connection: Connection, settings: Settings, now: datetime) -> str:
    """Ask for the pages of what was issued just now: its mail waits for them."""
    if not any(one.pages_since for one in load_gateway_accounts(connection)):
        return "no account makes pages by itself"
    pages = ask_for_pages(connection, since=now.date() - _JUST_ISSUED, now=now, actor=COLLECTOR)
    return f"asked for {pages} pages"


def reconcile_gateways(connection: Connection, settings: Settings, now: datetime) -> str:
    """Ask each gateway for what it may have told in vain, withdraw pages and debits of what is paid, and delete notices that are old.

    Raises: GatewayError, which names the accounts that could not be asked, when the others are done.
    """
    desk, said, problems = Desk(settings), [], []
    for account in load_gateway_accounts(connection):
        if not account.enabled:
            continue
        try:
            found = reconcile(connection, desk, account.id, since=None, now=now)
            said.append(f"{account.name}: {found.listed} listed, {found.missed} never told")
        except GatewayError as error:
            save_problem(connection, account.id, str(error))
            problems.append(f"{account.name}: {error}")
    if withdrawn := withdraw_settled(connection, desk):
        said.append(f"withdrew {withdrawn} pages and debits of invoices that are paid")
    while clear_webhooks(connection, before=now - WEBHOOKS_KEPT, limit=_CLEARED_AT_ONCE) == _CLEARED_AT_ONCE:
        pass
    if problems:
        raise GatewayError("; ".join(problems))
    return "; ".join(said) or "no accounts"

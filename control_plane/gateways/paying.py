"""A page on which a subscriber pays an invoice now: the one that there is, or one that the worker makes at once.

Next: working.py
"""

from __future__ import annotations

from typing import Any

import psycopg

from billing.operations.charging import Asked, Outdated, ask_for_invoice
from billing.payments import NotDone
from billing.store.gateways import GatewayAccount, load_gateway_accounts
from control_plane.gateways.provider import provider_for

Connection = psycopg.Connection[Any]


def account_for_pages(connection: Connection, issuer_id: int) -> GatewayAccount | None:
    """Through which an issuer's invoices are paid on a page; None where there is none. Of several the one that makes pages by itself."""
    able = [
        one
        for one in load_gateway_accounts(connection, issuer_id=issuer_id)
        if one.enabled and "link" in provider_for(one.provider).presents
    ]
    return min(able, key=lambda one: (one.pages_since is None, one.name), default=None)


def ask_for_page(connection: Connection, issuer_id: int, document_id: int, *, actor: str) -> bool:
    """Have a page made for what an invoice has open; False where that can't be now. Asked again, it is the same page."""
    account = account_for_pages(connection, issuer_id)
    if account is None:
        return False
    asked = ask_for_invoice(connection, account, document_id, kind="link", actor=actor)
    match asked:
        case Asked():
            return True
        case Outdated() | NotDone():
            return False

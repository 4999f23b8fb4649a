"""Accounts with payment providers: made, changed, their secrets sealed.

Next: desk.py
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from billing.payments import MethodKind
from billing.store.gateways import GatewayAccount, load_gateway_account
from billing.store.rows import insert_row
from control_plane.gateways.provider import Provider
from control_plane.gateways.sealing import webhook_sealer
from control_plane.settings import Settings, secret_keys
from control_plane.store.changes import next_id, save_changes
from radius_hooks.sealing import Sealer, gateway_row, gateway_webhook_row

Connection = psycopg.Connection[Any]

_TOKEN_OCTETS: Final = 32


def add_account(
    connection: Connection, settings: Settings, columns: Mapping[str, object], *, secret: str, webhook_secret: str
) -> GatewayAccount:
    """Write an account, its secrets sealed, with an address of its own. Raises: SettingsError, SealError."""
    number = next_id(connection, "gateway_account")
    row = {
        **columns,
        "id": number,
        "token": secrets.token_urlsafe(_TOKEN_OCTETS),
        **sealed(settings, number, secret=secret, webhook_secret=webhook_secret),
    }
    names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, row))
    places = psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, row))
    connection.execute(
        psycopg.sql.SQL("INSERT INTO gateway_account ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(names, places),
        row,
    )
    return load_gateway_account(connection, number)


def sealed(
    settings: Settings, number: int, *, secret: str | None = None, webhook_secret: str | None = None
) -> dict[str, bytes]:
    """The columns of secrets that are given. Raises: SettingsError, SealError."""
    found = {}
    if secret is not None:
        found["sealed_secret"] = Sealer(secret_keys(settings)).seal(secret.encode(), row=gateway_row(number))
    if webhook_secret is not None:
        found["sealed_webhook_secret"] = webhook_sealer(settings).seal(
            webhook_secret.encode(), row=gateway_webhook_row(number)
        )
    return found


def change_account(connection: Connection, account_id: int, columns: Mapping[str, object]) -> None:
    """Set these columns."""
    save_changes(connection, "gateway_account", account_id, columns)


def method_for(connection: Connection, issuer_id: int, code: str, provider: Provider) -> int:
    """The issuer's way of being paid of that code; made, as the provider's money travels, when there is none."""
    row = connection.execute(
        "SELECT id FROM payment_method WHERE issuer_id = %s AND code = %s", (issuer_id, code)
    ).fetchone()
    if row is not None:
        return int(row[0])
    kind: MethodKind = provider.method_kind
    columns = {
        "issuer_id": issuer_id,
        "code": code,
        "name": provider.title,
        "kind": kind,
        "returns_days": provider.returns_days,
    }
    return insert_row(connection, "payment_method", columns)

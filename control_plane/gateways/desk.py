"""A provider as an account speaks to it: its address allowed, its secrets opened, its answers asked for.

Next: working.py
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing.store.gateways import GatewayAccount, load_gateway_account
from control_plane.gateways.calling import allowed_url, caller
from control_plane.gateways.provider import Ask, Context, GatewayError, Provider, provider_for
from control_plane.gateways.sealing import webhook_sealer
from control_plane.settings import Settings, SettingsError, secret_keys
from radius_hooks.sealing import Sealer, SealError, gateway_row, gateway_webhook_row

Connection = psycopg.Connection[Any]


class SecretUnreadableError(GatewayError):
    """The key at hand does not open what an account is asked with."""


@dataclass(frozen=True)
class Line:
    """An account with its provider, ready to be asked."""

    account: GatewayAccount
    provider: Provider
    ask: Ask

    @property
    def context(self) -> Context:
        """What the provider is to know of the account."""
        return context_of(self.account)


class Desk:
    """Opens accounts, each once: connections to the database are the caller's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lines: dict[int, Line] = {}

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer(secret_keys(self._settings))

    @cached_property
    def _webhook_sealer(self) -> Sealer:
        return webhook_sealer(self._settings)

    def line(self, connection: Connection, account_id: int) -> Line:
        """The account of that number. Raises: GatewayError."""
        if account_id not in self._lines:
            account = load_gateway_account(connection, account_id)
            self._lines[account_id] = self._opened(connection, account)
        return self._lines[account_id]

    def webhook_secret(self, connection: Connection, account_id: int) -> str:
        """What the account signs its notices with. Raises: GatewayError."""
        sealed = _sealed(connection, account_id, "sealed_webhook_secret")
        return _open(lambda: self._webhook_sealer, sealed, gateway_webhook_row(account_id))

    def _opened(self, connection: Connection, account: GatewayAccount) -> Line:
        provider = provider_for(account.provider)
        hosts = self._settings.gateways.test_hosts
        url = allowed_url(provider, account.base_url, live=account.live, test_hosts=hosts)
        secret = _open(lambda: self._sealer, _sealed(connection, account.id, "sealed_secret"), gateway_row(account.id))
        return Line(account, provider, caller(provider, url, secret, timeout_s=self._settings.gateways.timeout_s))


def context_of(account: GatewayAccount) -> Context:
    """What a provider is to know of an account."""
    return Context(account.live, ZoneInfo(account.zone))


def _sealed(connection: Connection, account_id: int, column: str) -> bytes:
    chosen = psycopg.sql.Identifier(column)
    row = connection.execute(
        psycopg.sql.SQL("SELECT {} FROM gateway_account WHERE id = %s").format(chosen), (account_id,)
    ).fetchone()
    assert row is not None, f"gateway account {account_id} is there"
    return bytes(row[0])


def _open(sealer: Any, sealed: bytes, row: str) -> str:
    try:
        opened: bytes = sealer().open(sealed, row=row)
    except (SealError, SettingsError) as error:
        raise SecretUnreadableError(str(error)) from error
    return opened.decode()

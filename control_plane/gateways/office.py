"""Accounts with payment providers as staff keep them, by a command or a page, each deed in the audit log: added, changed, tried; and what is due.

The caller owns the transaction; none is open while a provider is asked.

Next: accounts.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from billing.errors import BillingError
from billing.gateways.due import LeftOut, ToAsk, decide
from billing.sentence import Sentence
from billing.store import gateway_due
from billing.store.gateway_work import ask_from, retry_parked
from billing.store.gateways import GatewayAccount, load_gateway_accounts
from billing.store.issuers import Issuer
from control_plane import audit
from control_plane.gateways.accounts import add_account, change_account, method_for, sealed
from control_plane.gateways.calling import allowed_url, caller
from control_plane.gateways.desk import Desk
from control_plane.gateways.provider import Ask, Context, GatewayError, Provider, provider_for
from control_plane.settings import Settings

Connection = psycopg.Connection[Any]


class KeyRefusedError(BillingError):
    """The provider does not take the key, in its words, or can't be asked."""


class NameTakenError(BillingError):
    """There is an account of this name."""


class PagesElsewhereError(BillingError):
    """Another account makes the pages of this issuer: `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} makes the pages of this issuer: `corrente gateway set {name} --no-pages` first")
        self.name = name


class NotInUseError(BillingError):
    """The account is not in use: its provider is asked nothing."""


class NotOfferedError(BillingError):
    """The provider does not do that: `kind`."""

    def __init__(self, provider: Provider, kind: str) -> None:
        super().__init__(f"{provider.title} does not do that ({kind})")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that is to be. `base_url` is another address than the provider's own, in test mode; `method` the code of its payments."""

    name: str
    provider: str
    live: bool
    method: str
    return_url: str | None = None
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class DueRound:
    """What would be debited by itself, what is left out and why, and the accounts that debit by themselves at all."""

    asked: tuple[ToAsk, ...]
    left_out: tuple[LeftOut, ...]
    collecting: tuple[GatewayAccount, ...]


def try_key(settings: Settings, new: NewAccount, zone: str, *, secret: str) -> str:
    """What the provider says to a key that was typed, without changing anything there. Raises: KeyRefusedError, GatewayError."""
    spoken = provider_for(new.provider)
    url = _address(settings, new)
    ask = caller(spoken, url, secret, timeout_s=settings.gateways.timeout_s)
    return checked(spoken, ask, Context(new.live, ZoneInfo(zone)))


def checked(provider: Provider, ask: Ask, context: Context) -> str:
    """What a dry check of a key says. Raises: KeyRefusedError."""
    try:
        found = provider.check(ask, context)
    except GatewayError as error:
        raise KeyRefusedError(
            Sentence("%(provider)s can't be asked: %(why)s", provider=provider.title, why=error)
        ) from error
    if not found.works:
        raise KeyRefusedError(
            Sentence("%(provider)s does not take it: %(why)s", provider=provider.title, why=found.words)
        )
    return found.words


def check(connection: Connection, settings: Settings, account: GatewayAccount) -> str:
    """What the provider says to the key that an account has. Commits first. Raises: KeyRefusedError, GatewayError."""
    line = Desk(settings).line(connection, account.id)
    connection.commit()
    return checked(line.provider, line.ask, line.context)


def demand_free_name(connection: Connection, name: str) -> None:
    """Raises: NameTakenError."""
    if any(one.name == name for one in load_gateway_accounts(connection)):
        raise NameTakenError(f"there is a gateway account {name} already; to change it: corrente gateway set {name}")


def add(
    connection: Connection, settings: Settings, new: NewAccount, issuer: Issuer, *, secret: str, signing: str, by: str
) -> GatewayAccount:
    """Write an account, its secrets sealed. Raises: NameTakenError, GatewayError for an address that is not the provider's."""
    demand_free_name(connection, new.name)
    spoken = provider_for(new.provider)
    columns = {
        "issuer_id": issuer.id,
        "method_id": method_for(connection, issuer.id, new.method, spoken),
        "name": new.name,
        "provider": new.provider,
        "live": new.live,
        "base_url": _address(settings, new),
        "return_url": new.return_url,
    }
    account = add_account(connection, settings, columns, secret=secret, webhook_secret=signing)
    detail = {"provider": new.provider, "live": new.live, "issuer": issuer.name}
    audit.append(connection, actor=by, action="gateway.add", subject=new.name, detail=detail)
    return account


def change(
    connection: Connection,
    settings: Settings,
    account: GatewayAccount,
    columns: Mapping[str, object],
    *,
    secret: str | None = None,
    signing: str | None = None,
    by: str,
) -> list[str]:
    """Set columns and keys of an account; returns what was changed. Raises: PagesElsewhereError, NotOfferedError."""
    provider = provider_for(account.provider)
    for column, kind in (("pages_since", "link"), ("debits_since", "debit")):
        if columns.get(column) is not None and kind not in provider.presents:
            raise NotOfferedError(provider, kind)
    if columns.get("pages_since") is not None:
        others = load_gateway_accounts(connection, issuer_id=account.issuer_id)
        if other := next((one for one in others if one.pages_since and one.id != account.id), None):
            raise PagesElsewhereError(other.name)
    whole = {**sealed(settings, account.id, secret=secret, webhook_secret=signing), **columns}
    if not whole:
        return []
    change_account(connection, account.id, whole)
    changed = [column.removeprefix("sealed_") for column in whole]
    audit.append(connection, actor=by, action="gateway.set", subject=account.name, detail={"changed": changed})
    return changed


def look_again(
    connection: Connection, account: GatewayAccount | None, *, notice_id: int | None = None, by: str
) -> tuple[int, int]:
    """Have the worker look within seconds into the event of a number, or into all that wait and ask again for what was not answered; how many of each."""
    used = None if account is None else account.id
    notices, wanted = retry_parked(connection, account_id=used, notice_id=notice_id)
    detail = {"event": notice_id, "events": notices, "asked_again": wanted}
    audit.append(
        connection, actor=by, action="gateway.retry", subject=account.name if account else "all", detail=detail
    )
    return notices, wanted


def load_due(connection: Connection, *, days: int, now: datetime) -> DueRound:
    """What is debited by itself by the round of so many days ahead, as things stand."""
    collecting = tuple(one for one in load_gateway_accounts(connection) if one.enabled and one.debits_since)
    then = now + timedelta(days=days)
    may = [document for _, document in gateway_due.find_to_debit(connection, now=then)]
    decided = [decide(one) for one in gateway_due.load_to_debit(connection, may, now=then)]
    asked = tuple(one for one in decided if isinstance(one, ToAsk))
    return DueRound(asked, tuple(one for one in decided if isinstance(one, LeftOut)), collecting)


def _address(settings: Settings, new: NewAccount) -> str:
    spoken = provider_for(new.provider)
    own = spoken.live_url if new.live else spoken.test_url
    return allowed_url(spoken, new.base_url or own, live=new.live, test_hosts=settings.gateways.test_hosts)


def ask_everything(connection: Connection, account: GatewayAccount, since: datetime | None, *, by: str) -> None:
    """Have the worker ask the provider for all that happened: what its notices failed to tell is recorded like what they told.

    Raises: NotInUseError.
    """
    if not account.enabled:
        raise NotInUseError(f"{account.name} is not in use")
    ask_from(connection, account.id, since)
    audit.append(
        connection,
        actor=by,
        action="gateway.reconcile",
        subject=account.name,
        detail={"since": None if since is None else since.isoformat()},
    )

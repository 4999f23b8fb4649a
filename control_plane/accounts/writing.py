"""Subscriber accounts written: added with their secret sealed, changed in what is given, each in the audit log.

Next: ../store/account.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import psycopg

from control_plane import audit
from control_plane.accounts.not_done import NotDoneError, Why
from control_plane.quantities import network_text
from control_plane.store.account import Account, Prefix, load_holder, save_new_account, save_prefixes, save_secret
from control_plane.store.changes import save_changes
from radius_hooks.sealing import Sealer

Connection = psycopg.Connection[Any]
# By kind of account_prefix; an empty list takes those of the kind away.
Addresses = Mapping[str, Sequence[IPv4Network | IPv6Network]]


def add_account(
    connection: Connection,
    sealer: Sealer,
    *,
    contract_id: int,
    username: str,
    secret: str,
    columns: Mapping[str, object],
    addresses: Addresses,
    actor: str,
) -> int:
    """Write one; returns its number. Raises: NotDoneError when another account holds one of the addresses."""
    account_id = save_new_account(
        connection, sealer, contract_id=contract_id, username=username, secret=secret, columns=columns
    )
    _save_addresses(connection, account_id, addresses)
    audit.append(connection, actor=actor, action="account.add", subject=username, detail={"contract": contract_id})
    return account_id


def change_account(
    connection: Connection,
    sealer: Sealer,
    account: Account,
    *,
    columns: Mapping[str, object],
    addresses: Addresses,
    secret: tuple[str, str] | None = None,
    contract: Sequence[str] = (),
    actor: str,
) -> list[str]:
    """Write what is given and leave the rest; returns the names of what was changed, empty when nothing was given.

    `secret` is the new one and its kind; `contract` names what the caller changed of the contract beside it.
    Raises: NotDoneError when another account holds one of the addresses.
    """
    save_changes(connection, "subscriber_account", account.id, columns)
    if secret is not None:
        save_secret(connection, sealer, account.id, secret=secret[0], kind=secret[1])
    _save_addresses(connection, account.id, addresses)
    changed = [*contract, *columns, *addresses, *(["secret"] if secret else [])]
    if changed:
        audit.append(
            connection, actor=actor, action="account.set", subject=account.username, detail={"changed": changed}
        )
    return changed


def _save_addresses(connection: Connection, account_id: int, addresses: Addresses) -> None:
    """Write static addresses, and refuse what another account holds."""
    for kind, networks in addresses.items():
        for network in networks:
            holder = load_holder(connection, network, besides=account_id)
            if holder is not None:
                raise NotDoneError(Why.HELD, prefix=network_text(network), holder=holder)
        save_prefixes(connection, account_id, kind, [Prefix(kind, network, None) for network in networks])

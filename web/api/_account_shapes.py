"""What calls about accounts share: the account that is meant, its version, MAC addresses, and moments with their zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from control_plane.quantities import QuantityError, read_mac
from control_plane.store.account import Account, Prefix, load_account
from web.api._shapes import there_is_none, wrong_value
from web.database import Connection

Moment = Annotated[datetime, msgspec.Meta(tz=True, description="with its zone")]

# Each field of addresses is one kind of account_prefix.
KINDS: Final = {
    "ipv4": "framed_ipv4",
    "ipv6": "framed_ipv6_address",
    "ipv6_prefix": "framed_ipv6_prefix",
    "delegated_ipv6_prefix": "delegated_ipv6_prefix",
    "routes": "route",
}


def seen_of(account: Account, prefixes: Sequence[Prefix]) -> tuple[object, ...]:
    """What a change of an account is made from: all that can be changed of it but its password."""
    columns = (account.max_sessions, account.expires_at, account.macs, account.circuit_ids, account.nas_names)
    return account.username, *columns, [(one.kind, str(one.prefix)) for one in prefixes]


def macs_of(texts: Sequence[str], pointer: str) -> list[str]:
    """MAC addresses as they are kept, each once. Raises: Problem."""
    read = []
    for place, one in enumerate(texts):
        try:
            read.append(read_mac(one))
        except QuantityError as error:
            raise wrong_value(str(error), pointer=f"{pointer}/{place}") from error
    return list(dict.fromkeys(read))


def known(connection: Connection, username: str) -> Account:
    """The account of that username. Raises: Problem."""
    found = load_account(connection, username)
    if found is None:
        raise there_is_none()
    return found

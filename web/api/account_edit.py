"""An account added or changed: username, password, static addresses, bindings, sessions at once, expiry.

Next: account_past.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from control_plane.access.permissions import Permission
from control_plane.accounts.writing import Addresses, add_account, change_account
from control_plane.made_secrets import is_storable, made_password
from control_plane.quantities import QuantityError, read_host, read_network
from control_plane.store.account import contract_exists, hold_account, load_account, load_nas_ids, load_prefixes
from web.acting import person
from web.api._account_shapes import KINDS, Moment, known, macs_of, seen_of
from web.api._changes import given
from web.api._shapes import NO_CONTROL, Number, wrong_value
from web.api.accounts import OneAccount, show_account
from web.calls import Noun
from web.database import Connection
from web.sealing import sealer
from web.versions import check_version

pages = Noun("accounts", "edit")

Username = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
SessionsAtOnce = Annotated[int, msgspec.Meta(ge=0, le=1000)]
_Mac = Annotated[str, msgspec.Meta(min_length=12, max_length=40)]
Macs = Annotated[list[_Mac], msgspec.Meta(max_length=50, description="bound to these; twelve hexadecimal digits each")]
_Circuit = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=NO_CONTROL)]
Circuits = Annotated[list[_Circuit], msgspec.Meta(max_length=50, description="bound to these, as the NAS sends them")]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Nases = Annotated[list[_Name], msgspec.Meta(max_length=50, description="bound to these, by name")]
Address = Annotated[str, msgspec.Meta(min_length=2, max_length=43, description="an address")]
Network = Annotated[str, msgspec.Meta(min_length=2, max_length=43, description="a prefix")]
Networks = Annotated[list[Network], msgspec.Meta(max_length=50)]
_HOSTS: Final = ("ipv4", "ipv6")


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account of a contract. Without a password one is made; `POST /accounts/{username}/password` tells it."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "contract_id": 7,
        "username": "till@isp.example",
        "ipv4": "198.51.100.7",
        "delegated_ipv6_prefix": "2001:db8:100::/56",
    }

    contract_id: Number
    username: Username
    password: Password | None = None
    max_sessions: SessionsAtOnce = 1
    expires_at: Moment | None = None
    macs: Macs = []
    circuit_ids: Circuits = []
    nases: Nases = []
    ipv4: Address | None = None
    ipv6: Address | None = None
    ipv6_prefix: Network | None = None
    delegated_ipv6_prefix: Network | None = None
    routes: Networks = []


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes: what is left out stays, what is null goes; for a password that is null a new one is made.

    A username or password that is other than its router's keeps the subscriber out until the router has it.
    """

    username: Username | UnsetType = UNSET
    password: Password | UnsetType | None = UNSET
    max_sessions: SessionsAtOnce | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    macs: Macs | UnsetType = UNSET
    circuit_ids: Circuits | UnsetType = UNSET
    nases: Nases | UnsetType = UNSET
    ipv4: Address | UnsetType | None = UNSET
    ipv6: Address | UnsetType | None = UNSET
    ipv6_prefix: Network | UnsetType | None = UNSET
    delegated_ipv6_prefix: Network | UnsetType | None = UNSET
    routes: Networks | UnsetType = UNSET


@pages.call(
    "POST",
    "/accounts",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.ACCOUNT_CHANGE,),
    body=NewAccount,
    answers=OneAccount,
    status=201,
    version="told",
    does=("account_edit.new",),
)
def new(connection: Connection, *, body: NewAccount) -> OneAccount:
    """Add an account to a contract."""
    values = given(body)
    password = _password(values.pop("password"))
    username, contract = values.pop("username"), values.pop("contract_id")
    _check_username(connection, username, besides=None)
    if not contract_exists(connection, contract):
        raise wrong_value("there is no such contract", pointer="/contract_id")
    addresses = {kind: found for kind, found in _addresses(values).items() if found}
    add_account(
        connection,
        sealer(),
        contract_id=contract,
        username=username,
        secret=password,
        columns=_columns(connection, values),
        addresses=addresses,
        actor=person().name,
    )
    return show_account(connection, username)


@pages.call(
    "PATCH",
    "/accounts/<username>",
    permission=Permission.ACCOUNT_SEE,
    also=(Permission.ACCOUNT_CHANGE,),
    body=AccountChange,
    answers=OneAccount,
    version="needed",
    does=("account_edit.edit",),
)
def change(connection: Connection, *, username: str, body: AccountChange) -> OneAccount:
    """Change an account."""
    hold_account(connection, username)
    account = known(connection, username)
    check_version(seen_of(account, load_prefixes(connection, account.id)))
    values = given(body)
    secret = (_password(values.pop("password")), "clear") if "password" in values else None
    name = values.get("username", username)
    _check_username(connection, name, besides=account.id)
    addresses = _addresses(values)
    change_account(
        connection,
        sealer(),
        account,
        columns=_columns(connection, values),
        addresses=addresses,
        secret=secret,
        actor=person().name,
    )
    return show_account(connection, name)


def _password(given_one: str | None) -> str:
    """The one that was given, or a new one. Raises: Problem."""
    if given_one is None:
        return made_password()
    if not is_storable(given_one):
        raise wrong_value("at most 253 printable characters", pointer="/password")
    return given_one


def _check_username(connection: Connection, name: str, *, besides: int | None) -> None:
    """Nobody else has it, and RADIUS can carry it. Raises: Problem."""
    if len(name.encode()) > 253 or not name.isprintable():  # octets of an attribute
        raise wrong_value("at most 253 printable characters", pointer="/username")
    found = load_account(connection, name)
    if found is not None and found.id != besides:
        raise wrong_value("somebody has this username already", pointer="/username")


def _columns(connection: Connection, values: dict[str, Any]) -> dict[str, object]:
    """As the table has them, of what is left of the values once addresses are taken out."""
    columns = dict(values)
    if "nases" in columns:
        names = columns.pop("nases")
        ids = load_nas_ids(connection, names)
        if missing := set(names) - set(ids):
            raise wrong_value(f"there is no NAS {min(missing)}", pointer="/nases")
        columns["nas_ids"] = sorted(ids.values())
    if "macs" in columns:
        columns["macs"] = macs_of(columns["macs"], "/macs")
    if "circuit_ids" in columns:
        columns["circuit_ids"] = list(dict.fromkeys(columns["circuit_ids"]))
    return columns


def _addresses(values: dict[str, Any]) -> Addresses:
    """By kind those that are named, which are taken out of the values. Raises: Problem."""
    found: dict[str, Sequence[Any]] = {}
    for name, kind in KINDS.items():
        if name in values:
            value = values.pop(name)
            texts = value if name == "routes" else [] if value is None else [value]
            try:
                found[kind] = [read_host(one) if name in _HOSTS else read_network(one) for one in texts]
            except QuantityError as error:
                raise wrong_value(str(error), pointer=f"/{name}") from error
    return found
